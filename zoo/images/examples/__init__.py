"""The example images that ship with the page: CamVid frames with their label masks, and one photo of no street.

Licences: see README.md. The first is one on which each step of the ladder is seen.
"""

from dataclasses import dataclass
from pathlib import Path

from zoo.labels import CAMVID, LabelSet

FOLDER = Path(__file__).parent
VALIDATION = ("0016E5_08041", "0016E5_07961", "0016E5_08087", "0016E5_08121", "0016E5_08159")
TRAINING = ("0001TP_007020", "0006R0_f03360")  # other videos; CamVid's val split has none
OTHER = ("coffee",)


@dataclass(frozen=True)
class Example:
    """One example: `name` as in the address of the page, the photo and its label mask (indexed PNG of class ids).

    split: CamVid's that it comes from, 'val' or 'train'; None for the photo of no street, which has no mask.
    """

    name: str
    split: str | None
    labels: LabelSet = CAMVID

    @property
    def photo(self) -> Path:
        """The photo."""
        return FOLDER / f"{self.name}.png"

    @property
    def truth(self) -> Path | None:
        """The label mask, where there is one."""
        return FOLDER / f"{self.name}.label.png" if self.split else None


def examples() -> list[Example]:
    """All examples, in the page's order: those that no checkpoint was trained on come first."""
    splits = {"val": VALIDATION, "train": TRAINING, None: OTHER}
    return [Example(name, split) for split, names in splits.items() for name in names]


def find(name: str) -> Example | None:
    """The example called `name`, if there is one."""
    return next((example for example in examples() if example.name == name), None)


def match(content: bytes) -> Example | None:
    """The example whose photo is this very file, if there is one."""
    same_size = (example for example in examples() if example.photo.stat().st_size == len(content))
    return next((example for example in same_size if example.photo.read_bytes() == content), None)
