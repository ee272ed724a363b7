"""Users' own data: `images/ masks/ classes.txt`, or `images/ masks/` in one folder per split; void is 255.

A split is what its folder says: `train/images`, or `images/train` beside `masks/train`. Images that lie in one heap are
the split 'all', which can be trained on ('train') but is no 'val'.
"""

from collections.abc import Iterator
from pathlib import Path

from evaluation.datasets.classes import read_label_set
from evaluation.datasets.dataset import DatasetError, SegmentationDataset, readable
from evaluation.datasets.pairing import Pairs, match, pair, walk
from zoo.images.photo import ImageError
from zoo.images.stored import Stored, read_stored
from zoo.images.truth import UNLABELLED, Reading, binary_reading
from zoo.labels import LabelSet, means_void

VALIDATION = ("val", "valid", "validation")
SPLITS = ("train", "training", *VALIDATION, "test", "testing")
MASK_FOLDERS = ("labels", "annotations", "mask", "gt", "segmentationclass", "ground_truth", "groundtruth")


def open_folder(root: Path, split: str) -> SegmentationDataset:
    """The split of that name; for 'val' also a folder called valid or validation, for 'all' a folder without splits."""
    base, images, masks = place_of(root, split)
    labels, coloured = read_label_set(root, base)
    for folder in (images, masks):
        if not folder.is_dir():
            raise DatasetError(missing_folder(folder))
    pairs = pair(images, masks)
    reading = Reading.COLOURS if coloured else decide_reading(root, pairs, masks, labels)
    notes = pairs.notes
    if empty := [name for name in labels.classes if means_void(name)]:
        notes += (
            f"{root}: class {', '.join(empty)} is learnt and scored like any other; if nobody labelled its pixels, "
            f"save them as {UNLABELLED} and take it out of the list of classes",
        )
    if reading is Reading.BINARY:
        notes += (f"{masks}: holds nothing but 0 and {UNLABELLED}; {UNLABELLED} is read as {labels.classes[1]}",)
    parts = labels, pairs.ids, ("",) * len(pairs.ids), pairs.images, pairs.masks
    return SegmentationDataset("folder", split, *parts, reading=reading, notes=notes)


def open_leniently(root: Path, split: str) -> tuple[SegmentationDataset | None, list[str]]:
    """What of a split can be used, None if nothing can, and everything that keeps `open_folder` from opening it."""
    try:
        base, images, masks = place_of(root, split)
        labels, coloured = read_label_set(root, base)
    except DatasetError as error:
        return None, [str(error)]
    if not (images.is_dir() and masks.is_dir()):
        return None, [missing_folder(masks if images.is_dir() else images)]
    pairs = match(images, masks)
    faults, reading = list(pairs.faults), Reading.COLOURS if coloured else Reading.IDS
    try:
        reading = reading if coloured else decide_reading(root, pairs, masks, labels)
    except DatasetError as error:
        faults.append(str(error))
    parts = labels, pairs.ids, ("",) * len(pairs.ids), pairs.images, pairs.masks
    dataset = SegmentationDataset("folder", split, *parts, reading=reading, notes=pairs.notes)
    return (dataset if pairs.ids else None), faults


def place_of(root: Path, split: str) -> tuple[Path, Path, Path]:
    """Folder of a split, of its images and of its masks; DatasetError where the folder has no such split."""
    names = VALIDATION if split in VALIDATION else (split,)
    for name in names:
        if (root / name).is_dir():
            return root / name, root / name / "images", root / name / "masks"
        if (root / "images" / name).is_dir() and split in SPLITS:
            return root, root / "images" / name, root / "masks" / name
    there = [path.name for parent in (root, root / "images") if parent.is_dir() for path in sorted(parent.iterdir())
             if path.is_dir() and path.name.lower() in SPLITS]  # fmt: skip
    if there:
        raise DatasetError(f"{root / split}: no such folder; there are {', '.join(there)}")
    if split not in ("all", "train") and (root / "images").is_dir():
        raise DatasetError(
            f"{root / split}: no such folder; the images in {root / 'images'} are one set, which is no {split!r}: move "
            f"some of them to {split}/images and {split}/masks, the others to train/, or measure them as --split all"
        )
    return root, root / "images", root / "masks"


def missing_folder(folder: Path) -> str:
    """What to do about a folder of images or masks that is not there."""
    parent = folder.parent
    names = sorted(path.name for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
    near = [name for name in names if name.casefold() == folder.name or name.casefold() in MASK_FOLDERS]
    if near and folder.name == "masks":
        return f"{folder}: no such folder; if {near[0]}/ holds the masks, rename it"
    return f"{folder}: no such folder; photos go to images/, masks of the same names to masks/"


def decide_reading(root: Path, pairs: Pairs, masks: Path, labels: LabelSet) -> Reading:
    """How the masks of the whole data set are read, one way for all its splits; see `binary_reading`.

    Raises DatasetError where masks of two classes hold nothing but 0 and 255 and that has no one meaning.
    """
    if len(labels.classes) > 2:
        return Reading.IDS
    others = [path for path in mask_folders(root) if path != masks]

    def everywhere() -> Iterator[Stored]:
        yield from stored_masks(pairs.masks)
        for folder in others:
            yield from stored_masks(path for path in walk(folder) if path.suffix.lower() == ".png")

    try:
        own = binary_reading(stored_masks(pairs.masks), labels)
        whole = binary_reading(everywhere(), labels) if others else own
    except ImageError as error:
        raise DatasetError(f"{masks}: {error}") from None
    if own is Reading.BINARY and whole is Reading.IDS:
        raise DatasetError(
            f"{masks}: all masks hold only {UNLABELLED} and 0, those of other splits have other values too, and "
            f"{UNLABELLED} means void; save all of them as ids, 1 for {labels.classes[1]}"
        )
    return whole


def mask_folders(root: Path) -> list[Path]:
    """The folders of masks of all splits."""
    splits = [root, *(path for path in sorted(root.iterdir()) if path.is_dir() and path.name.lower() in SPLITS)]
    found = [split / "masks" for split in splits if (split / "masks").is_dir()]
    nested = [path for path in found[:1] for path in sorted(path.iterdir()) if path.name.lower() in SPLITS]
    return nested or found


def stored_masks(paths) -> Iterator[Stored]:
    """What the files hold, one after another."""
    for path in paths:
        yield readable(path, read_stored, path)
