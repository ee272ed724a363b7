"""Cityscapes (fine annotations, 19 train ids, as torchvision lists them) from `leftImg8bit/` and `gtFine/`.

Its licence asks everyone to register, so it is never downloaded. The sequence of an image is its city.
"""

from pathlib import Path

from evaluation.datasets.dataset import DatasetError, SegmentationDataset, list_split
from evaluation.datasets.pairing import passed_over, sort_files
from zoo.images.names import spelled
from zoo.labels import CITYSCAPES


def open_cityscapes(root: Path, split: str) -> SegmentationDataset:
    """`split` is train (2,975 images) or val (500); masks hold train ids 0..18 and void 255."""
    from torchvision.datasets import Cityscapes

    if split not in ("train", "val"):
        raise DatasetError(f"cityscapes: no split {split!r} with labels; choose train or val")
    for folder in (root / "leftImg8bit" / split, root / "gtFine" / split):
        if not folder.is_dir():
            raise DatasetError(
                f"{folder}: no such folder; register at www.cityscapes-dataset.com and unpack "
                "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip"
            )
    # Listed here, since torchvision takes every hidden file for a city or a photo.
    images, passed = sort_files(root / "leftImg8bit" / split)
    images.sort(key=str)
    masks = [spelled(root / "gtFine" / split / path.parent.name / mask_name(path)) for path in images]
    void = CITYSCAPES.void
    class_ids = {entry.id: entry.train_id for entry in Cityscapes.classes if entry.id >= 0} | {void: void}
    options = {"sequence": lambda path: path.parent.name, "class_ids": class_ids}
    options["notes"] = tuple(passed_over(root / "leftImg8bit" / split, passed))
    return list_split("cityscapes", split, CITYSCAPES, images, masks, **options)


def mask_name(photo: Path) -> str:
    """'aachen_000000_000019_gtFine_labelIds.png' for aachen_000000_000019_leftImg8bit.png."""
    return f"{photo.name.split('_leftImg8bit')[0]}_gtFine_labelIds.png"
