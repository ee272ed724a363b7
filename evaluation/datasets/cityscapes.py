"""Cityscapes (fine annotations, 19 train ids) read through torchvision from `leftImg8bit/` and `gtFine/`.

Its licence asks everyone to register, so it is never downloaded. The sequence of an image is its city.
"""

from pathlib import Path

from evaluation.datasets.dataset import DatasetError, SegmentationDataset, list_split
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
    found = Cityscapes(root, split=split, mode="fine", target_type="semantic")
    pairs = sorted(zip(found.images, (target for (target,) in found.targets), strict=True))
    images, masks = [Path(image) for image, _ in pairs], [Path(mask) for _, mask in pairs]
    void = CITYSCAPES.void
    class_ids = {entry.id: entry.train_id for entry in Cityscapes.classes if entry.id >= 0} | {void: void}
    options = {"sequence": lambda path: path.parent.name, "class_ids": class_ids}
    return list_split("cityscapes", split, CITYSCAPES, images, masks, **options)
