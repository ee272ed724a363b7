"""`python -m evaluation.datasets import FORMAT SOURCE OUT`: an annotation tool's export becomes a data set to train on.

Writes OUT/train, OUT/val (images/ and masks/ in each) and OUT/classes.txt, which training and evaluation read with
`--dataset folder --data OUT`. An existing OUT is never touched, and a refused import leaves nothing behind.
"""

import argparse
import re
import shlex
import sys
from pathlib import Path

from tqdm import tqdm

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers import IMPORTERS, format_name, read_project
from evaluation.datasets.importers.project import VOID, Options, Project
from evaluation.datasets.importers.writing import SPLITS, Written, write_project
from zoo.numbers import more_than_zero
from zoo.text import counted


def arguments_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.datasets import",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="formats:\n" + "\n".join(f"  {name:<18}{entry.title}" for name, entry in IMPORTERS.items()),
    )
    parser.add_argument("format", type=format_name, choices=IMPORTERS, metavar="FORMAT", help="one of those below")
    parser.add_argument("source", metavar="SOURCE", help="the export: a folder or file; a Hub id for huggingface")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that is made")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the photos, where SOURCE lacks them")
    parser.add_argument("--classes", type=Path, metavar="FILE", help="classes, one a line, in the order of their ids")
    parser.add_argument(
        "--void", action="append", default=[], metavar="LABEL", help="label that becomes void (repeatable)"
    )
    parser.add_argument("--unlabelled", choices=("background", "void"), help="what pixels that no shape covers become")
    parser.add_argument(
        "--split", default="auto", metavar="HOW", help="a fraction for val, or subsets; by default subsets, else 0.2"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the fraction (default: 0)")
    parser.add_argument("--group", metavar="REGEX", help="finds the sequence in a photo's name; none is ever divided")
    parser.add_argument(
        "--drawn-on", choices=("upright", "stored"), default="upright",
        help="whether the tool turned photos upright by their EXIF orientation (default: upright)",
    )  # fmt: skip
    parser.add_argument(
        "--columns", nargs=2, metavar=("IMAGE", "MASK"), help="huggingface: the columns (default: found by their type)"
    )
    parser.add_argument("--revision", help="huggingface: commit, branch or tag of the Hub's data set")
    parser.add_argument(
        "--megabytes", type=more_than_zero, default=2000, help="huggingface: most that is downloaded or read"
    )
    return parser


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status: 0 done, 1 with one sentence on standard error, 130 interrupted."""
    given = arguments_parser().parse_args(arguments)
    options = Options(
        images=given.images,
        classes=given.classes,
        void=tuple(given.void),
        unlabelled=given.unlabelled,
        drawn_on=given.drawn_on,
        columns=tuple(given.columns) if given.columns else None,
        revision=given.revision,
        megabytes=given.megabytes,
    )
    try:
        project = read_project(given.format, given.source, options)
        choices = {"how": given.split, "seed": given.seed, "group": given.group, "drawn_on": given.drawn_on}
        with tqdm(project.samples, unit=" photos", mininterval=0.5, delay=1) as shown:
            written = write_project(project, given.out, **choices, each=shown)
    except DatasetError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left behind", file=sys.stderr)
        return 130
    print("\n".join(map(plain, summary(project, written))))
    command = shlex.join(["python", "-m", "evaluation.datasets", "check", "folder", "--data", str(given.out)])
    print(f"\n{given.out} is ready; check it with\n  {command}")
    return 0


def plain(text: str) -> str:
    """A line that a terminal shows as it is: control characters of names that an export brings are written out."""
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", lambda found: ascii(found[0])[1:-1], text
    )


def summary(project: Project, written: Written) -> list[str]:
    """What was imported, in lines: images and split, a table of classes, void, what is not in the masks."""
    splits = [name for name in SPLITS if written.images[name]]
    counts = ", ".join(f"{written.images[name]} {name}" for name in splits)
    lines = [
        f"{counted(sum(written.images.values()), 'photo')}: {counts}; {written.division}",
        f"classes: {project.order}",
        "",
    ]
    lines += table(written, splits)
    for sentence in project.void:
        lines.append(f"void: {sentence}")
    lines += [f"note: {note}" for note in project.notes]
    for reason, times in sorted(project.skipped.items()):
        lines.append(f"not in the masks: {times} x {reason}")
    for part in splits:
        absent = [name for value, name in enumerate(written.classes) if not written.pixels[part, value]]
        if absent:
            lines.append(f"warning: no pixel in {part} of {', '.join(absent)}")
    return lines


def table(written: Written, splits: list[str]) -> list[str]:
    """Rows of id, class, and per split its share of the pixels and the photos that hold it."""
    totals = {part: sum(written.pixels[part, value] for value in range(256)) for part in splits}
    width = max(len(name) for name in (*written.classes, "class"))
    lines = [f"{'id':>4}  {'class':<{width}}" + "".join(f"{part + ' pixels':>14}{'photos':>8}" for part in splits)]
    for value in [*range(len(written.classes)), VOID]:
        name = "void" if value == VOID else written.classes[value]
        cells = (
            f"{100 * written.pixels[part, value] / totals[part]:>12.2f} %{written.holding[part, value]:>8}"
            for part in splits
        )
        lines.append(f"{value:>4}  {name:<{width}}" + "".join(cells))
    return lines
