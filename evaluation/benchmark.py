"""How fast this code is, measured on the machine that runs it. `python -m evaluation.benchmark CHECKPOINT --data DIR`.

Each section is a function from Settings to rows; a new measure is one more entry of SECTIONS. What is compared is
measured in turns and the medians over the rounds count, so that a busy machine slows all alike.
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from evaluation.bootstrap import RESAMPLES, miou_statistic, resample
from evaluation.cost import device_name, synchronize
from evaluation.counts import Counts
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.evaluate import (
    PRECISIONS,
    EvaluationError,
    at_size,
    batches,
    count_image,
    evaluate,
    forward,
    inference,
    intra_op_threads,
    predict,
)
from evaluation.provenance import environment
from evaluation.sources import open_source
from zoo.checkpoint import CheckpointError


@dataclass(frozen=True)
class Settings:
    """What is measured, and for how long."""

    model: torch.nn.Module
    dataset: SegmentationDataset
    device: torch.device
    precision: str
    batch_size: int
    rounds: int


@dataclass(frozen=True)
class Row:
    """One measured value; `goal` says what it should be, if anything."""

    what: str
    value: float
    unit: str = ""
    goal: str = ""


def evaluation_rate(settings: Settings) -> list[Row]:
    """Images/s from files to counts against the bare forward pass, and what counting takes of the time."""
    options = {name: getattr(settings, name) for name in ("device", "precision", "batch_size")}
    ready = list(batches(settings.dataset, range(len(settings.dataset)), settings.batch_size, workers=2))
    bare, whole, share = [], [], []
    for _ in range(settings.rounds):
        bare.append(_bare_rate(settings, ready))
        _, seconds = evaluate(settings.model, settings.dataset, **options)
        whole.append(len(settings.dataset) / seconds)
        share.append(_counting_share(settings, ready))
    ratios = [end / start for end, start in zip(whole, bare, strict=True)]
    return [
        Row("bare forward pass", statistics.median(bare), "images/s"),
        Row("files to counts", statistics.median(whole), "images/s"),
        Row("files to counts, of the bare forward pass", statistics.median(ratios), goal=">= 0.85"),
        Row("counting, of the time on one core", statistics.median(share), goal="< 0.05"),
    ]


def _bare_rate(settings: Settings, ready) -> float:
    """Images/s of the model alone on images that are in memory, with all threads in one operator."""
    with inference(settings.model):
        start = time.perf_counter()
        for batch in ready:
            forward(settings.model, batch.images, settings.device, settings.precision)
        synchronize(settings.device)
        return sum(len(batch.indices) for batch in ready) / (time.perf_counter() - start)


def _counting_share(settings: Settings, ready) -> float:
    """Counting divided by everything that happens to an image in memory, on one CPU thread."""
    labels = settings.dataset.labels
    counts, counting, total = Counts.zeros(len(settings.dataset), len(labels.classes)), 0.0, 0.0
    with intra_op_threads(1), inference(settings.model):
        for batch in ready[: max(1, 10 // settings.batch_size)]:
            start = time.perf_counter()
            logits = forward(settings.model, batch.images, settings.device, settings.precision)
            for index, image_logits, mask in zip(batch.indices, logits, batch.masks, strict=True):
                answer = predict(at_size(image_logits, mask.shape), settings.dataset.image_ids[index])
                middle = time.perf_counter()
                count_image(counts, index, *answer, mask, labels)
                counting += time.perf_counter() - middle
            total += time.perf_counter() - start
    return counting / total


def bootstrap_seconds(settings: Settings) -> list[Row]:
    """Seconds for 10 000 resamples of 233 images, the size of CamVid's test split."""
    classes = len(settings.dataset.labels.classes)
    matrices = np.random.default_rng(0).integers(0, 10_000, (233, classes, classes))
    rows = []
    for kind, block in (("images", 0), ("blocks of frames", 10)):
        seconds = []
        for _ in range(settings.rounds):
            start = time.perf_counter()
            resample(("",) * 233, miou_statistic(matrices), block=block, resamples=RESAMPLES)
            seconds.append(time.perf_counter() - start)
        rows.append(Row(f"{RESAMPLES} resamples over {kind}", statistics.median(seconds), "s", "< 1"))
    return rows


SECTIONS = {"evaluation": evaluation_rate, "bootstrap": bootstrap_seconds}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmark", description=__doc__)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="as for python -m evaluation")
    parser.add_argument("--dataset", default="camvid")
    parser.add_argument("--data", metavar="DIR", required=True, help="folder that holds the dataset")
    parser.add_argument("--split", default="val")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--images", type=int, default=40, help="images of the split that are used (default: 40)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default: 3)")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--out", metavar="FILE", default="benchmark.json", help="JSON file (default: benchmark.json)")
    options = parser.parse_args(arguments)
    try:
        dataset = _first_images(open_dataset(options.dataset, options.data, options.split), options.images)
        source = open_source(options.checkpoint, dataset.labels, device=options.device)
    except (CheckpointError, DatasetError, EvaluationError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    device = torch.device(options.device)
    settings = Settings(source.model, dataset, device, options.precision, options.batch_size, options.rounds)
    found = {name: SECTIONS[name](settings) for name in options.sections}
    shown = f"{options.precision}, batch {options.batch_size}, {torch.get_num_threads()} CPU threads"
    print(f"{source.name}, {len(dataset)} images of {dataset.labels.title} {dataset.split}")
    print(f"{device_name(device)}, {shown}")
    for name, rows in found.items():
        print(f"\n{name}")
        for row in rows:
            goal = f"  (goal: {row.goal})" if row.goal else ""
            print(f"  {row.what:45}{row.value:9.3f} {row.unit}{goal}")
    document = {"checkpoint": source.name, "device": device_name(device), "settings": shown}
    document |= {"sections": {name: [asdict(row) for row in rows] for name, rows in found.items()}}
    document |= {"environment": environment("python -m evaluation.benchmark")}
    path = Path(options.out)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    print(f"\nwritten {path}")
    return 0


def _first_images(dataset: SegmentationDataset, count: int) -> SegmentationDataset:
    names = ("image_ids", "sequences", "image_paths", "mask_paths")
    return replace(dataset, **{name: getattr(dataset, name)[:count] for name in names})


if __name__ == "__main__":
    sys.exit(main())
