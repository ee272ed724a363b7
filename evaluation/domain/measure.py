"""Distances of pictures from the training photos, AUROC and counts, and calibration where photos are spoilt."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from tqdm import tqdm

from evaluation.counting.calibration import UNIT, calibration, calibration_counts
from evaluation.counting.confusion import confusion_matrix, scores
from evaluation.datasets import SegmentationDataset
from evaluation.domain.photos import read
from zoo.models.engine import Engine
from zoo.models.segmentation import segment
from zoo.working_size import network_side, resize_photo


@dataclass(frozen=True)
class Told:
    """How well one family of pictures is told from streets: how many there are, how many lie beyond 1, and AUROC."""

    pictures: int
    beyond: int
    auroc: float


def descriptors(
    engines: dict[str, Engine], photos: list[Path | Image.Image], *, what: str = ""
) -> dict[str, np.ndarray]:
    """{checkpoint: (N, D) float32}: what `zoo.models.domain` knows of each photo, shown as on the page."""
    found = {name: [] for name in engines}
    for photo in tqdm(photos, desc=what, unit=" photos", mininterval=1):
        image = read(photo).convert("RGB")
        for name, engine in engines.items():
            seen = resize_photo(image, network_side(engine.working_size, image.size))
            found[name].append(engine.descriptor(engine.features(np.array(seen))))
    return {name: np.stack(rows) for name, rows in found.items()}


def auroc(streets: np.ndarray, others: np.ndarray) -> float:
    """Probability that a picture of another kind lies farther than a street; ties count half."""
    ordered = np.sort(streets)
    below = np.searchsorted(ordered, others, "left") + np.searchsorted(ordered, others, "right")
    return float(below.mean() / 2 / len(ordered))


def tell(streets: np.ndarray, others: np.ndarray) -> Told:
    """How well distances of `others` are told from those of `streets`."""
    return Told(len(others), int((others > 1).sum()), auroc(streets, others))


def enlarged(image: Image.Image) -> Image.Image:
    """As a camera of 3 megapixels would have it."""
    return resize_photo(image, 2016)


def blurred(image: Image.Image) -> Image.Image:
    """Out of focus: Gaussian blur of 2.5 pixels."""
    return image.filter(ImageFilter.GaussianBlur(2.5))


def at_night(image: Image.Image) -> Image.Image:
    """A quarter of the light, and less colour."""
    return ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(0.25)).enhance(0.6)


def noisy(image: Image.Image) -> Image.Image:
    """Gaussian noise of 25 grey levels, the same for every image of one size."""
    pixels = np.asarray(image, np.float32)
    grain = np.random.default_rng(0).normal(0, 25, pixels.shape)
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


CONDITIONS = {"as it is": lambda image: image, "enlarged": enlarged, "blur": blurred, "night": at_night, "noise": noisy}


def spoilt(engine: Engine, dataset: SegmentationDataset, condition: str) -> dict[str, float]:
    """mIoU, mean confidence, calibration error and mean distance of a split whose images are spoilt one way."""
    classes, void = dataset.labels.classes, dataset.labels.void
    matrix, counts, distances = np.zeros((len(classes),) * 2, np.int64), 0, []
    for index in tqdm(range(len(dataset)), desc=condition, unit=" photos", mininterval=1):
        image, truth = Image.fromarray(dataset.image(index)), np.array(dataset.mask(index))
        found = segment(engine, CONDITIONS[condition](image), mask_size=image.size)
        pair = torch.from_numpy(found.mask), torch.from_numpy(truth)
        matrix += confusion_matrix(*pair, len(classes), void).numpy()
        levels = (found.confidence * UNIT).round().astype(np.int64)
        counts = counts + calibration_counts(levels, found.mask, truth, void)
        distances.append(found.distance)
    pixels, _, confidence = counts.sum(0)
    return {
        "miou": scores(matrix, classes).miou,
        "confidence": confidence / UNIT / pixels,
        "calibration_error": calibration(counts)["expected_calibration_error"],
        "beyond": float(np.mean([distance is not None and distance > 1 for distance in distances])),
    }
