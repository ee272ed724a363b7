"""What an importer hands over: photos, a way to draw the mask of each, classes in order, and what is not in the masks.

Nothing is decoded or drawn here; `writing` does that photo by photo. Names that come out of an annotation file are
looked up below the folders that the person named and nowhere else.
"""

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.splitting import SUBSETS
from zoo.images.names import composed, spelled

VOID = 255
MAXIMUM_ANNOTATION_BYTES = 1_000_000_000
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
Size = tuple[int, int]


@dataclass(frozen=True)
class Options:
    """What the command line may add to an import; see `python -m evaluation.datasets import --help`."""

    images: Path | None = None
    classes: Path | None = None
    void: tuple[str, ...] = ()
    unlabelled: str | None = None
    drawn_on: str = "upright"
    columns: tuple[str, str] | None = None
    revision: str | None = None
    megabytes: float = 2000.0


@dataclass(frozen=True)
class Sample:
    """One photo and its mask.

    name: the photo's name in the tool, folders separated by '/'. photo: its file, its content where the tool keeps
    it inside, or a function that reads that. draw((width, height)): the mask as (height, width) uint8 ids and 255 for
    void, at the size of the photo that the tool showed. size: the (width, height) that the tool noted, None if it noted
    none. source: the file, and the item in it, that messages name. subset: the tool's own split, '' for none.
    """

    name: str
    photo: Path | bytes | Callable[[], bytes]
    draw: Callable[[Size], np.ndarray]
    size: Size | None
    source: str
    subset: str = ""


@dataclass
class Project:
    """All that an importer found. order: where the order of the classes comes from. void: what became void.

    skipped: why annotations are not in the masks, and how many; drawing adds to it.
    """

    classes: tuple[str, ...]
    order: str
    samples: list[Sample]
    void: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class ClassList:
    """Classes in order of their ids, the id (or void) of each of the tool's labels, and that of unlabelled pixels."""

    names: tuple[str, ...]
    ids: dict[str, int]
    unlabelled: int
    order: str
    void: tuple[str, ...] = ()

    def id(self, label: str, source: str) -> int:
        """The id of a label, 255 for void; DatasetError naming `source` for a label that the list lacks."""
        if label in self.ids:
            return self.ids[label]
        near = difflib.get_close_matches(label, self.ids, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DatasetError(
            f"{source}: label {label!r} is not in the list of classes; {hint}correct it there, add it to the list, or "
            f"make it void with --void {label!r}"
        )


BACKGROUNDS = ("background", "_background_")
IGNORED = ("__ignore__",)


def list_classes(
    labels: Iterable[str],
    options: Options,
    *,
    order: str,
    void: Iterable[str] = (),
    unlabelled: str | None = "background",
) -> ClassList:
    """Classes from a tool's labels, in this order, or from the file named with --classes.

    `unlabelled`: what pixels without a label are unless --unlabelled says otherwise: 'background' (the class of that
    name, or labelme's `_background_`, put first if there is none), 'void', or None where every pixel has a label.
    Labels named in `void`, with --void, or `__ignore__` become void.
    """
    labels = list(dict.fromkeys(labels))
    if unlabelled is None and options.unlabelled:
        raise DatasetError("--unlabelled: every pixel of this export has a label; name labels to ignore with --void")
    if options.classes is not None:
        labels, order = read_names(options.classes), f"as in {options.classes}"
    ignored = {*void, *options.void, *IGNORED}
    unused = [name for name in options.void if name not in labels]
    if unused and options.classes is None:
        raise DatasetError(f"--void {unused[0]}: no such label; there are {', '.join(labels) or 'none'}")
    kept = [label for label in labels if label not in ignored]
    own = next((label for label in kept if label.casefold() in BACKGROUNDS), None)
    fill = unlabelled is not None and (options.unlabelled or unlabelled) == "background"
    if fill and own is None:
        kept.insert(0, "background")
        order += "; 'background', what nobody labelled, first"
    if not kept:
        raise DatasetError("no class is left: every label is void")
    names = tuple("background" if label in BACKGROUNDS else label for label in kept)
    ids = {label: index for index, label in enumerate(kept)} | dict.fromkeys(ignored, VOID)
    voided = [label for label in labels if label in ignored]
    sentences = [f"pixels labelled {', '.join(voided)}"] if voided else []
    if unlabelled is not None and not fill:
        sentences.append("pixels without a label")
    return ClassList(names, ids, ids[own or "background"] if fill else VOID, order, tuple(sentences))


def read_names(path: Path) -> list[str]:
    """Class names, one a line, of a text file; DatasetError if it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{path}: file is missing") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise DatasetError(f"{path}: {double[0]!r} is listed twice; class names must differ")
    return names


def files(folder: Path, *suffixes: str) -> list[Path]:
    """The files below a folder with one of these suffixes, sorted; those of macOS (`._x`, `__MACOSX`) are left out."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    return [path for path in visible(found) if "__MACOSX" not in path.parts]


def visible(paths: Iterable[Path]) -> list[Path]:
    """These paths, sorted, without hidden ones (`._train.txt`, `.DS_Store`)."""
    return sorted(path for path in paths if not path.name.startswith("."))


def photos(folder: Path) -> list[Path]:
    """The image files below a folder, sorted."""
    return files(folder, *PHOTO_SUFFIXES)


def read_bytes(path: Path) -> bytes:
    """Content of an annotation file; DatasetError if it is missing or unreasonably large."""
    try:
        if path.stat().st_size > MAXIMUM_ANNOTATION_BYTES:
            raise DatasetError(f"{path}: is larger than {MAXIMUM_ANNOTATION_BYTES // 10**6} MB; export it in parts")
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path}: file is missing") from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from None


