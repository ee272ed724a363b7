"""Image in, mask out: `segment` shows a photo to a model at the size that the model knows, and labels every pixel."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zoo.models.engine import Engine
from zoo.models.labelling import Size
from zoo.models.preparation import engine_of
from zoo.working_size import network_side, resize_photo

if TYPE_CHECKING:
    from zoo.models.fcn import FCN

# What the drivers of NVIDIA (Linux, WSL, Windows) and AMD put on a machine that has a GPU.
GPU_DEVICES = ("/dev/nvidiactl", "/dev/dxg", r"C:\Windows\System32\nvcuda.dll", "/dev/kfd")


@dataclass(frozen=True)
class Segmentation:
    """Mask (H, W) uint8 of class ids, confidence (H, W) float32 in [0, 1], milliseconds from pixels to both.

    precision: 'fp32', 'bf16' or 'int8', in which the network worked; working_size: (width, height) of what it saw;
    distance: how far the photo lies from the training photos, above 1 it is unlike any of them; None where the
    checkpoint does not tell.
    """

    mask: np.ndarray
    confidence: np.ndarray
    milliseconds: float
    precision: str
    working_size: tuple[int, int]
    distance: float | None = None


def segment(
    model: FCN | Engine,
    image: Image.Image | np.ndarray,
    *,
    size: str | int = "trained",
    mask_size: tuple[int, int] | None = None,
    precision: str = "auto",
) -> Segmentation:
    """Label every pixel of an RGB image (PIL, or (H, W, 3) uint8) at the image's own size, on the model's device.

    `size` is what the network sees: 'trained' is its checkpoint's working size, the image's own where the model has
    none; 'larger', 'full' (the image's own) and a long side in pixels are the other choices. The logits are resized
    to the image's size, or to `mask_size` (width, height).
    `precision` is 'fp32', 'bf16', or 'auto': bf16 where the processor multiplies it natively, two to three times as
    fast and of the same mask but for a few pixels in a thousand, float32 elsewhere; or 'int8', for an FCN whose folder
    has ranges (`python -m zoo ranges`). An `Engine` has its own precision.
    Confidence is the softmax probability of the winning class. Raises ValueError for another size or precision, for
    'int8' without ranges of these weights, and when the model returns numbers that are not finite.
    """
    engine = model if isinstance(model, Engine) else engine_of(model, precision)
    begin = time.perf_counter()
    photo = image if isinstance(image, Image.Image) else Image.fromarray(image)
    photo = photo if photo.mode == "RGB" else photo.convert("RGB")
    seen = resize_photo(photo, network_side(engine.working_size, photo.size, size))
    resizing = 1000 * (time.perf_counter() - begin)
    width, height = mask_size or photo.size
    mask, confidence, milliseconds, distance = judge(engine, np.array(seen), (height, width))
    return Segmentation(mask, confidence, resizing + milliseconds, engine.precision, seen.size, distance)


def judge(engine: Engine, pixels: np.ndarray, size: Size) -> tuple[np.ndarray, np.ndarray, float, float | None]:
    """Mask (H, W) uint8, confidence (H, W) float32, milliseconds and distance for (h, w, 3) uint8 pixels.

    The logits are resized to `size` (H, W). Raises ValueError when the network returns numbers that are not finite.
    """
    begin = time.perf_counter()
    features = engine.features(pixels)
    mask, confidence = engine.output.label(engine.maps(features)[-1][1], pixels.shape[:2], size)
    milliseconds = 1000 * (time.perf_counter() - begin)
    known = engine.domain
    return mask, confidence, milliseconds, float(known.distance(engine.descriptor(features))) if known else None


def best_device() -> str:
    """'cuda' where torch finds a GPU, otherwise 'cpu'. Torch is not asked where the system has no driver of one."""
    has_driver = "spaces" in sys.modules or any(Path(device).exists() for device in GPU_DEVICES)
    if find_spec("torch") is None or not has_driver:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
