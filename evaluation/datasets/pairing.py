"""Which mask belongs to which photo of a folder: by name, in sub-folders too; nothing is left out without a word."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zoo.images.names import composed
from zoo.text import counted, word_for

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
LITTER = ("thumbs.db", "desktop.ini", "ehthumbs.db")  # of Windows; macOS's files start with a dot
MASK_ENDINGS = ("_mask", "-mask", ".mask", "_label", "_labels", "_seg", "_gt", "_groundtruth", "_annotation", "_bw")


class DatasetError(ValueError):
    """A dataset that cannot be used; the message names the folder or file and what to do."""


@dataclass(frozen=True)
class Pairs:
    """Photos and masks in the same order, what each is called, and what was passed over, a sentence each.

    `faults` are what keeps a folder from being used; the pairs are those that are left without them.
    """

    ids: tuple[str, ...]
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...]


def pair(images: Path, masks: Path) -> Pairs:
    """Pair the image files of two folders by their path without ending, in the order of names.

    Raises DatasetError for a folder without images, for two files of one name, and for a photo without a mask.
    """
    pairs = match(images, masks)
    if pairs.faults:
        raise DatasetError(pairs.faults[0])
    return pairs


def match(images: Path, masks: Path) -> Pairs:
    """`pair` that collects the faults instead of raising the first."""
    found, notes, faults = [], [], []
    for folder in (images, masks):
        files, passed = sort_files(folder)
        notes += passed_over(folder, passed)
        found.append(by_name(files, folder, faults))
    photos, labels = found
    if not photos:
        faults.append(f"{images}: holds no image ({', '.join(ending[1:] for ending in SUFFIXES)})")
    missing = [name for name in photos if name not in labels]
    if missing:
        faults.append(missing_mask(photos[missing[0]], missing, photos, labels, masks))
    orphans = [labels[name] for name in labels if name not in photos]
    if orphans:
        left = counted(
            len(orphans), "mask has no image of its name and is", "masks have no image of their name and are"
        )
        notes.append(f"{masks}: {left} left out ({some(orphans)})")
    names = sorted(name for name in photos if name in labels)
    files = tuple(photos[name] for name in names), tuple(labels[name] for name in names)
    return Pairs(tuple(names), *files, tuple(notes), tuple(faults))


def sort_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The image files under a folder, and the other files that a person put there; system files are neither."""
    taken, passed = [], []
    for path in walk(folder):
        (taken if path.suffix.lower() in SUFFIXES else passed).append(path)
    return taken, passed


def walk(folder: Path) -> Iterator[Path]:
    """Files under a folder in the order of names, without hidden ones (`._photo.jpg`, `.DS_Store`) and litter."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__MACOSX", "@eaDir")) or path.name.lower() in LITTER:
            continue
        if path.is_dir():
            yield from walk(path)
        else:
            yield path


def passed_over(folder: Path, paths: list[Path]) -> list[str]:
    """A sentence on files of kinds that are not read, if there are any."""
    if not paths:
        return []
    endings = ", ".join(sorted({path.suffix.lower() or "no ending" for path in paths}))
    passed = counted(len(paths), "file is passed over, it is no image", "files are passed over, they are no images")
    return [f"{folder}: {passed} that can be read ({endings})"]


def by_name(paths: Iterable[Path], folder: Path, faults: list[str]) -> dict[str, Path]:
    """{path in the folder without ending: file}; letters with accents count as one, however they are stored.

    Two files of one name are named in `faults`.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = composed(path.relative_to(folder).with_suffix("").as_posix())
        if name in found:
            faults.append(
                f"{path}: {found[name].name} is there already; which of the two counts? Rename one or take it out"
            )
        found.setdefault(name, path)
    return found


def missing_mask(photo: Path, missing: list[str], photos: dict, labels: dict[str, Path], masks: Path) -> str:
    """What is wrong with a photo that has no mask, with the file that may be meant."""
    expected = masks / f"{missing[0]}.png"
    near = near_miss(missing[0], photo, labels, photos)
    meant = f"; {near.relative_to(masks).as_posix()} is there: give it the image's name" if near else ""
    share = f"{len(missing)} of {counted(len(photos), 'image')} {word_for(len(missing), 'has', 'have')} none"
    return f"{expected}: mask is missing ({share}){meant}"


def near_miss(name: str, photo: Path, labels: dict[str, Path], photos: dict[str, Path]) -> Path | None:
    """A mask without photo whose name is nearly that of a photo: img_mask.png, img.jpg.png, IMG.png, other/img.png."""
    free = {key: path for key, path in labels.items() if key not in photos}
    plain = {simplified(key): path for key, path in free.items()}
    return free.get(f"{name}{photo.suffix}") or plain.get(simplified(name))


def simplified(name: str) -> str:
    """A file's name without folder, case and what tools append to masks."""
    stem = PurePosixPath(name).name.casefold()
    for ending in MASK_ENDINGS:
        stem = stem.removesuffix(ending)
    return stem


def some(paths: list[Path], most: int = 3) -> str:
    """The first names of a list of files."""
    names = ", ".join(path.name for path in paths[:most])
    return names + (", ..." if len(paths) > most else "")
