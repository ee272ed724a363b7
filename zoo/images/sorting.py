"""Which files of a batch are photos and which masks where their names do not tell: by what a few of them hold.

Only whole groups are decided, the files of one upload and folder (in it, those of one ending), and only where names
leave no other way: no file is a mask by its name, or none a photo. What remains unclear stays as the names say.
"""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import permutations
from pathlib import PurePosixPath

from zoo.images.pairs import MASK_FOLDERS, PHOTO_FOLDERS, divide, lies_with_masks, plain, stem_of
from zoo.images.photo import ImageError
from zoo.text import Message

Files = Mapping[str, tuple[int, str]]  # {file: (which upload it comes from, its name there)}
LOOKED_INTO = 3  # files of a group
MOST_LOOKED_INTO = 60  # files of a batch
NO_LABELS = ("error_truth_smooth", "error_truth_lossy", "error_truth_transparent", "error_truth_wide")


def is_label_image(read: Callable[[], object]) -> bool:
    """Whether a file holds labels, if only another data set's; `read` reads it as a mask or raises ImageError."""
    try:
        read()
    except ImageError as error:
        key = getattr(error.args[0], "key", "") if isinstance(error.args[0], Message) else ""
        return key.startswith("error_truth_") and key not in NO_LABELS
    return True


def name_uploads(files: Files, uploads: Mapping[int, str]) -> Files:
    """The files of `masks.zip` as if they lay in a folder masks, where no folder or ending in that zip says another."""
    told = {
        number
        for number, name in uploads.items()
        if set(stem_of(name).replace("-", "_").split("_")) & {*MASK_FOLDERS}
        and not any(number == other and hints(inside) for other, inside in files.values())
    }
    return {file: (number, f"masks/{name}" if number in told else name) for file, (number, name) in files.items()}


def hints(name: str) -> bool:
    """Whether a file's folders say what it is."""
    return lies_with_masks(name) or bool({*PurePosixPath(name.lower()).parts[:-1]} & {*PHOTO_FOLDERS})


def sort_by_content(files: Files, holds_labels: Callable[[str], bool]) -> Files:
    """The same files, renamed so that `pairs.match` tells photos from masks; `holds_labels` looks into one of them."""
    photos, masks = divide(files)
    if photos and masks:
        return files
    looked = cache(holds_labels)
    if not photos:
        return photos_of_groups(files, looked)
    beside = masks_beside_photos(files, looked)
    return beside if beside != files else masks_of_groups(files, looked)


def masks_beside_photos(files: Files, holds_labels: Callable[[str], bool]) -> Files:
    """Of files such as a.jpg and a.png in one folder those are masks whose ending goes with labels, if one does."""
    groups: dict[tuple[int, tuple[str, ...]], dict[str, dict[str, str]]] = {}
    for file, (number, name) in sorted(files.items()):
        path = PurePosixPath(name)
        stems = groups.setdefault((number, path.parts[:-1]), {})
        stems.setdefault(plain(stem_of(name)), {})[path.suffix.lower()] = file
    renamed, budget = dict(files), MOST_LOOKED_INTO
    for (number, folder), stems in groups.items():
        pairs = [stems[stem] for stem in sorted(stems) if len(stems[stem]) == 2]
        looked = pairs[:LOOKED_INTO]
        if not looked or budget < 2 * len(looked):
            continue
        budget -= 2 * len(looked)
        endings = [[ending for ending, file in pair.items() if holds_labels(file)] for pair in looked]
        if any(found != endings[0] or len(found) != 1 for found in endings):
            continue
        for file in (pair[endings[0][0]] for pair in pairs if endings[0][0] in pair):
            renamed[file] = (number, "/".join((*folder, "masks", PurePosixPath(files[file][1]).name)))
    return renamed


def masks_of_groups(files: Files, holds_labels: Callable[[str], bool]) -> Files:
    """Groups whose files all have the names of another group's, and hold labels where the others do not, are masks."""
    groups, renamed, budget = grouped(files), dict(files), MOST_LOOKED_INTO
    for one, other in permutations(groups, 2):
        shared = sorted(groups[one].keys() & groups[other].keys())[:LOOKED_INTO]
        if not shared or groups[other].keys() - groups[one].keys() or budget < 2 * len(shared):
            continue
        budget -= 2 * len(shared)
        if all(holds_labels(groups[other][stem]) and not holds_labels(groups[one][stem]) for stem in shared):
            number, folder = one
            for file in groups[other].values():
                renamed[file] = (number, "/".join((*folder, "masks", PurePosixPath(files[file][1]).name)))
    return renamed


def photos_of_groups(files: Files, holds_labels: Callable[[str], bool]) -> Files:
    """Groups in folders of masks whose files hold no labels are photos."""
    renamed = dict(files)
    for (number, folder), group in grouped(files).items():
        if not any(holds_labels(file) for file in sorted(group.values())[:LOOKED_INTO]):
            parts = [part for part in folder if not lies_with_masks(f"{part}/a")]
            for file in group.values():
                renamed[file] = (number, "/".join((*parts, "images", PurePosixPath(files[file][1]).name)))
    return renamed


def grouped(files: Files) -> dict[tuple[int, tuple[str, ...]], dict[str, str]]:
    """{(upload, folder): {stem: file}}; of two files of one stem the first."""
    groups: dict[tuple[int, tuple[str, ...]], dict[str, str]] = {}
    for file, (number, name) in sorted(files.items()):
        folder = PurePosixPath(name).parts[:-1]
        groups.setdefault((number, folder), {}).setdefault(plain(stem_of(name)), file)
    return groups
