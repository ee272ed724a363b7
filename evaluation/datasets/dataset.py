"""One split of a segmentation dataset on disk: paths, and images and masks read with checks that name the file."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.datasets.pairing import DatasetError, pair
from zoo.images.names import composed
from zoo.images.photo import ImageError, decode_image, open_image, upright_size
from zoo.images.stored import Stored, read_stored
from zoo.images.truth import Reading, to_ids
from zoo.labels import LabelSet
from zoo.text import counted, word_for


@dataclass(frozen=True)
class SegmentationDataset:
    """One split: `image_ids[i]` belongs to `image_paths[i]`, `mask_paths[i]` and the video sequence `sequences[i]`.

    `class_ids` maps the values stored in mask files to class ids and void, where they differ. `labelled` names the
    classes that the masks label, where that is not all of them: pixels of the others are labelled as what is behind.
    `reading` is what the numbers in the files mean; `notes` say what was passed over when the files were listed.
    """

    name: str
    split: str
    labels: LabelSet
    image_ids: tuple[str, ...]
    sequences: tuple[str, ...]
    image_paths: tuple[Path, ...]
    mask_paths: tuple[Path, ...]
    class_ids: Mapping[int, int] | None = None
    labelled: tuple[str, ...] | None = None
    reading: Reading = Reading.IDS
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image_ids)

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright, at its own size, as the page reads it; DatasetError if the file is broken."""
        path = self.image_paths[index]
        return np.array(readable(path, decode_image, path, None).image)

    def size(self, index: int) -> tuple[int, int]:
        """(width, height) of an upright image, from its file's header."""
        path = self.image_paths[index]
        return readable(path, upright_size, path)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) uint8 class ids and void; DatasetError if the file is broken, of another size, or has other values."""
        return self.ids(index, self.stored(index), self.size(index))

    def stored(self, index: int) -> Stored:
        """What the mask's file holds; DatasetError if it is broken or no mask."""
        path = self.mask_paths[index]
        return Stored(_read_sbd(path)) if path.suffix == ".mat" else readable(path, read_stored, path)

    def ids(self, index: int, stored: Stored, size: tuple[int, int]) -> np.ndarray:
        """(H, W) uint8 class ids and void of a mask's file, whose image has `size` (width, height)."""
        path = self.mask_paths[index]
        if size != stored.size:
            raise DatasetError(
                f"{path}: is {stored.size[0]}x{stored.size[1]} but its image is {size[0]}x{size[1]}; both must have "
                f"the same size{self._turned(index, stored)}"
            )
        if self.name == "folder" and self.reading is not Reading.COLOURS and _coloured(stored):
            raise DatasetError(
                f"{path}: holds colours, and the list of classes has none; give labelmap.txt instead of classes.txt, a "
                "line NAME:R,G,B for each class in the order of ids, or save the masks as 8-bit grey ids"
            )
        if self.class_ids is None:
            return readable(path, to_ids, stored, self.labels, self.reading)
        return self._translated(stored.levels if stored.pixels.ndim == 3 else stored.pixels, path)

    def _turned(self, index: int, stored: Stored) -> str:
        """What to do about a mask that was drawn on a photo as it is stored, without its EXIF orientation."""
        raw = readable(self.image_paths[index], open_image, self.image_paths[index]).size
        if raw != stored.size or raw == self.size(index):
            return ""
        return "; it fits the photo as the camera stored it: turn the mask, as every viewer turns the photo"

    def _translated(self, values: np.ndarray | None, path: Path) -> np.ndarray:
        """The class ids that stand for the values of a file; DatasetError for a value that stands for none."""
        if values is None:
            raise DatasetError(f"{path}: holds colours; {self.labels.title} is read from grey images of ids")
        unknown = [value for value in np.unique(values).tolist() if value not in self.class_ids]
        if unknown:
            raise DatasetError(f"{path}: label value {unknown[0]} is none of the ids of {self.labels.title}")
        table = np.full(256, self.labels.void, np.uint8)
        table[list(self.class_ids)] = list(self.class_ids.values())
        return table[values]

    def select(self, sequences: set[str], *, exclude: bool = False) -> "SegmentationDataset":
        """The images of these video sequences only (or all but them); DatasetError if none is left."""
        unknown = sequences - set(self.sequences)
        if unknown:
            known = ", ".join(sorted(set(self.sequences)))
            raise DatasetError(f"{self.name} {self.split} has no sequence {', '.join(sorted(unknown))}; it has {known}")
        keep = [index for index, sequence in enumerate(self.sequences) if (sequence in sequences) != exclude]
        if not keep:
            raise DatasetError(f"{self.name} {self.split}: no image is left after selecting sequences")
        return self.subset(keep)

    def subset(self, indices: Iterable[int]) -> "SegmentationDataset":
        """The images at these places, in this order."""
        indices = list(indices)
        return replace(self, **{name: tuple(getattr(self, name)[i] for i in indices) for name in _PER_IMAGE})


