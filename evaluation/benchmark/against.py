"""Another commit beside this one: `python -m evaluation.benchmark --against COMMIT [--data DIR] [--measures ...]`.

The commit is checked out into a temporary folder for as long as it takes. In each measure both work in processes of
their own and take turns, so that whatever else the machine does meets both; the ratio of their medians counts. Where
both compute an answer, the answers are compared too.
"""

import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.benchmark.both import MEASURES, ONCE, SHOWN, WARM_UP
from evaluation.benchmark.sides import AgainstError, Side, Wanted
from zoo.places import REPOSITORY


@dataclass(frozen=True)
class Ratio:
    """What a measure found: medians of both sides, this code's divided by the commit's, and the range over turns.

    `answers` says how alike the two answers were, '' where there are none.
    """

    what: str
    unit: str
    before: float
    now: float
    ratio: float
    lowest: float
    highest: float
    goal: float | None
    answers: str


@contextmanager
def both_sides(commit: str) -> Iterator[tuple[Side, Side]]:
    """The commit in a folder of its own, and this code as it lies here; AgainstError if there is no such commit."""
    git = ["git", "-C", str(REPOSITORY)]
    with tempfile.TemporaryDirectory(prefix="against-") as temporary:
        folder = Path(temporary) / "checkout"
        added = subprocess.run(
            [*git, "worktree", "add", "--detach", str(folder), commit], capture_output=True, text=True
        )
        if added.returncode:
            raise AgainstError(f"{commit}: cannot be checked out ({added.stderr.strip().splitlines()[-1]})")
        scratch = [Path(temporary) / name for name in ("before", "now")]
        for path in scratch:
            path.mkdir()
        try:
            yield Side(commit, folder, scratch[0]), Side("this code", REPOSITORY, scratch[1])
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(folder)], capture_output=True, check=True)


def compare(name: str, sides: tuple[Side, Side], wanted: Wanted) -> list[Ratio]:
    """Take turns in one measure, a single one where it takes minutes; a row for each of its figures."""
    warm_up, rounds = (0, 1) if name in ONCE else (WARM_UP, wanted.rounds)
    with ExitStack() as stack:
        turns = [stack.enter_context(MEASURES[name](side, wanted)) for side in sides]
        found = [[turn() for turn in turns] for _ in range(warm_up + rounds)][warm_up:]
    answers = compared(*(side.scratch / "answer.npy" for side in sides))
    rows = []
    for (measure, figure), (what, unit, goal) in SHOWN.items():
        if measure != name:
            continue
        before, now = ([pair[place][figure] for pair in found] for place in (0, 1))
        middle = statistics.median(before), statistics.median(now)
        ratios = [after / earlier for earlier, after in zip(before, now, strict=True)]
        rows.append(Ratio(what, unit, *middle, middle[1] / middle[0], min(ratios), max(ratios), goal, answers))
    return rows


def compared(before: Path, now: Path) -> str:
    """How alike two stored answers are, in words; both files are removed, '' where there are none."""
    if not (before.exists() and now.exists()):
        return ""
    first, second = np.load(before), np.load(now)
    before.unlink()
    now.unlink()
    if first.shape != second.shape:
        return f"answers of different shapes, {first.shape} and {second.shape}"
    if first.dtype.kind == "f":
        return f"losses differ by at most {np.max(np.abs(second / first - 1)):.1e} of themselves"
    return f"{100 * np.mean(first == second):.3f} % of the answers are equal"


def against(commit: str, names: list[str], wanted: Wanted) -> Iterator[tuple[str, list[Ratio]]]:
    """The rows of each measure, as they are found; AgainstError where one side cannot do what is measured."""
    with both_sides(commit) as sides:
        for name in names:
            yield name, compare(name, sides, wanted)


def line(row: Ratio) -> str:
    """A row as it is printed."""
    goal = f"  (goal: {row.goal})" if row.goal else ""
    digits = 0 if row.unit == "MB" else 3
    figures = f"{row.before:8.{digits}f} {row.now:8.{digits}f} {row.unit:3}"
    shown = f"  {row.what:52}{figures} {row.ratio:6.2f} ({row.lowest:.2f} to {row.highest:.2f}){goal}"
    return shown + (f"\n    {row.answers}" if row.answers else "")
