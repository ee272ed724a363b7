"""Segmentation datasets on disk: images and masks by split, checked with messages that name the file.

CamVid is read in the layout of the SegNet tutorial repository (`train/ trainannot/ val/ valannot/`), users' own data
as `images/ masks/ classes.txt`. Label sets come from `zoo.labels`; masks keep the dataset's own void value.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from zoo.labels import LABEL_SETS, LabelSet, spread_palette


class DatasetError(ValueError):
    """A dataset that cannot be used; the message names the folder or file and what to do."""


@dataclass(frozen=True)
class SegmentationDataset:
    """One split: `image_ids[i]` belongs to `image_paths[i]`, `mask_paths[i]` and the video sequence `sequences[i]`."""

    name: str
    split: str
    labels: LabelSet
    image_ids: tuple[str, ...]
    sequences: tuple[str, ...]
    image_paths: tuple[Path, ...]
    mask_paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.image_ids)

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB; DatasetError if the file is broken."""
        return np.array(_open(self.image_paths[index]).convert("RGB"))

    def mask(self, index: int) -> np.ndarray:
        """(H, W) uint8 class ids and void; DatasetError if the file is broken, of another size, or has other values."""
        path = self.mask_paths[index]
        mask = np.array(_open(path))
        if mask.ndim != 2 or mask.dtype != np.uint8:
            raise DatasetError(f"{path}: needs one 8-bit channel of class ids, has shape {mask.shape} {mask.dtype}")
        with Image.open(self.image_paths[index]) as image:
            size = image.size
        if size != mask.shape[::-1]:
            raise DatasetError(f"{path}: is {mask.shape[1]}x{mask.shape[0]} but its image is {size[0]}x{size[1]}")
        present = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
        unknown = [int(v) for v in present if v >= len(self.labels.classes) and v != self.labels.void]
        if unknown:
            last, void = len(self.labels.classes) - 1, self.labels.void
            raise DatasetError(f"{path}: label value {unknown[0]} is neither a class (0..{last}) nor void ({void})")
        return mask

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


def open_dataset(name: str, root: str | Path, split: str) -> SegmentationDataset:
    """The split of a dataset found under `root`; raises DatasetError naming what is missing there.

    name: 'camvid' or 'folder' (images/ masks/ classes.txt, or one such folder per split).
    """
    if name not in _READERS:
        raise DatasetError(f"unknown dataset {name!r}; choose one of {', '.join(_READERS)}")
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; give the folder that holds the dataset with --data")
    return _READERS[name](root, split)


def _open_camvid(root: Path, split: str) -> SegmentationDataset:
    images, masks = root / split, root / f"{split}annot"
    for folder in (images, masks):
        if not folder.is_dir():
            raise DatasetError(
                f"{folder}: no such folder; CamVid is read as {split}/ and {split}annot/ (SegNet tutorial layout)"
            )
    labels = LABEL_SETS["camvid"]
    # Names such as 0016E5_07959.png or Seq05VD_f00000.png start with the video sequence.
    return _pair_files("camvid", split, labels, images, masks, sequence=lambda stem: stem.split("_")[0])


def _open_folder(root: Path, split: str) -> SegmentationDataset:
    base = root / split if (root / split).is_dir() else root
    listing = next((path for path in (base / "classes.txt", root / "classes.txt") if path.is_file()), None)
    if listing is None:
        raise DatasetError(f"{root / 'classes.txt'}: file is missing; write one class name a line, in the order of ids")
    names = tuple(line.strip() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip())
    try:
        labels = LabelSet(root.name.lower(), root.name, names, spread_palette(len(names) + 1)[1:], void=255)
    except ValueError as error:
        raise DatasetError(f"{listing}: {error}") from None
    return _pair_files("folder", split, labels, base / "images", base / "masks", sequence=lambda stem: "")


def _pair_files(name: str, split: str, labels: LabelSet, images: Path, masks: Path, *, sequence) -> SegmentationDataset:
    for folder in (images, masks):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
    image_paths = sorted(path for path in images.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not image_paths:
        raise DatasetError(f"{images}: holds no PNG or JPEG image")
    mask_paths = [masks / f"{path.stem}.png" for path in image_paths]
    missing = [path for path in mask_paths if not path.is_file()]
    if missing:
        raise DatasetError(f"{missing[0]}: mask is missing ({len(missing)} of {len(mask_paths)} images have none)")
    stems = tuple(path.stem for path in image_paths)
    sequences = tuple(sequence(stem) for stem in stems)
    return SegmentationDataset(name, split, labels, stems, sequences, tuple(image_paths), tuple(mask_paths))


_READERS = {"camvid": _open_camvid, "folder": _open_folder}
