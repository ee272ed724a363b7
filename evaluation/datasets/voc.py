"""PASCAL VOC 2012 and the Semantic Boundaries Dataset (SBD), which labels more VOC images, read through torchvision.

VOC lies in `VOCdevkit/VOC2012`, SBD in `SBD` (img/ cls/ train.txt val.txt) of the same folder. SBD's splits leave out
the images of VOC 2012 val, so that what is trained on SBD can be validated there.
"""

from pathlib import Path

from evaluation.datasets.dataset import DatasetError, SegmentationDataset, list_split
from zoo.labels import PASCAL_VOC

VOC_LISTS = Path("VOCdevkit", "VOC2012", "ImageSets", "Segmentation")
HINT = "'python -m evaluation.datasets {} --data DIR --download' gets it"


def open_voc(root: Path, split: str) -> SegmentationDataset:
    """`split` is train (1,464 images), val (1,449) or trainval."""
    from torchvision.datasets import VOCSegmentation

    if split not in ("train", "val", "trainval"):
        raise DatasetError(f"voc: no split {split!r}; choose train, val or trainval")
    listing = root / VOC_LISTS / f"{split}.txt"
    if not listing.is_file():
        raise DatasetError(f"{listing}: file is missing; PASCAL VOC 2012 is not there, {HINT.format('voc')}")
    found = VOCSegmentation(root, year="2012", image_set=split)
    images, masks = [Path(path) for path in found.images], [Path(path) for path in found.targets]
    return list_split("voc", split, PASCAL_VOC, images, masks, sequence=lambda path: "")


def open_sbd(root: Path, split: str) -> SegmentationDataset:
    """`split` is train, val or trainval as SBD divides them, each without the images of VOC 2012 val."""
    from torchvision.datasets import SBDataset

    if split not in ("train", "val", "trainval"):
        raise DatasetError(f"sbd: no split {split!r}; choose train, val or trainval")
    held_out = root / VOC_LISTS / "val.txt"
    if not held_out.is_file():
        raise DatasetError(
            f"{held_out}: file is missing; it names the images that SBD must not train on, {HINT.format('voc')}"
        )
    excluded, images, masks = set(held_out.read_text(encoding="utf-8").split()), [], []
    for part in ("train", "val") if split == "trainval" else (split,):
        listing = root / "SBD" / f"{part}.txt"
        if not listing.is_file():
            raise DatasetError(f"{listing}: file is missing; SBD is not there, {HINT.format('sbd')}")
        found = SBDataset(root / "SBD", image_set=part, mode="segmentation")
        images += [Path(path) for path in found.images]
        masks += [Path(path) for path in found.masks]
    kept = [pair for pair in zip(images, masks, strict=True) if pair[0].stem not in excluded]
    images, masks = [image for image, _ in kept], [mask for _, mask in kept]
    return list_split("sbd", split, PASCAL_VOC, images, masks, sequence=lambda path: "")
