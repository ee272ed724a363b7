"""Evaluation against the bare forward pass, what counting takes of it, and the bootstrap."""

import statistics
import time

import numpy as np

from evaluation.benchmark.measure import Row, Settings
from evaluation.counting.bootstrap import RESAMPLES, miou_statistic, resample
from evaluation.counting.counts import Counts
from evaluation.measuring.cost import synchronize
from evaluation.measuring.evaluate import (
    at_size,
    batches,
    count_image,
    evaluate,
    forward,
    inference,
    intra_op_threads,
    predict,
)


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
