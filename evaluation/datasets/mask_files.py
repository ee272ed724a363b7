"""Predictions and truth as files: two folders, or two zips, of label images that belong together by name.

Label images are read by `zoo.images`, zips within the limits of `zoo.images.archive`; nothing is left out silently.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from evaluation.counting.confusion import count_pairs
from evaluation.datasets.pairing import SUFFIXES, simplified, walk
from zoo.images.archive import Limits, zip_entries
from zoo.images.names import composed
from zoo.images.photo import ImageError
from zoo.images.stored import Stored, read_stored
from zoo.images.truth import Reading, binary_reading, to_ids
from zoo.labels import LabelSet
from zoo.text import Message

LARGE = Limits(entries=20_000, entry_bytes=100_000_000, total_bytes=20_000_000_000)  # of a whole split
CITYSCAPES_ENDINGS = ("_gtfine_labeltrainids", "_gtfine_labelids", "_gtfine_color", "_leftimg8bit")


@dataclass(frozen=True)
class Masks:
    """The label images of a folder or zip by the name of the photo that they belong to; each is read when asked for."""

    place: str
    files: Mapping[str, Callable[[], bytes]]
    names: Mapping[str, str]

    def stored(self, key: str) -> Stored:
        """What one file holds; ImageError naming it where it is no label image."""
        with named(self.names[key]):
            return read_stored(self.files[key]())


def open_masks(path: str | Path, limits: Limits = LARGE) -> Masks:
    """The label images of a folder or zip. Raises ImageError where there is none, or where two have one name."""
    path = Path(path)
    if path.is_dir():
        found = {
            one.relative_to(path).as_posix(): one.read_bytes for one in walk(path) if one.suffix.lower() in SUFFIXES
        }
    elif path.is_file():
        found = zip_entries(path, limits)
    else:
        raise ImageError(Message("error_masks_place", place=str(path)))
    if not found:
        raise ImageError(Message("error_masks_none", place=path.name))
    names: dict[str, str] = {}
    for name in sorted(found):
        key = mask_key(name)
        if key in names:
            raise ImageError(Message("error_masks_twice", first=names[key], second=name))
        names[key] = name
    return Masks(path.name, {key: found[name] for key, name in names.items()}, names)


def mask_key(name: str) -> str:
    """What a mask's file shares with that of the same photo elsewhere: without folders, endings and case, in NFC."""
    stem = simplified(composed(PurePosixPath(name).with_suffix("").name))
    for ending in CITYSCAPES_ENDINGS:
        stem = stem.removesuffix(ending)
    return stem


def pair_matrices(
    predictions: Masks, truth: Masks, labels: LabelSet, read: Callable[[bytes, LabelSet], np.ndarray] | None = None
) -> Iterator[tuple[str, np.ndarray]]:
    """The photo's name and its (C + 1, C + 1) int64 counts [target, prediction], void last, for each in order of names.

    read: makes a mask (H, W) of ids of a file's content, elsewhere than in this process; for more than two classes.
    Raises ImageError for a truth without prediction or the reverse, for files of other sizes, and for values that are
    no class.
    """
    check_names(predictions, truth)
    readings = [None if read else reading_of(masks, labels) for masks in (predictions, truth)]
    classes = [*range(len(labels.classes)), labels.void]
    for key in sorted(truth.files):
        prediction, target = (
            ids(masks, key, labels, reading, read)
            for masks, reading in zip((predictions, truth), readings, strict=True)
        )
        if prediction.shape != target.shape:
            (height, width), (truth_height, truth_width) = prediction.shape, target.shape
            sizes = {"width": width, "height": height, "truth_width": truth_width, "truth_height": truth_height}
            raise ImageError(Message("error_masks_size", name=predictions.names[key], **sizes))
        yield key, count_pairs(prediction, target)[np.ix_(classes, classes)]


def check_names(predictions: Masks, truth: Masks) -> None:
    """Raise ImageError where the two do not hold masks of the same photos: figures over fewer are other figures."""
    for these, others, kind in ((truth, predictions, "prediction"), (predictions, truth, "truth")):
        if missing := sorted(these.files.keys() - others.files.keys()):
            counts = {"missing": len(missing), "total": len(these.files)}
            raise ImageError(Message(f"error_masks_no_{kind}", name=these.names[missing[0]], **counts))


def reading_of(masks: Masks, labels: LabelSet) -> Reading:
    """How the numbers in the files are meant; ImageError where masks of two classes can be read in two ways."""
    if len(labels.classes) > 2:
        return Reading.IDS
    return binary_reading((masks.stored(key) for key in sorted(masks.files)), labels)


def ids(masks: Masks, key: str, labels: LabelSet, reading: Reading | None, read: Callable | None) -> np.ndarray:
    """(H, W) uint8 class ids and void of one mask."""
    # Of known data sets each file may hold ids or the published colours, and says so itself.
    reading = reading if len(labels.classes) == 2 else None
    with named(masks.names[key]):
        content = masks.files[key]()
        return read(content, labels) if read else to_ids(read_stored(content), labels, reading)


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except ImageError as error:
        raise ImageError(Message("checkpoint_at", place=name, reason=error.args[0])) from None
