"""What a label image's file holds, before it is known what the values mean: whole numbers or colours.

Bit depth and container are the writing program's choice and are undone here: ids in 1, 2, 4, 8 or 16 bits, with alpha
or three times over come out alike. JPEG and other lossy files are refused, since their values are no labels any more.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from zoo.images.photo import ImageError, open_image
from zoo.text import Message

LOSSLESS = ("PNG", "GIF", "BMP", "TIFF")
WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class Stored:
    """A label image as its file holds it, upright: `pixels` (H, W) uint8, or (H, W, 3) uint8 where it is in colours.

    palette: (256, 3) uint8 of an indexed image, black beyond its end; None where the file has none.
    """

    pixels: np.ndarray
    palette: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1::-1]

    @cached_property
    def levels(self) -> np.ndarray | None:
        """(H, W) uint8 of a colour image that is grey all over, as of ids written three times; None for others."""
        red = self.pixels[..., 0] if self.pixels.ndim == 3 else None
        return red if red is not None and (self.pixels == red[..., None]).all() else None


def read_stored(source: bytes | str | Path) -> Stored:
    """Read a label image. Raises ImageError for lossy formats, transparent pixels and numbers beyond 255."""
    image = open_image(source)
    if image.format not in LOSSLESS or image.info.get("compression") == "jpeg":
        raise ImageError(Message("error_truth_lossy", format=image.format))
    step = grey_step(image)
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
        pixels = np.asarray(image)
    except Exception as error:  # truncated or damaged data; what a decoder raises depends on the format
        raise ImageError(Message("error_damaged")) from error
    if image.mode == "P":
        return Stored(pixels, palette_of(image))
    if image.mode in WIDE_MODES:
        return Stored(narrow(pixels))
    if image.mode in ("1", "L"):
        return Stored(pixels.astype(np.uint8) // step)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        opaque = np.asarray(image.getchannel("A"))
        if (opaque < 255).any():
            raise ImageError(Message("error_truth_transparent"))
    if image.mode == "LA":
        return Stored(pixels[..., 0])
    return Stored(np.asarray(image.convert("RGB")))


def grey_step(image: Image.Image) -> int:
    """By how much Pillow spreads grey values of few bits: 85 for 2 bits, 17 for 4, 1 for all others."""
    tile = image.tile[0] if image.tile else None
    arguments = tile[3] if tile else None
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return {"L;2": 85, "L;4": 17}.get(raw, 1) if image.mode == "L" else 1


def palette_of(image: Image.Image) -> np.ndarray:
    """(256, 3) uint8 colours of an indexed image."""
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
    return np.concatenate([colours, np.zeros((256 - len(colours), 3), np.uint8)])


def narrow(pixels: np.ndarray) -> np.ndarray:
    """16- and 32-bit numbers as uint8, those that stand for 8 bits spread over 16 (k * 257) brought back.

    Raises ImageError for anything that is no whole number from 0 to 255.
    """
    wide = pixels.astype(np.float64)
    if wide.max(initial=0) > 255 and wide.max(initial=0) <= 65535 and not (wide % 257).any():
        wide = wide / 257
    wrong = wide[(wide < 0) | (wide > 255) | (wide % 1 != 0)]
    if wrong.size:
        raise ImageError(Message("error_truth_wide", value=f"{wrong[0]:g}"))
    return wide.astype(np.uint8)
