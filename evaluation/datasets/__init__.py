"""Segmentation datasets on disk: images and masks by split, checked with messages that name the file.

Label sets come from `zoo.labels`; masks hold class ids and the label set's void value.
"""

from pathlib import Path

from evaluation.datasets.camvid import open_camvid
from evaluation.datasets.cityscapes import open_cityscapes
from evaluation.datasets.dataset import DatasetError, SegmentationDataset
from evaluation.datasets.download import download
from evaluation.datasets.folder import open_folder
from evaluation.datasets.street import open_street
from evaluation.datasets.voc import open_sbd, open_voc

__all__ = ["DATASETS", "DatasetError", "SegmentationDataset", "download", "open_dataset"]

DATASETS = {
    "camvid": open_camvid,
    "voc": open_voc,
    "sbd": open_sbd,
    "cityscapes": open_cityscapes,
    "street": open_street,
    "folder": open_folder,
}


def open_dataset(name: str, root: str | Path, split: str) -> SegmentationDataset:
    """The split of a dataset found under `root`; raises DatasetError naming what is missing there.

    name: 'camvid', 'voc', 'sbd', 'cityscapes', 'street' or 'folder' (images/ masks/ classes.txt, or one
    such folder per split).
    """
    if name not in DATASETS:
        raise DatasetError(f"unknown dataset {name!r}; choose one of {', '.join(DATASETS)}")
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; give the folder that holds the dataset with --data")
    return DATASETS[name](root, split)
