"""What a visitor brings to a batch: files and zips, read within limits, photos told from masks and paired with them.

Zips are read by `zoo.images.archive`, names by `zoo.images.pairs`, content by `zoo.images.sorting`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zoo.images.archive import zip_entries
from zoo.images.pairs import match
from zoo.images.photo import ImageError
from zoo.images.sorting import is_label_image, name_uploads, sort_by_content
from zoo.text import Message

MAXIMUM_IMAGES = 60


class BatchError(ImageError):
    """A batch that cannot be worked on; the message is for the person who sent it."""


@dataclass(frozen=True)
class Photo:
    """One photo of a batch: its name, its content, and that of its ground truth if there is one, or why it has none."""

    name: str
    read: Callable[[], bytes]
    read_truth: Callable[[], bytes] | None = None
    refused: Message | None = None


@dataclass(frozen=True)
class Brought:
    """What a visitor brought: photos in order of name, and names of the masks that belong to none of them."""

    photos: list[Photo]
    masks_alone: list[str]


def read_batch(paths: list[str], read_mask: Callable[[bytes], object] | None = None) -> Brought:
    """The photos in these files, some of which may be zips; masks go with their photos.

    A mask has its photo's name and lies in a folder or zip called 'masks', 'labels' or so, or ends in '.label', '_mask'
    or so; see `zoo.images.pairs`. Where no name tells, `read_mask`, which raises ImageError for what holds no labels,
    looks into a few files; see `zoo.images.sorting`.
    Raises BatchError for nothing to work on or too much, ArchiveError for a zip that is unsafe or damaged.
    """
    files: dict[str, Callable[[], bytes]] = {}
    origins: dict[str, tuple[int, str]] = {}
    zips = {number: Path(path).name for number, path in enumerate(paths, 1) if Path(path).suffix.lower() == ".zip"}
    for number, path in enumerate(paths, 1):
        found = zip_entries(path) if number in zips else {Path(path).name: Path(path).read_bytes}
        for name, read in found.items():
            own = unused(name, files)
            files[own], origins[own] = read, (number if number in zips else 0, name)  # what is in no zip came together
    sorted_out = name_uploads(origins, zips)
    if read_mask is not None:
        sorted_out = sort_by_content(sorted_out, lambda file: is_label_image(lambda: read_mask(files[file]())))
    pairs, alone = match(sorted_out)
    if not pairs:
        raise BatchError(Message("error_batch_masks", name=alone[0]) if alone else Message("error_batch_empty"))
    if len(pairs) > MAXIMUM_IMAGES:
        raise BatchError(Message("error_batch_many", number=len(pairs), maximum=MAXIMUM_IMAGES))
    photos = [photo_of(name, mask, files) for name, mask in sorted(pairs.items(), key=lambda pair: pair[0])]
    return Brought(photos, alone)


def photo_of(name: str, mask: str | Message | None, files: dict[str, Callable[[], bytes]]) -> Photo:
    """A photo with what was found to be its mask, or the reason why none was."""
    if isinstance(mask, Message):
        return Photo(name, files[name], refused=mask)
    return Photo(name, files[name], files[mask] if mask else None)


def unused(name: str, taken: dict) -> str:
    """`name`, numbered where two files have it."""
    path, number = PurePosixPath(name), 2
    while name in taken:
        name, number = str(path.with_stem(f"{path.stem} ({number})")), number + 1
    return name
