"""One look at every file of a split, before anything is learnt or measured on it.

Every file is read once: broken ones, sizes that do not fit and values that are no class are found here and not after
hours; and what the split holds is known: its identity, its sizes, the pixels of each class.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm import tqdm

from evaluation.counting.content import content_sha256, image_digest
from evaluation.datasets.dataset import DatasetError, SegmentationDataset
from zoo.images.truth import UNLABELLED, hexadecimal
from zoo.text import counted

WORKERS = 4
THUMBNAIL = (64, 64)


@dataclass(frozen=True)
class Look:
    """What one image and its mask hold.

    digest, image_digest, mask_digest: of both, of the pixels, of the ids. size: (width, height). pixels: (256,) int64
    of each value. colours: {index: RGB} of the indices that an indexed mask uses, {} for others. thumbnail: a small
    grey picture.
    """

    digest: str
    image_digest: str
    mask_digest: str
    size: tuple[int, int]
    pixels: np.ndarray
    colours: dict[int, tuple[int, ...]]
    thumbnail: Image.Image


@dataclass(frozen=True)
class Survey:
    """What a split holds: a look at each of its images, in its order."""

    looks: tuple[Look, ...]
    classes: tuple[str, ...]
    void: int

    @property
    def digests(self) -> tuple[str, ...]:
        """What each image and its mask hold, as a hash."""
        return tuple(look.digest for look in self.looks)

    @property
    def content(self) -> str:
        """Hash of the images and masks of the split, in whatever order."""
        return content_sha256(self.digests)

    @property
    def in_order(self) -> str:
        """Hash of the images and masks in the order in which the split lists them, which training follows."""
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()

    @property
    def pixels(self) -> np.ndarray:
        """(n, 256) int64 pixels of each value in each mask."""
        return np.stack([look.pixels for look in self.looks])

    def present(self) -> tuple[str, ...]:
        """Classes that some mask holds."""
        total = self.pixels.sum(0)
        return tuple(name for index, name in enumerate(self.classes) if total[index])

    def notes(self) -> tuple[str, ...]:
        """What a reader of results should know of the split, a sentence each."""
        found = []
        if absent := [name for name in self.classes if name not in self.present()]:
            found.append(f"no mask holds {', '.join(absent)}: a class without pixels has no IoU, and teaches nothing")
        twice = len(self.looks) - len(set(self.digests))
        if twice:
            found.append(f"{counted(twice, 'image is', 'images are')} there twice, with the same mask")
        return tuple(found)


def survey(dataset: SegmentationDataset, *, progress: bool = False) -> Survey:
    """Read every image and mask once.

    Raises DatasetError for the first that cannot be used, for masks that are void all over, and for indexed masks
    whose palettes contradict one another.
    """
    looks = []
    for found in _looks(dataset, progress):
        if isinstance(found, DatasetError):
            raise found
        looks.append(found)
    result = Survey(tuple(looks), dataset.labels.classes, dataset.labels.void)
    if faults := palette_faults(dataset, looks):
        raise DatasetError(faults[0])
    if result.present() == dataset.labels.classes[:1] and result.pixels[:, result.void].any():
        raise DatasetError(
            f"{dataset.mask_paths[0].parent}: the {counted(len(dataset), 'mask holds', 'masks hold')} nothing but 0 "
            "and void (255), so "
            f"{result.classes[0]} is the only class in them; if 255 is meant as an object, save the object's id instead"
        )
    if not result.present():
        void = " or ".join(str(value) for value in sorted({result.void, 255}))
        raise DatasetError(
            f"{dataset.mask_paths[0].parent}: every pixel of the {counted(len(dataset), 'mask')} is void ({void}), "
            "so there is nothing to learn or measure; void marks what nobody labelled"
        )
    return result


def look_at(dataset: SegmentationDataset, *, progress: bool = False) -> tuple[tuple[Look | None, ...], list]:
    """A look at every image, None where it cannot be used, and (place, message) of these."""
    found = list(_looks(dataset, progress))
    broken = [(place, str(one)) for place, one in enumerate(found) if isinstance(one, DatasetError)]
    return tuple(None if isinstance(one, DatasetError) else one for one in found), broken


def _looks(dataset: SegmentationDataset, progress: bool) -> Iterator[Look | DatasetError]:
    def look(index: int) -> Look | DatasetError:
        try:
            return one_look(dataset, index)
        except DatasetError as error:
            return error

    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="survey")
    try:
        with tqdm(total=len(dataset), desc="reading", unit=" images", disable=not progress, mininterval=1) as bar:
            for found in pool.map(look, range(len(dataset))):
                bar.update()
                yield found
    finally:
        pool.shutdown(cancel_futures=True)


def one_look(dataset: SegmentationDataset, index: int) -> Look:
    """Read one image and its mask. Raises DatasetError naming the file that cannot be used."""
    image, stored = dataset.image(index), dataset.stored(index)
    mask = dataset.ids(index, stored, image.shape[1::-1])
    used = np.unique(stored.pixels).tolist() if stored.palette is not None else []
    return Look(
        digest=image_digest(image, mask, dataset.labels.void),
        image_digest=hashlib.sha256(np.ascontiguousarray(image)).hexdigest(),
        mask_digest=hashlib.sha256(np.ascontiguousarray(mask)).hexdigest(),
        size=mask.shape[::-1],
        pixels=np.bincount(mask.ravel(), minlength=256),
        colours={value: tuple(stored.palette[value].tolist()) for value in used if value != UNLABELLED},
        thumbnail=Image.fromarray(image).convert("L").resize(THUMBNAIL, Image.Resampling.BOX),
    )


def palette_faults(dataset: SegmentationDataset, looks: Sequence[Look | None]) -> list[str]:
    """A sentence where indexed masks draw one index in different colours: then the colours name the classes.

    Programs that reduce a colour picture number its colours anew in every file.
    """
    first: dict[int, tuple[tuple[int, ...], int]] = {}
    for place, look in enumerate(looks):
        for index, colour in look.colours.items() if look else ():
            plain = colour == (index,) * 3  # ids under their own grey, as of a file without a palette
            known, where = first.setdefault(index, (colour, place)) if not plain else (colour, place)
            if known != colour:
                one, other = dataset.mask_paths[where], dataset.mask_paths[place]
                return [
                    f"{other}: its palette draws index {index} in {hexadecimal(colour)}, that of {one.name} in "
                    f"{hexadecimal(known)}, so not the indices but the colours name the classes; save the masks as RGB "
                    "with a colour for each class in labelmap.txt, or as 8-bit grey ids"
                ]
    return []