def read_json(path: Path) -> Any:
    """The value in a JSON file; DatasetError if it is none."""
    try:
        return json.loads(read_bytes(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also what is not UTF-8, and numbers of thousands of digits
        raise DatasetError(f"{path}: is not JSON ({error}); export it again") from None


def take(item: Any, key: str, kind: type | tuple[type, ...], source: str) -> Any:
    """item[key], checked to be there and of its kind; DatasetError names `source` and the field."""
    if not isinstance(item, dict):
        raise DatasetError(f"{source}: is {type(item).__name__} where an object with {key!r} belongs")
    if key not in item:
        raise DatasetError(f"{source}: field {key!r} is missing; is it an export of this format?")
    if not isinstance(item[key], kind) or (isinstance(item[key], bool) and kind is not bool):
        raise DatasetError(f"{source}: field {key!r} is {type(item[key]).__name__}; is it an export of this format?")
    return item[key]


class PhotoFinder:
    """Finds the photos that annotations name, below the folders that the person named and nowhere else.

    `without`: beginnings of the names of folders whose images are no photos.
    """

    def __init__(self, source: Path, options: Options, *, without: tuple[str, ...] = ()):
        self.given = options.images is not None
        self.root = options.images or (source if source.is_dir() else source.parent)
        if not self.root.is_dir():
            raise DatasetError(f"{self.root}: no such folder; give the folder of the photos with --images")
        self.by_name: dict[str, list[Path]] = {}
        self.by_stem: dict[str, list[Path]] = {}
        for path in photos(self.root):
            folders = path.relative_to(self.root).parts[:-1]
            if not any(folder.startswith(without) for folder in folders if without):
                self.by_name.setdefault(composed(path.name), []).append(path)
                self.by_stem.setdefault(composed(path.stem), []).append(path)

    def find(self, name: str, source: str, *, near: Iterable[Path] = ()) -> Path:
        """The file of the photo called `name` ('/' or '\\' between folders), below one of `near` or the root.

        A name that leads out of the root is refused; one whose folders are not there is found by its last part where
        only one photo has it. DatasetError naming `source` otherwise.
        """
        relative = PurePosixPath(PureWindowsPath(name).as_posix())
        if not relative.name or "\x00" in name:
            raise DatasetError(f"{source}: names no photo")
        for place in (spelled(base / relative) for base in (*near, self.root)):
            if self._holds(place):
                return self.root / place.resolve().relative_to(self.root.resolve())
        if not self.given and (relative.is_absolute() or PureWindowsPath(name).drive or ".." in relative.parts):
            raise DatasetError(
                f"{source}: its photo {name!r} lies outside of {self.root}; give the folder that holds it with --images"
            )
        found = self.by_name.get(composed(relative.name), [])
        if len(found) > 1:
            raise DatasetError(f"{source}: photo {name!r} could be {found[0]} or {found[1]}; keep one of them")
        if not found or not self._holds(found[0]):
            raise DatasetError(
                f"{source}: its photo {name!r} is not in {self.root}; put it there, or give its folder with --images"
            )
        return found[0]

    def name(self, photo: Path) -> str:
        """A photo's name: its path below the root, in NFC."""
        return composed(photo.relative_to(self.root).as_posix())

    def _holds(self, path: Path) -> bool:
        """Whether a path is a file below the root, links followed."""
        try:
            return path.is_file() and path.resolve().is_relative_to(self.root.resolve())
        except (OSError, ValueError):  # too long, or no name on this system
            return False


def subset_of(path: Path, root: Path) -> str:
    """The folder between `root` and the file that is called like a split, '' if none is."""
    parts = path.relative_to(root).parts[:-1]
    return next((part for part in parts if part.casefold() in SUBSETS), "")
