"""Whole requests: what decoding, resizing and encoding add to the network, and how area costs."""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.benchmark.measure import Row, Settings
from zoo.images.examples import examples
from zoo.models.segmentation import segment
from zoo.models.timing import in_turns
from zoo.places import REPOSITORY

CAMERA = (4000, 3000)  # 12 megapixels
MEGAPIXELS = (0.05, 0.2, 0.8, 3.0, 12.0)


def camera_photo(size: tuple[int, int]) -> bytes:
    """A JPEG of this size from an example, with the grain that a camera's photo has."""
    with Image.open(examples()[0].photo) as example:
        pixels = np.asarray(example.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.int16)
    grain = np.random.default_rng(0).integers(-4, 5, pixels.shape[:2], np.int16)[..., None]
    with io.BytesIO() as buffer:
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        return buffer.getvalue()


def whole_requests(settings: Settings) -> list[Row]:
    """From the uploaded file to the masks' PNGs, of one checkpoint and of all that are bundled, against the network.

    The page measures itself, in a process of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "photo.jpg"
        camera.write_bytes(camera_photo((200, 150) if settings.quick else CAMERA))
        command = [sys.executable, "-m", "zoo.page.profile", "times", str(camera)]
        command += ["--checkpoint", settings.checkpoint, "--rounds", str(settings.rounds)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    seconds = json.loads(done.stdout)
    added, checkpoints = 1000 * (seconds["one"] - seconds["one bare"]), seconds["checkpoints"]
    return [
        Row(f"{camera_size(settings)} JPEG to PNGs, one checkpoint", 1000 * seconds["one"], "ms"),
        Row("of which its forward pass", 1000 * seconds["one bare"], "ms"),
        Row("whole request minus the forward pass", added, "ms", "<= 60"),
        Row(
            "three checkpoints at their working size / at the displayed size",
            seconds["ladder"] / seconds["ladder displayed"],
            goal="<= 0.75",
        ),
        Row(f"example to PNGs, {checkpoints} checkpoints", 1000 * seconds["all"], "ms"),
        Row(f"sum of {checkpoints} forward passes", 1000 * seconds["all bare"], "ms"),
        Row("whole request / sum of the forward passes", seconds["all"] / seconds["all bare"], goal="<= 1.15"),
    ]


def camera_size(settings: Settings) -> str:
    """The size of the large photo in words."""
    return "small" if settings.quick else f"{CAMERA[0] * CAMERA[1] / 1e6:.0f}-megapixel"


def area(settings: Settings) -> list[Row]:
    """Time per megapixel from small to large photos at their own size, and how far it strays from linear."""
    sizes = MEGAPIXELS[:2] if settings.quick else MEGAPIXELS
    shapes = {size: tuple(round((size * 1e6 * ratio) ** 0.5 / 32) * 32 for ratio in (3 / 4, 4 / 3)) for size in sizes}
    random = np.random.default_rng(0)
    pixels = {size: random.integers(0, 256, (*shape, 3), np.uint8) for size, shape in shapes.items()}
    # One size after the other: right after a much larger photo, a small one waits for memory.
    functions = [{size: lambda size=size: segment(settings.model, pixels[size], size="full")} for size in sizes]
    seconds = [in_turns(function, settings.rounds)[size] for function, size in zip(functions, sizes, strict=True)]
    areas = [shapes[size][0] * shapes[size][1] / 1e6 for size in sizes]
    rates = {size: 1000 * time / area for size, time, area in zip(sizes, seconds, areas, strict=True)}
    rows = [Row(f"{size} megapixels", rate, "ms per megapixel") for size, rate in rates.items()]
    middle = (max(rates.values()) + min(rates.values())) / 2
    return [*rows, Row("largest deviation from linear", max(rates.values()) / middle - 1, goal="<= 0.15")]
