"""One split of a segmentation dataset on disk: paths, and images and masks read with checks that name the file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.labels import LabelSet


class DatasetError(ValueError):
    """A dataset that cannot be used; the message names the folder or file and what to do."""


@dataclass(frozen=True)
class SegmentationDataset:
    """One split: `image_ids[i]` belongs to `image_paths[i]`, `mask_paths[i]` and the video sequence `sequences[i]`.

    `class_ids` maps the values stored in mask files to class ids and void, where they differ.
    """

    name: str
    split: str
    labels: LabelSet
    image_ids: tuple[str, ...]
    sequences: tuple[str, ...]
    image_paths: tuple[Path, ...]
    mask_paths: tuple[Path, ...]
    class_ids: Mapping[int, int] | None = None

    def __len__(self) -> int:
        return len(self.image_ids)

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB; DatasetError if the file is broken."""
        return np.array(_open(self.image_paths[index]).convert("RGB"))

    def mask(self, index: int) -> np.ndarray:
        """(H, W) uint8 class ids and void; DatasetError if the file is broken, of another size, or has other values."""
        path = self.mask_paths[index]
        mask = _read_sbd(path) if path.suffix == ".mat" else np.array(_open(path))
        if mask.ndim != 2 or mask.dtype != np.uint8:
            raise DatasetError(f"{path}: needs one 8-bit channel of class ids, has shape {mask.shape} {mask.dtype}")
        size = _size(self.image_paths[index])
        if size != mask.shape[::-1]:
            raise DatasetError(f"{path}: is {mask.shape[1]}x{mask.shape[0]} but its image is {size[0]}x{size[1]}")
        self._check_values(mask, path)
        if self.class_ids is None:
            return mask
        table = np.full(256, self.labels.void, np.uint8)
        table[list(self.class_ids)] = list(self.class_ids.values())
        return table[mask]

    def _check_values(self, mask: np.ndarray, path: Path) -> None:
        last, void = len(self.labels.classes) - 1, self.labels.void
        known = {*range(last + 1), void} if self.class_ids is None else set(self.class_ids)
        present = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
        unknown = [value for value in present if value not in known]
        if unknown and self.class_ids is None:
            raise DatasetError(f"{path}: label value {unknown[0]} is neither a class (0..{last}) nor void ({void})")
        if unknown:
            raise DatasetError(f"{path}: label value {unknown[0]} is none of the ids of {self.labels.title}")

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


_PER_IMAGE = ("image_ids", "sequences", "image_paths", "mask_paths")


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
        return image
    except FileNotFoundError:
        raise DatasetError(f"{path}: file is missing") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path}: broken image file ({error})") from None


def _size(path: Path) -> tuple[int, int]:
    """(width, height) from the file's header."""
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise DatasetError(f"{path}: file is missing") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path}: broken image file ({error})") from None


def _read_sbd(path: Path) -> np.ndarray:
    """Class ids of an SBD annotation, a MATLAB file."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return np.array(loadmat(path)["GTcls"][0]["Segmentation"][0])
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
            raise DatasetError(f"{missing[0]}: {kind} is missing ({len(missing)} of {len(paths)} images have none)")
    stems = tuple(path.stem for path in image_paths)
    sequences = tuple(sequence(path) for path in image_paths)
    return SegmentationDataset(name, split, labels, stems, sequences, tuple(image_paths), tuple(mask_paths), **options)


def pair_files(name: str, split: str, labels: LabelSet, images: Path, masks: Path, *, sequence) -> SegmentationDataset:
    """The PNG and JPEG files of a folder, each with the PNG of the same name in another."""
    for folder in (images, masks):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
    image_paths = sorted(path for path in images.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not image_paths:
        raise DatasetError(f"{images}: holds no PNG or JPEG image")
    mask_paths = [masks / f"{path.stem}.png" for path in image_paths]
    return list_split(name, split, labels, image_paths, mask_paths, sequence=sequence)
