"""`python -m training.compare CHECKPOINT ... --dataset NAME --data DIR`: one table of checkpoints on one split.

Checkpoints joined by a comma are seeds of one row: its figures are their mean, with the spread beside it. Every row is
compared with the first on resamples of the same images. Where a dataset's masks label some classes alone, the
prediction stays among all classes and the mean is over those. `--rare CLASS` adds precision, recall and average
precision of a class, `--human FOLDER` a row for masks that another person drew of the same photos.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from evaluation.board.formats import percent
from evaluation.counting.bootstrap import both_intervals
from evaluation.counting.confusion import class_iou, confusion_matrix, mean_of_defined, ratio, totals
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.measuring.evaluate import at_size, forward, inference
from training.documents import write_document
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import load
from zoo.images.names import spelled

BINS = 1000  # of the probability in the precision-recall curve


@dataclass(frozen=True)
class Counts:
    """Per image: confusion matrices (n, C, C), and pixels (n, 2, BINS) by the probability of the rare class."""

    matrices: np.ndarray
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Row:
    """A line of the table: the counts of every seed; the loss and steps of its training where all seeds share them."""

    name: str
    seeds: list[Counts]
    loss: str | None = None
    steps: int | None = None


def count(model: torch.nn.Module, dataset: SegmentationDataset, rare: int | None) -> Counts:
    """Run the network over the split, float32, image by image."""
    classes, void = len(dataset.labels.classes), dataset.labels.void
    matrices = np.zeros((len(dataset), classes, classes), np.int64)
    probabilities = None if rare is None else np.zeros((len(dataset), 2, BINS), np.int64)
    with inference(model):
        for index in tqdm(range(len(dataset)), unit=" images", mininterval=2):
            mask = dataset.mask(index)
            image = torch.from_numpy(dataset.image(index)).permute(2, 0, 1)[None]
            logits = at_size(forward(model, image, "cpu", "fp32")[0], mask.shape)
            matrices[index] = confusion_matrix(logits.argmax(0), torch.from_numpy(mask), classes, void).numpy()
            if rare is not None:
                probability = logits.softmax(0)[rare].numpy()
                probabilities[index] = probability_counts(probability, mask, rare, void)
    return Counts(matrices, probabilities)


def probability_counts(probability: np.ndarray, mask: np.ndarray, rare: int, void: int) -> np.ndarray:
    """(2, BINS) int64: labelled pixels of the other classes, and of the rare one, by its probability (H, W)."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    return np.stack(
        [np.bincount(bins[part], minlength=BINS) for part in ((mask != void) & (mask != rare), mask == rare)]
    )


def human_counts(dataset: SegmentationDataset, folder: Path) -> Counts:
    """The counts of another person's masks: PNG files of the images' names that hold the same class ids."""
    paths = tuple(spelled(folder / f"{name}.png") for name in dataset.image_ids)
    other, classes, void = replace(dataset, mask_paths=paths), len(dataset.labels.classes), dataset.labels.void
    pairs = [(other.mask(index), dataset.mask(index)) for index in range(len(dataset))]
    matrices = [confusion_matrix(*map(torch.from_numpy, pair), classes, void).numpy() for pair in pairs]
    return Counts(np.stack(matrices), None)


