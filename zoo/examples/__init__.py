"""The example images that ship with the page: five CamVid frames and their label masks (licence: see README.md)."""

from dataclasses import dataclass
from pathlib import Path

from zoo.labels import CAMVID, LabelSet

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Example:
    """One example: `name` as in the address of the page, the photo and its label mask (indexed PNG of class ids)."""

    name: str
    photo: Path
    truth: Path
    labels: LabelSet = CAMVID


def examples() -> list[Example]:
    """All examples, by name."""
    found = sorted(FOLDER.glob("*.label.png"))
    return [Example(path.name.removesuffix(".label.png"), photo_of(path), path) for path in found]


def photo_of(truth: Path) -> Path:
    """The photo beside a label mask."""
    return truth.with_name(truth.name.replace(".label.png", ".png"))


def find(name: str) -> Example | None:
    """The example called `name`, if there is one."""
    return next((example for example in examples() if example.name == name), None)


def match(content: bytes) -> Example | None:
    """The example whose photo is this very file, if there is one."""
    same_size = (example for example in examples() if example.photo.stat().st_size == len(content))
    return next((example for example in same_size if example.photo.read_bytes() == content), None)