def refuse_partial_labels(dataset: SegmentationDataset) -> None:
    """Raise DatasetError where the masks label only some of the classes, for commands that average over all of them.

    Each of the others would count as 0 in the mean as soon as a pixel is predicted to be one.
    """
    if dataset.labelled:
        raise DatasetError(
            f"{dataset.name}: its masks label {len(dataset.labelled)} of "
            f"{counted(len(dataset.labels.classes), 'class', 'classes')}, and a result file has no place for such a "
            "mean; 'python -m training.compare' prints it"
        )


def _coloured(stored: Stored) -> bool:
    return stored.pixels.ndim == 3 and stored.levels is None


_PER_IMAGE = ("image_ids", "sequences", "image_paths", "mask_paths")


def readable(path: Path, read: Callable, *arguments):
    """What `read` makes of a file; DatasetError naming `path` where it cannot be used."""
    try:
        return read(*arguments)
    except FileNotFoundError:
        raise DatasetError(f"{path}: file is missing") from None
    except ImageError as error:
        raise DatasetError(f"{path}: {error}") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from None


def _read_sbd(path: Path) -> np.ndarray:
    """Class ids of an SBD annotation, a MATLAB file."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return np.asarray(loadmat(path)["GTcls"][0]["Segmentation"][0], np.uint8)
    except FileNotFoundError:
        raise DatasetError(f"{path}: file is missing") from None
    except (MatReadError, OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: broken annotation file ({error})") from None


def list_split(
    name: str, split: str, labels: LabelSet, image_paths: list[Path], mask_paths: list[Path], *, sequence, **options
) -> SegmentationDataset:
    """A split of these files, ids being the stems of the images; DatasetError naming the first file that is missing.

    `sequence` gives the video sequence of an image from its path.
    """
    if not image_paths:
        raise DatasetError(f"{name} {split}: lists no image")
    for kind, paths in (("image", image_paths), ("mask", mask_paths)):
        missing = [path for path in paths if not path.is_file()]
        if missing:
            share = f"{len(missing)} of {counted(len(paths), 'image')} {word_for(len(missing), 'has', 'have')} none"
            raise DatasetError(f"{missing[0]}: {kind} is missing ({share})")
    stems = tuple(composed(path.stem) for path in image_paths)
    sequences = tuple(composed(sequence(path)) for path in image_paths)
    return SegmentationDataset(name, split, labels, stems, sequences, tuple(image_paths), tuple(mask_paths), **options)


def pair_files(
    name: str, split: str, labels: LabelSet, images: Path, masks: Path, *, sequence, **options
) -> SegmentationDataset:
    """The image files of a folder, each with the mask of the same name in another."""
    for folder in (images, masks):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
    pairs = pair(images, masks)
    notes = {"notes": pairs.notes}
    return list_split(name, split, labels, list(pairs.images), list(pairs.masks), sequence=sequence, **options, **notes)
