"""`python -m training.fold RUN ... --data DIR`: compare runs on the video sequences that none of them was trained on.

Recipes are chosen here, and not on a validation split whose frames come from the videos that were trained on. Each
RUN is a folder that `python -m training --hold-out SEQUENCE` wrote; the others are compared with the first. Prints
Markdown: mIoU in per cent with its 95 % interval, the paired difference from the first run, the IoU of every class.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.bootstrap import both_intervals, miou_statistic, paired_difference
from evaluation.datasets import SegmentationDataset
from evaluation.evaluate import confusion_matrices
from evaluation.formats import percent
from evaluation.metrics import Scores, scores
from training import TrainingError
from training.loop import open_splits
from training.recipe import Recipe
from training.state import recorded_recipe
from zoo.checkpoint import load_folder


@dataclass(frozen=True)
class HeldOutResult:
    """A run, and its per-image confusion matrices (n, C, C) int64 on the images that it left out."""

    folder: Path
    recipe: Recipe
    images: SegmentationDataset
    matrices: np.ndarray

    @property
    def scores(self) -> Scores:
        """Scores over all these images."""
        return scores(self.matrices, self.images.labels.classes)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mIoU."""
        low, high = both_intervals(self.images.sequences, miou_statistic(self.matrices))["shown"]
        return float(low), float(high)


def read_run(folder: Path) -> Recipe:
    """The recipe of a finished run; TrainingError where the folder holds none or the run left out no sequence."""
    recipe = recorded_recipe(folder)
    if not recipe.hold_out:
        raise TrainingError(f"{folder}: was trained on every sequence; train it with --hold-out SEQUENCE")
    return recipe


def measure(folder: Path, data: Path) -> HeldOutResult:
    """Evaluate a run on what it left out, float32."""
    recipe = read_run(folder)
    _, images = open_splits(recipe, data)
    matrices = confusion_matrices(load_folder(folder), images, progress=True)
    return HeldOutResult(folder, recipe, images, matrices.numpy())


def changes(recipe: Recipe, first: Recipe) -> str:
    """The fields in which a recipe differs from the first, as flags."""
    before, values = first.to_dict(), recipe.to_dict()
    flags = [f"--{name.replace('_', '-')} {value}" for name, value in values.items() if value != before[name]]
    return " ".join(flags) or "-"


def compare(results: list[HeldOutResult]) -> pd.DataFrame:
    """One row a run, as text; TrainingError unless all left out the same images."""
    first, rows = results[0], []
    for result in results:
        if result.images.image_ids != first.images.image_ids:
            raise TrainingError(f"{result.folder}: left out other images than {first.folder}; compare like with like")
        row = {"run": result.folder.name, "changed": changes(result.recipe, first.recipe)}
        row |= {"mIoU": percent(result.scores.miou), "95 %": " to ".join(map(percent, result.interval))}
        row["difference"] = "-" if result is first else difference(result, first)
        rows.append(row | {name: percent(value) for name, value in result.scores.class_iou.items()})
    return pd.DataFrame(rows, dtype=str)


def difference(result: HeldOutResult, first: HeldOutResult) -> str:
    """mIoU minus that of the first, with the interval over resamples of the images that both share."""
    low, high = paired_difference(result.matrices, first.matrices, result.images.sequences)
    return f"{100 * (result.scores.miou - first.scores.miou):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with what is wrong on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m training.fold", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders; the first is the reference")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the dataset")
    options = parser.parse_args(arguments)
    try:
        table = compare([measure(folder, options.data) for folder in options.runs])
    except (TrainingError, ValueError) as error:  # data, checkpoints and models raise subclasses of ValueError
        print(f"training.fold: {error}", file=sys.stderr)
        return 1
    print(table.to_markdown(index=False, disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
