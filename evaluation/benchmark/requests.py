"""Whole requests in this process: what decoding, resizing and encoding add to the network, and how area costs."""

import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from evaluation.benchmark.measure import Row, Settings, in_turns
from zoo.catalog import Catalog, name_of
from zoo.comparison import MAXIMUM_PANELS, Once
from zoo.examples import examples
from zoo.offer import Offer
from zoo.segment import decode_image, segment
from zoo.settings import HubSettings

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
    """From the uploaded file to the masks' PNGs, of one checkpoint and of all that are bundled, against the network."""
    offer = Offer(Catalog(HubSettings()), lambda: {"rows": []})
    infos = {name_of(info): info for info in offer.infos.values() if info.source == "bundled"}
    names = list(infos)[:MAXIMUM_PANELS]
    engines = {name: offer.segmenter.model(infos[name]) for name in names}
    photos = {"camera": camera_photo((200, 150) if settings.quick else CAMERA), "example": examples()[0].photo}
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "photo.jpg"
        camera.write_bytes(photos["camera"])
        large, small = (torch.from_numpy(np.array(decode_image(path).image)) for path in (camera, photos["example"]))

        def request(path, chosen):
            offer.segmenter.results = Once(0)  # nothing is at hand
            for _ in offer.prepare(str(path), chosen).advance(offer.segmenter):
                pass

        seconds = in_turns(
            {
                "one bare": lambda: engines[settings.checkpoint](large),
                "one": lambda: request(camera, [settings.checkpoint]),
                "all bare": lambda: [engine(small) for engine in engines.values()],
                "all": lambda: request(photos["example"], names),
            },
            settings.rounds,
        )
    added = 1000 * (seconds["one"] - seconds["one bare"])
    size = f"{camera_size(settings)} JPEG"
    return [
        Row(f"{size} to PNGs, one checkpoint", 1000 * seconds["one"], "ms"),
        Row("of which its forward pass", 1000 * seconds["one bare"], "ms"),
        Row("whole request minus the forward pass", added, "ms", "<= 60"),
        Row(f"example to PNGs, {len(names)} checkpoints", 1000 * seconds["all"], "ms"),
        Row(f"sum of {len(names)} forward passes", 1000 * seconds["all bare"], "ms"),
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
    functions = [{size: lambda size=size: segment(settings.model, pixels[size])} for size in sizes]
    seconds = [in_turns(function, settings.rounds)[size] for function, size in zip(functions, sizes, strict=True)]
    areas = [shapes[size][0] * shapes[size][1] / 1e6 for size in sizes]
    rates = {size: 1000 * time / area for size, time, area in zip(sizes, seconds, areas, strict=True)}
    rows = [Row(f"{size} megapixels", rate, "ms per megapixel") for size, rate in rates.items()]
    middle = (max(rates.values()) + min(rates.values())) / 2
    return [*rows, Row("largest deviation from linear", max(rates.values()) / middle - 1, goal="<= 0.15")]