def average_precision(pixels: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve (step-wise, as scikit-learn's) from (..., 2, BINS) pixel counts."""
    falling = pixels[..., ::-1].cumsum(-1)
    false, true = falling[..., 0, :], falling[..., 1, :]
    recall = ratio(true, true[..., -1:])
    steps = np.diff(recall, axis=-1, prepend=0)
    return np.nansum(np.nan_to_num(ratio(true, true + false)) * steps, axis=-1)


Statistic = Callable[[np.ndarray], np.ndarray]  # weights of images (r, n) -> (r,)


def statistics_of(counts: Counts, labelled: list[int], rare: int | None) -> dict[str, Statistic]:
    """{figure: its value for weights of the images}; those of the rare class where there is one."""
    parts = totals(counts.matrices)[..., labelled].astype(float)

    def summed(weights: np.ndarray) -> np.ndarray:
        return np.tensordot(weights, parts, 1)

    found: dict[str, Statistic] = {"mIoU": lambda weights: mean_of_defined(class_iou(summed(weights)))}
    if rare is None:
        return found
    place = labelled.index(rare)

    def share(of: int) -> Statistic:
        def value(weights):
            of_rare = summed(weights)[..., place]
            return ratio(of_rare[:, 0], of_rare[:, of])

        return value

    found["IoU"] = lambda weights: class_iou(summed(weights))[:, place]
    found |= {"precision": share(2), "recall": share(1)}
    if counts.probabilities is not None:
        pixels = counts.probabilities.astype(float)
        found["average precision"] = lambda weights: average_precision(np.tensordot(weights, pixels, 1))
    return found


def mean_statistic(row: Row, figure: str, labelled: list[int], rare: int | None) -> Statistic | None:
    """The figure's mean over the seeds of a row; None where a row has no such figure."""
    each = [statistics_of(seed, labelled, rare).get(figure) for seed in row.seeds]
    return None if None in each else lambda weights: np.mean([value(weights) for value in each], axis=0)


@dataclass(frozen=True)
class Figure:
    """A row's figure, fractions: mean over the seeds, 95 % interval, each seed's.

    `difference` is value, low and high minus the first row's, for the headline alone and not for that row.
    """

    value: float
    interval: tuple[float, float]
    seeds: tuple[float, ...]
    difference: tuple[float, float, float] | None = None

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds, None for one."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else None

    def text(self) -> str:
        """In per cent, with interval and spread."""
        shown = f"{percent(self.value)} ({percent(self.interval[0])} to {percent(self.interval[1])})"
        return shown if self.spread is None else f"{shown}, s {percent(self.spread)}"


def figures(row: Row, first: Row, dataset: SegmentationDataset, rare: int | None) -> dict[str, Figure]:
    """The row's figures by name; average precision is missing where there are no probabilities."""
    labelled, whole, found = labelled_ids(dataset), np.ones((1, len(dataset))), {}
    for name in ("mIoU",) if rare is None else ("mIoU", "IoU", "precision", "recall", "average precision"):
        statistic = mean_statistic(row, name, labelled, rare)
        if statistic is None:
            continue
        ends = tuple(float(end) for end in both_intervals(dataset.sequences, statistic)["shown"])
        each = tuple(float(statistics_of(seed, labelled, rare)[name](whole)[0]) for seed in row.seeds)
        gap = None
        if row is not first and name == headline(rare):
            gap = difference(statistic, mean_statistic(first, name, labelled, rare), dataset)
        found[name] = Figure(float(statistic(whole)[0]), ends, each, gap)
    return found


def headline(rare: int | None) -> str:
    """The figure whose difference from the first row is shown."""
    return "mIoU" if rare is None else "IoU"


def labelled_ids(dataset: SegmentationDataset) -> list[int]:
    """The ids of the classes that the masks label."""
    names = dataset.labels.classes
    return [names.index(name) for name in dataset.labelled or names]


def difference(statistic: Statistic, reference: Statistic, dataset: SegmentationDataset) -> tuple[float, float, float]:
    """A figure minus the first row's, with the interval over resamples of the images that both share."""

    def gap(weights: np.ndarray) -> np.ndarray:
        return statistic(weights) - reference(weights)

    low, high = both_intervals(dataset.sequences, gap)["shown"]
    return float(gap(np.ones((1, len(dataset))))[0]), float(low), float(high)


def table(rows: list[Row], found: list[dict[str, Figure]], dataset: SegmentationDataset, rare: int | None):
    """A data frame of text, one line a row: its figures, or mIoU and the IoU of every class without a rare one."""
    names, lines = dataset.labels.classes, []
    for row, own in zip(rows, found, strict=True):
        line = {"checkpoint": row.name, "seeds": str(len(row.seeds))}
        for name in found[0] | own:
            label = name if name == "mIoU" or rare is None else f"{name} of {names[rare]}"
            line[label] = own[name].text() if name in own else "-"
            if name == headline(rare):
                gap = own[name].difference
                low_high = "" if gap is None else f" ({100 * gap[1]:+.1f} to {100 * gap[2]:+.1f})"
                line["difference"] = "-" if gap is None else f"{100 * gap[0]:+.1f}{low_high}"
        if rare is None:
            iou = np.mean([class_iou(totals(seed.matrices.sum(0))) for seed in row.seeds], axis=0)
            line |= {names[index]: percent(iou[index]) for index in labelled_ids(dataset)}
        lines.append(line)
    return pd.DataFrame(lines, dtype=str)


def document(rows: list[Row], found: list[dict[str, Figure]], dataset: SegmentationDataset, rare: int | None) -> dict:
    """What `--out` writes; `counts` are true positives, labelled and predicted pixels by seed, image and class."""
    split = {"name": dataset.labels.name, "split": dataset.split, "images": list(dataset.image_ids)}
    split |= {"classes": list(dataset.labels.classes), "rare": None if rare is None else dataset.labels.classes[rare]}
    entries = [
        {
            "name": row.name,
            "loss": row.loss,
            "steps": row.steps,
            "figures": {name: asdict(figure) | {"spread": figure.spread} for name, figure in own.items()},
            "counts": [totals(seed.matrices).tolist() for seed in row.seeds],
        }
        for row, own in zip(rows, found, strict=True)
    ]
    return {"dataset": split, "rows": entries}


def rare_class(dataset: SegmentationDataset, name: str | None) -> int | None:
    """The id of the class; DatasetError where the data set has none of this name."""
    if name is None:
        return None
    known = dataset.labelled or dataset.labels.classes
    if name not in known:
        raise DatasetError(f"--rare {name}: no labelled class of {dataset.name}; it has {', '.join(known)}")
    return dataset.labels.classes.index(name)


def measure(text: str, dataset: SegmentationDataset, rare: int | None) -> Row:
    """A row of one checkpoint, or of several that are joined by commas."""
    seeds, infos = [], []
    for source in text.split(","):
        model = load(source)
        if model.config.classes != dataset.labels.classes:
            raise CheckpointError(f"{source}: has other classes than {dataset.labels.title}")
        infos.append(model.info)
        seeds.append(count(model, dataset, rare))
    loss, steps = shared([info.loss for info in infos]), shared([info.training.get("steps") for info in infos])
    return Row(shared([info.name for info in infos]) or text, seeds, loss, steps)


def shared(values: list):
    """The one value of a list whose values are all the same, else None."""
    return values[0] if len(set(values)) == 1 else None


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with what is wrong on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m training.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "checkpoints", nargs="*", metavar="CHECKPOINT", help="name, folder or OWNER/NAME; A,B for seeds"
    )
    parser.add_argument("--dataset", required=True, help="as in python -m evaluation")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the dataset")
    parser.add_argument("--split", default="val")
    parser.add_argument("--rare", metavar="CLASS", help="also precision, recall and average precision of this class")
    parser.add_argument("--human", type=Path, metavar="FOLDER", help="another person's masks of the same photos")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args(arguments)
    if not options.checkpoints and not options.human:
        parser.error("name a CHECKPOINT, or give another person's masks with --human")
    try:
        dataset = open_dataset(options.dataset, options.data, options.split)
        rare = rare_class(dataset, options.rare)
        rows = [measure(text, dataset, rare) for text in options.checkpoints]
        if options.human:
            rows.append(Row("another person", [human_counts(dataset, options.human)]))
        found = [figures(row, rows[0], dataset, rare) for row in rows]
        if options.out:
            write_document(options.out, document(rows, found, dataset, rare))
    except (ValueError, OSError) as error:  # ValueErrors are what data, checkpoints and models raise
        print(f"training.compare: {error}", file=sys.stderr)
        return 1
    print(table(rows, found, dataset, rare).to_markdown(index=False, disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
