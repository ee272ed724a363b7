"""Users' own data: `images/ masks/ classes.txt`, or one such folder per split; void is 255."""

from pathlib import Path

from evaluation.datasets.dataset import DatasetError, SegmentationDataset, pair_files
from zoo.labels import LabelSet, spread_palette


def open_folder(root: Path, split: str) -> SegmentationDataset:
    """The folder `split` where there is one, otherwise `root` itself."""
    base = root / split if (root / split).is_dir() else root
    listing = next((path for path in (base / "classes.txt", root / "classes.txt") if path.is_file()), None)
    if listing is None:
        raise DatasetError(f"{root / 'classes.txt'}: file is missing; write one class name a line, in the order of ids")
    names = tuple(line.strip() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip())
    try:
        labels = LabelSet(root.name.lower(), root.name, names, spread_palette(len(names) + 1)[1:], void=255)
    except ValueError as error:
        raise DatasetError(f"{listing}: {error}") from None
    return pair_files("folder", split, labels, base / "images", base / "masks", sequence=lambda path: "")
