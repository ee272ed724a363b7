"""Importers: what annotation tools export, read into photos, classes and masks; one reader a format.

`python -m evaluation.datasets import` writes what they read as a data set of one's own; docs/annotation-tools.md tells
what each tool writes. A reader is imported when it is used.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.datasets.dataset import DatasetError

if TYPE_CHECKING:
    from evaluation.datasets.importers.project import Options, Project


@dataclass(frozen=True)
class Importer:
    """One format: the module and function that read it, and what it is."""

    module: str
    function: str
    title: str


IMPORTERS = {
    "labelme": Importer("labelme", "read_labelme", "labelme's JSON files"),
    "coco": Importer("coco", "read_coco", "COCO instances: polygons and run lengths"),
    "coco-panoptic": Importer("coco", "read_coco_panoptic", "COCO panoptic JSON and PNGs"),
    "cvat": Importer("cvat", "read_cvat", "CVAT for images 1.1 (XML)"),
    "cvat-masks": Importer("indexed", "read_voc", "CVAT's Segmentation mask 1.1 (labelmap.txt)"),
    "label-studio": Importer("label_studio", "read_label_studio", "Label Studio's JSON: brushes and polygons"),
    "label-studio-png": Importer("label_studio", "read_label_studio_png", "Label Studio's PNGs, with its JSON"),
    "supervisely": Importer("supervisely", "read_supervisely", "Supervisely projects: bitmaps and polygons"),
    "roboflow": Importer("indexed", "read_roboflow", "Roboflow's Semantic Segmentation Masks (_classes.csv)"),
    "voc": Importer("indexed", "read_voc", "PASCAL VOC folders, also datumaro's voc_segmentation"),
    "camvid": Importer("indexed", "read_camvid", "datumaro's camvid folders (label_colors.txt)"),
    "cityscapes": Importer("indexed", "read_cityscapes", "Cityscapes labelIds or labelTrainIds"),
    "ade20k": Importer("indexed", "read_ade20k", "ADE20K (SceneParse150), zero label reduced"),
    "huggingface": Importer("huggingface", "read_huggingface", "parquet with image and mask columns, or a Hub id"),
}

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")


def format_name(text: str) -> str:
    """The format that a person means: LabelStudio and label_studio are 'label-studio'; other texts as they are."""
    plain = {name.replace("-", ""): name for name in IMPORTERS}
    return plain.get(text.casefold().replace("-", "").replace("_", ""), text)


def read_project(name: str, source: str, options: "Options") -> "Project":
    """The project that an export holds; DatasetError naming the file and field that cannot be used."""
    if name not in IMPORTERS:
        raise DatasetError(f"unknown format {name!r}; choose one of {', '.join(IMPORTERS)}")
    if Path(source).suffix.lower() in ARCHIVES:
        raise DatasetError(f"{source}: is an archive; unpack it and give the folder")
    if not source or (name != "huggingface" and not Path(source).exists()):
        raise DatasetError(f"{source or 'SOURCE'}: no such file or folder")
    entry = IMPORTERS[name]
    return getattr(import_module(f"{__name__}.{entry.module}"), entry.function)(source, options)
