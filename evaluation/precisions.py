"""`python -m evaluation.precisions CHECKPOINT ... --data DIR`: what `zoo.segment` costs and says at each precision.

For float32, bfloat16 where the processor multiplies it, and 8 bits where the checkpoint has ranges: milliseconds and
processor time of one image in turns, the share of pixels on which the masks are those of float32, and mIoU. The table
is Markdown. Ranges (`python -m zoo ranges`) must be those of photos that are not measured here.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch

from evaluation.counting.confusion import confusion_matrix, scores
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.datasets.dataset import refuse_partial_labels
from evaluation.exports import add_what_is_measured
from evaluation.measuring.cost import device_name
from evaluation.measuring.evaluate import EvaluationError, intra_op_threads, progress_bar
from evaluation.measuring.sources import open_source
from zoo.checkpoints.information import CheckpointError
from zoo.models import compiled
from zoo.models.engine import Engine
from zoo.models.preparation import prepared
from zoo.models.segmentation import segment
from zoo.numbers import at_least

PRECISIONS = ("fp32", "bf16", "int8")
WARM_UP = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        dataset = open_dataset(options.dataset, options.data, options.split)
        refuse_partial_labels(dataset)
        machine = f"{device_name(torch.device('cpu'))}, {options.threads} of its threads"
        height, width = dataset.image(0).shape[:2]
        count = min(options.images or len(dataset), len(dataset))
        print(f"{machine}; {width}x{height} pixels, medians of {options.rounds}; mIoU on {count} images of", end=" ")
        print(f"{dataset.labels.title} {dataset.split}.\n")
        print("| checkpoint | precision | ms | processor ms | / bf16 | same pixels | mIoU |")
        print("|:--|:--|--:|--:|--:|--:|--:|")
        for checkpoint in options.checkpoints:
            print_rows(checkpoint, dataset, count, options)
    except (CheckpointError, DatasetError, EvaluationError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def print_rows(checkpoint: str, dataset: SegmentationDataset, count: int, options: argparse.Namespace) -> None:
    """Measure one checkpoint on the first `count` images and print its rows. Raises ValueError without ranges."""
    model = open_source(checkpoint, dataset.labels).model
    with intra_op_threads(options.threads):
        possible = [precision for precision in PRECISIONS if compiled.can_run(precision)]
        engines = {precision: prepared(model, precision) for precision in possible}
        times = timed(engines, dataset.image(0), options.rounds)
        found = measure(engines, dataset, count)
    base = times.get("bf16", times["fp32"])[1]
    for precision, (wall, processor) in times.items():
        same, miou = found[precision]
        cells = f"{1000 * wall:.0f}", f"{1000 * processor:.1f}", f"{processor / base:.2f}"
        print(
            f"| {checkpoint} | {precision} | {' | '.join(cells)} | {100 * same:.2f} % | {100 * miou:.2f} % |",
            flush=True,
        )


def timed(engines: dict[str, Engine], image: np.ndarray, rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds and seconds of the processor, of each engine's `segment` of an image (H, W, 3) uint8, in turns."""
    taken = {name: [] for name in engines}
    for turn in range(WARM_UP + rounds):
        for name, engine in engines.items():
            begin, worked = time.perf_counter(), time.process_time()
            segment(engine, image)
            if turn >= WARM_UP:
                taken[name].append((time.perf_counter() - begin, time.process_time() - worked))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in taken.items()}
    return {name: (wall, processor) for name, (wall, processor) in medians.items()}


def measure(engines: dict[str, Engine], dataset: SegmentationDataset, count: int) -> dict[str, tuple[float, float]]:
    """Share of pixels on which each engine's masks are those of 'fp32', and its mIoU, both in [0, 1]."""
    labels, same, pixels = dataset.labels, dict.fromkeys(engines, 0), 0
    matrices = {name: torch.zeros(len(labels.classes), len(labels.classes), dtype=torch.int64) for name in engines}
    with progress_bar(count, sys.stderr.isatty()) as bar:
        for index in range(count):
            image, truth = dataset.image(index), torch.from_numpy(np.array(dataset.mask(index)))
            masks = {name: segment(engine, image).mask for name, engine in engines.items()}
            for name, mask in masks.items():
                matrices[name] += confusion_matrix(torch.from_numpy(mask), truth, len(labels.classes), labels.void)
                same[name] += int((mask == masks["fp32"]).sum())
            pixels += truth.numel()
            bar.update()
    return {name: (same[name] / pixels, scores(matrices[name], labels.classes).miou) for name in engines}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation.precisions", description=__doc__, allow_abbrev=False)
    parser.add_argument("checkpoints", metavar="CHECKPOINT", nargs="+", help="FCNs whose folders have ranges")
    add_what_is_measured(parser)
    parser.add_argument("--threads", type=at_least(1), default=1, help="CPU threads (default: 1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
