"""`python -m training.fold RUN ... --data DIR`: compare runs on the images that none of them was trained on.

Recipes are chosen here, and not on a validation split whose frames come from the videos that were trained on. Each
RUN is a folder that `python -m training --hold-out SEQUENCE` wrote; the others are compared with the first, on what
all of them left out. Runs joined by a comma are seeds of one row: its figures are their mean. Prints Markdown: mIoU in
per cent with its 95 % interval, the paired difference from the first row, the IoU of every class; `--out FILE` also
writes it as JSON.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.board.formats import percent
from evaluation.counting.bootstrap import both_intervals, miou_statistic
from evaluation.counting.confusion import Scores, scores, totals
from evaluation.datasets import SegmentationDataset
from evaluation.datasets.dataset import refuse_partial_labels
from evaluation.measuring.evaluate import confusion_matrices
from training import TrainingError
from training.documents import write_document
from training.recipe import Recipe
from training.splits import open_splits
from training.state import recorded_recipe
from zoo.checkpoints.folder import load_folder


@dataclass(frozen=True)
class HeldOutResult:
    """Seeds of a run, what they were trained on, and confusion matrices (seeds, n, C, C) int64 of the n `images`."""

    folders: tuple[Path, ...]
    recipe: Recipe
    trained_on: SegmentationDataset
    images: SegmentationDataset
    matrices: np.ndarray

    @property
    def seeds(self) -> list[Scores]:
        """Scores over all these images, of each seed."""
        return [scores(own, self.images.labels.classes) for own in self.matrices]

    @property
    def miou(self) -> float:
        """Mean over the seeds."""
        return float(np.mean([seed.miou for seed in self.seeds]))

    @property
    def class_iou(self) -> dict[str, float]:
        """Mean over the seeds, class by class; NaN where a seed has none."""
        return {name: float(np.mean([seed.class_iou[name] for seed in self.seeds])) for name in self.seeds[0].class_iou}

    def statistic(self, weights: np.ndarray) -> np.ndarray:
        """Mean mIoU of the seeds for weights (r, n) of the images."""
        return np.mean([miou_statistic(own)(weights) for own in self.matrices], axis=0)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mIoU."""
        low, high = both_intervals(self.images.sequences, self.statistic)["shown"]
        return float(low), float(high)


def read_run(folder: Path) -> Recipe:
    """The recipe of a finished run; TrainingError where the folder holds none or the run left out no sequence."""
    recipe = recorded_recipe(folder)
    if not recipe.hold_out:
        raise TrainingError(f"{folder}: was trained on every sequence; train it with --hold-out SEQUENCE")
    return recipe


def left_out_by_all(folders: list[Path], splits: list[tuple]) -> SegmentationDataset:
    """The held-out images of runs that all of them left out; TrainingError naming a run that shares none.

    `splits` are training and held-out images of each run.
    """
    _, common = splits[0]
    for folder, (_, images) in zip(folders, splits, strict=True):
        kept = [index for index, path in enumerate(common.image_paths) if path in set(images.image_paths)]
        if not kept:
            raise TrainingError(f"{folder}: left out other images than {folders[0]}; compare like with like")
        common = common.subset(kept)
    return common


def measure(rows: list[tuple[Path, ...]], data: Path) -> list[HeldOutResult]:
    """Evaluate runs on what all of them left out, float32; a row holds runs that differ by their seed alone."""
    recipes = {folder: read_run(folder) for row in rows for folder in row}
    for first, *others in rows:
        for folder in others:
            if replace(recipes[folder], seed=recipes[first].seed) != recipes[first]:
                raise TrainingError(f"{folder}: is no other seed of {first}; give it a row of its own")
    splits = {folder: open_splits(recipe, data) for folder, recipe in recipes.items()}
    images = left_out_by_all(list(splits), list(splits.values()))
    refuse_partial_labels(images)
    found = {
        folder: confusion_matrices(load_folder(folder), images, progress=True).numpy()
        for folder in dict.fromkeys(splits)
    }
    return [
        HeldOutResult(row, recipes[row[0]], splits[row[0]][0], images, np.stack([found[folder] for folder in row]))
        for row in rows
    ]


def changes(recipe: Recipe, first: Recipe) -> str:
    """The fields in which a recipe differs from the first, as flags."""
    before, values = first.to_dict(), recipe.to_dict()
    flags = [f"--{name.replace('_', '-')} {value}" for name, value in values.items() if value != before[name]]
    return " ".join(flags) or "-"


def compare(results: list[HeldOutResult]) -> pd.DataFrame:
    """One line a row, as text."""
    first, rows = results[0], []
    for result in results:
        names = ", ".join(folder.name for folder in result.folders)
        row = {"run": names, "changed": changes(result.recipe, first.recipe)}
        row |= {"mIoU": percent(result.miou), "95 %": " to ".join(map(percent, result.interval))}
        if len(result.folders) > 1:
            row["mIoU"] += f", s {percent(spread(result))}"
        row["difference"] = "-" if result is first else difference(result, first)
        rows.append(row | {name: percent(value) for name, value in result.class_iou.items()})
    return pd.DataFrame(rows, dtype=str)


def spread(result: HeldOutResult) -> float:
    """Standard deviation of the mIoU over the seeds."""
    return float(np.std([seed.miou for seed in result.seeds], ddof=1))


def paired(result: HeldOutResult, first: HeldOutResult) -> tuple[float, tuple[float, float]]:
    """mIoU minus that of the first, with the interval over resamples of the images that both share."""
    found = both_intervals(
        result.images.sequences, lambda weights: result.statistic(weights) - first.statistic(weights)
    )
    low, high = found["shown"]
    return result.miou - first.miou, (float(low), float(high))


def difference(result: HeldOutResult, first: HeldOutResult) -> str:
    """The paired difference in points."""
    value, (low, high) = paired(result, first)
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def document(results: list[HeldOutResult]) -> dict:
    """What `--out` writes: fractions in [0, 1], None where undefined; differences are from the first row.

    `counts` are true positives, labelled and predicted pixels by seed, image and class: all figures follow from them.
    """
    first, runs = results[0], []
    for result in results:
        value, ends = paired(result, first)
        run = {"names": [folder.name for folder in result.folders], "trained_on": result.trained_on.image_ids}
        run |= {"miou": result.miou, "interval": result.interval, "seeds": [seed.miou for seed in result.seeds]}
        run |= {"class_iou": result.class_iou, "difference": value, "difference_interval": ends}
        recipe = result.recipe.to_dict() | {"backbone_weights": Path(result.recipe.backbone_weights).name}
        runs.append(run | {"recipe": recipe, "counts": totals(result.matrices).tolist()})
    images = first.images
    dataset = {"name": images.name, "split": images.split, "sequences": sorted(set(images.sequences))}
    return {"dataset": dataset | {"scored": images.image_ids}, "runs": runs}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with what is wrong on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m training.fold", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, A,B for seeds; the first is the reference")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the dataset")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args(arguments)
    try:
        results = measure([tuple(map(Path, text.split(","))) for text in options.runs], options.data)
        if options.out:
            write_document(options.out, document(results))
    except (TrainingError, ValueError, OSError) as error:  # ValueErrors: data, checkpoints, models
        print(f"training.fold: {error}", file=sys.stderr)
        return 1
    print(compare(results).to_markdown(index=False, disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
