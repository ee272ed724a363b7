"""The list of classes of one's own data: `classes.txt`, or the list that a tool wrote with a colour for each class.

A list decides what every id means, so that nothing in it is guessed: what could be read in two ways is refused with
its line and what to do.
"""

import csv
import io
import re
from pathlib import Path

from evaluation.datasets.dataset import DatasetError
from zoo.labels import Colour, LabelSet, class_palette
from zoo.records import is_plain

LONGEST_NAME = 80  # of a class in a checkpoint's config.json
VOID = 255
NEAR_MISSES = ("classes.txt.txt", "classes", "class_names.txt", "labels.txt", "names.txt", "classes.csv", "obj.names")
Classes = tuple[tuple[str, ...], tuple[Colour, ...] | None]


def read_label_set(root: Path, base: Path) -> tuple[LabelSet, bool]:
    """The label set of an own folder `root` whose split lies in `base`, and whether its list gives colours.

    Raises DatasetError naming file and line.
    """
    found = [folder / name for name in READERS for folder in dict.fromkeys((base, root)) if (folder / name).is_file()]
    if not found:
        raise DatasetError(missing_list(root))
    same = [path for path in found if path.name == found[0].name]
    lists = [READERS[path.name](path) for path in same]
    if lists[0] != lists[-1]:
        raise DatasetError(f"{same[0]}: differs from {same[-1]}; keep one list of classes, in {root}")
    names, colours = lists[0]
    check_names(found[0], names)
    title = root.resolve().name or "folder"
    if not is_plain(title):
        raise DatasetError(f"{root}: name the folder without '<', '>' and control characters; its name is the data's")
    palette = colours or class_palette(names)
    try:
        return LabelSet(title.lower(), title, names, palette, VOID), colours is not None
    except ValueError as error:
        raise DatasetError(f"{found[0]}: {error}") from None


def missing_list(root: Path) -> str:
    """What to do about a folder without a list of classes."""
    names = {path.name.casefold(): path.name for path in root.iterdir() if path.is_file()}
    near = [names[name] for name in (*READERS, *NEAR_MISSES) if name in names]
    hint = f"; if {near[0]} is it, rename it" if near else "; write one class name a line, in the order of ids"
    return f"{root / 'classes.txt'}: file is missing{hint}"


def check_names(path: Path, names: tuple[str, ...]) -> None:
    """Raise DatasetError for a list that no checkpoint could carry or that leaves no second class."""
    if len(names) < 2:
        raise DatasetError(
            f"{path}: lists {len(names)} class; a segmentation tells at least two apart: on the first line name what "
            "id 0 is, such as 'background', on the next the class with id 1"
        )
    if len(names) > VOID:
        raise DatasetError(f"{path}: lists {len(names)} classes; ids have 8 bits and 255 is void, so 255 is the most")
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name in first:
            raise DatasetError(f"{path}: class {name!r} stands there twice (entries {first[name]} and {number})")
        first[name] = number
        if not is_plain(name, longest=LONGEST_NAME):
            raise DatasetError(
                f"{path}: class {name[:60]!r}: use at most {LONGEST_NAME} characters, without '<', '>' and control "
                "characters"
            )


def read_text(path: Path) -> str:
    """The text of a list: UTF-8, or what its byte order mark says. DatasetError for anything else."""
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DatasetError(f"{path}: line {line} is not UTF-8; save the file as UTF-8 in your editor") from None


def read_lines(path: Path) -> Classes:
    """classes.txt: one name a line; labelme's `__ignore__` in front is no class."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if lines and lines[0] == "__ignore__":
        lines = lines[1:]
    for number, line in enumerate(lines, start=1):
        if not line:
            raise DatasetError(
                f"{path}: line {number} is empty; write a name for every id, also for one that no mask holds, or leave "
                "the line out if the id does not exist"
            )
        if line.startswith("#"):
            raise DatasetError(f"{path}: line {number} starts with '#'; there are no comments, every line is a class")
    numbers = [re.match(r"(\d+)\s*[\s:;,.=\t)-]\s*\S", line) for line in lines]
    if all(numbers) and len({int(match[1]) - place for place, match in enumerate(numbers)}) == 1 and len(lines) > 1:
        raise DatasetError(f"{path}: the lines are numbered; write the names alone, the first line is id 0")
    if len(lines) == 1 and re.search(r"[,;\t]", lines[0]):
        raise DatasetError(f"{path}: has one line with several names; write one name a line, the first is id 0")
    return tuple(lines), None


def read_roboflow(path: Path) -> Classes:
    """Roboflow's `_classes.csv`: a heading, then id and name a line, ids from 0 without a gap."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(read_text(path))) if any(row)]
    names = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 2 or row[0] != str(len(names)):
            raise DatasetError(f"{path}: line {number} should read '{len(names)}, NAME', has {', '.join(row)[:80]!r}")
        names.append(row[1])
    return tuple(names), None


def read_labelmap(path: Path) -> Classes:
    """CVAT's and datumaro's `labelmap.txt`: `name:R,G,B:parts:actions` a line, in the order of ids."""
    pattern = re.compile(r"(?P<name>[^:]+):(?P<red>\d+),(?P<green>\d+),(?P<blue>\d+)(:.*)?")
    return read_colours(path, pattern, "NAME:R,G,B")


def read_label_colors(path: Path) -> Classes:
    """CamVid's and datumaro's `label_colors.txt`: `R G B name` a line, in the order of ids."""
    pattern = re.compile(r"(?P<red>\d+)\s+(?P<green>\d+)\s+(?P<blue>\d+)\s+(?P<name>.+)")
    return read_colours(path, pattern, "R G B NAME")


def read_colours(path: Path, pattern: re.Pattern, form: str) -> Classes:
    """A list with a colour for each class; lines that start with '#' are comments."""
    names, colours = [], []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = pattern.fullmatch(line.strip())
        if not match:
            raise DatasetError(f"{path}: line {number} should read '{form}', has {line[:80]!r}")
        colour = tuple(int(match[part]) for part in ("red", "green", "blue"))
        if max(colour) > 255 or colour in colours:
            raise DatasetError(f"{path}: line {number}: each class needs a colour of its own, numbers from 0 to 255")
        names.append(match["name"].strip())
        colours.append(colour)
    return tuple(names), tuple(colours)


READERS = {
    "classes.txt": read_lines,
    "_classes.csv": read_roboflow,
    "labelmap.txt": read_labelmap,
    "label_colors.txt": read_label_colors,
}
