"""How well does a checkpoint bear fog, darkness, motion blur, noise, JPEG and other scales?

mIoU and calibration of each kind at three levels. The kinds follow ImageNet-C (Hendrycks and Dietterich 2019), made
here with NumPy, SciPy and Pillow. What is random depends on the image's name, the kind and the level alone, so that
every checkpoint sees the same pixels.
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import zoom
from torch import nn
from tqdm import tqdm

from evaluation.counting.calibration import BINS, calibration, calibration_counts
from evaluation.counting.confusion import confusion_matrix
from evaluation.datasets import SegmentationDataset
from evaluation.measuring.evaluate import at_size, forward, inference, predict
from evaluation.measuring.sizes import counted

LEVELS = (1, 2, 3)
WIDTH = 480  # of images on which lengths in pixels are told; they grow with the image
CLEAN = "clean"


def fog(image: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """White haze of uneven density; `strength` is the share of white at its mean."""
    height, width = image.shape[:2]
    density = sum(
        zoom(generator.random((2**octave + 1,) * 2), (height / (2**octave + 1), width / (2**octave + 1)), order=1)
        / 2**octave
        for octave in range(1, 5)
    )
    share = np.clip(strength * density / density.mean(), 0, 0.95)[..., None]
    return image * (1 - share) + 235 * share


def dark(image: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Exposed by `strength` of the light, with the noise of few photons; the image's numbers are sRGB."""
    light = ((image / 255) ** 2.2) * strength
    photons = 2000.0
    return 255 * np.clip(generator.poisson(light * photons) / photons, 0, 1) ** (1 / 2.2)


def motion_blur(image: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Mean along a line of `strength` pixels (on images WIDTH wide), at most 30 degrees from the horizontal."""
    length = max(2, round(strength * image.shape[1] / WIDTH))
    angle = generator.uniform(-np.pi / 6, np.pi / 6)
    steps = np.linspace(-(length - 1) / 2, (length - 1) / 2, length)
    margin = length
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge").astype(np.float32)
    height, width = image.shape[:2]
    total = np.zeros(image.shape, np.float32)
    for step in steps:
        down, right = margin + round(step * np.sin(angle)), margin + round(step * np.cos(angle))
        total += padded[down : down + height, right : right + width]
    return total / length


def noise(image: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Normal noise with a standard deviation of `strength` of the range."""
    return image + 255 * generator.normal(0, strength, image.shape)


def jpeg(image: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Stored as JPEG with the quality `strength`, colours at half size."""
    with io.BytesIO() as buffer:
        Image.fromarray(image).save(buffer, "JPEG", quality=round(strength), subsampling=2)
        return np.asarray(Image.open(buffer).convert("RGB"))


def scale(image: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Shown at `strength` of its size, so that everything is smaller; logits are brought back to the mask's size."""
    size = tuple(max(1, round(side * strength)) for side in image.shape[1::-1])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption and its strength at each of LEVELS; `apply` takes (H, W, 3) uint8, strength, generator."""

    name: str
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    strengths: tuple[float, float, float]

    def __call__(self, image: np.ndarray, level: int, name: str) -> np.ndarray:
        """The image (H, W, 3) uint8 called `name`, corrupted at one of LEVELS; of another size for 'scale' alone."""
        generator = np.random.default_rng(zlib.crc32(f"{self.name}/{level}/{name}".encode()))
        found = self.apply(image, self.strengths[LEVELS.index(level)], generator)
        return np.clip(np.rint(found), 0, 255).astype(np.uint8)


CORRUPTIONS = (
    Corruption("fog", fog, (0.3, 0.5, 0.7)),
    Corruption("dark", dark, (0.25, 0.1, 0.04)),
    Corruption("motion blur", motion_blur, (7, 13, 21)),
    Corruption("noise", noise, (0.04, 0.08, 0.16)),
    Corruption("jpeg", jpeg, (30, 15, 7)),
    Corruption("scale", scale, (0.75, 0.5, 0.33)),
)


@dataclass
class Tally:
    """What was counted of one checkpoint, by (corruption, level): matrices (C, C) and calibration counts (BINS, 3)."""

    classes: int
    matrices: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    calibration: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)

    def add(self, key: tuple[str, int], prediction: np.ndarray, confidence: np.ndarray, mask: np.ndarray, void: int):
        """Count one prediction (H, W) with its confidence in units of 1 / UNIT against its mask."""
        pair = torch.from_numpy(prediction), torch.from_numpy(mask)
        self.matrices[key] = self.matrices.get(key, 0) + confusion_matrix(*pair, self.classes, void).numpy()
        counts = calibration_counts(confidence, prediction, mask, void)
        self.calibration[key] = self.calibration.get(key, np.zeros((BINS, 3), np.int64)) + counts

    def document(self) -> list[dict]:
        """JSON-ready entries, the clean images first; every figure follows from the whole numbers beside it."""
        strengths = {one.name: dict(zip(LEVELS, one.strengths, strict=True)) for one in CORRUPTIONS}
        return [
            {
                "corruption": name,
                "level": level,
                "strength": strengths.get(name, {}).get(level),
                **counted(matrix),
                "expected_calibration_error": calibration(self.calibration[name, level])["expected_calibration_error"],
                "calibration": self.calibration[name, level].ravel().tolist(),
            }
            for (name, level), matrix in self.matrices.items()
        ]


def shown(image: np.ndarray, name: str, corruptions: tuple[Corruption, ...] = CORRUPTIONS):
    """((corruption, level), image) of everything that is shown of one image, itself first."""
    yield (CLEAN, 0), image
    for corruption in corruptions:
        for level in LEVELS:
            yield (corruption.name, level), corruption(image, level, name)


def measure_corruptions(
    models: dict[str, nn.Module],
    dataset: SegmentationDataset,
    *,
    corruptions: tuple[Corruption, ...] = CORRUPTIONS,
    device: str = "cpu",
    precision: str = "fp32",
    progress: bool = False,
) -> dict[str, Tally]:
    """Count every model's masks on every image, clean and corrupted; all models see the same pixels."""
    labels = dataset.labels
    tallies = {name: Tally(len(labels.classes)) for name in models}
    for index in tqdm(range(len(dataset)), unit=" images", disable=not progress, mininterval=0.5):
        image, mask, image_id = dataset.image(index), np.array(dataset.mask(index)), dataset.image_ids[index]
        for key, pixels in shown(image, image_id, corruptions):
            tensor = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)
            for name, model in models.items():
                with inference(model):
                    logits = forward(model, tensor, device, precision)[0]
                    prediction, confidence = predict(at_size(logits, mask.shape), image_id)
                tallies[name].add(key, prediction, confidence, mask, labels.void)
    return tallies
