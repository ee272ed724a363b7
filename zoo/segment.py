"""Image file in, mask out: decode an upload safely, run a model on it, write the mask as an indexed PNG.

An upload is judged by its header before its pixels are decoded, so that an oversized file costs nothing. Whatever
cannot be used raises ImageError with a sentence for the person who sent it; whatever was done to the picture on the
way (first frame taken, made smaller) is said in the notes.
"""

from __future__ import annotations

import io
import warnings
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo.labels import LabelSet
from zoo.page import Message

if TYPE_CHECKING:
    from zoo.fcn import FCN
    from zoo.inference import PlainEngine

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # MPO: JPEGs of phones and 3D cameras
MAXIMUM_PIXELS = 64_000_000
LONG_SIDE = 1024
NEAR_ENOUGH = 0.95  # of the long side: a JPEG that its decoder brings to this size is not decoded larger and resized
FULL_LONG_SIDE = 8192  # these two bound memory where a photo is asked for at its own size
FULL_PIXELS = 16_000_000
SMALL_SIDE = 32
ROTATED_BY_90 = (5, 6, 7, 8)
EXIF_ORIENTATION = 0x0112


class ImageError(ValueError):
    """An upload that cannot be used; the message is for the person who sent it."""


@dataclass(frozen=True)
class Decoded:
    """An upload as the models see it: RGB image, what was done to it, and (width, height) as sent (upright)."""

    image: Image.Image
    notes: tuple[str, ...]
    original_size: tuple[int, int]

    @cached_property
    def jpeg(self) -> bytes:
        """The image as JPEG for display: only masks have to be exact."""
        return jpeg_bytes(self.image)


@dataclass(frozen=True)
class Segmentation:
    """Mask (H, W) uint8 of class ids, confidence (H, W) float32 in [0, 1], milliseconds from pixels to both.

    precision: 'fp32' or 'bf16', in which the network worked.
    """

    mask: np.ndarray
    confidence: np.ndarray
    milliseconds: float
    precision: str


def open_image(source: bytes | str | Path) -> Image.Image:
    """Read the header of an image file (bytes or path), no pixels. Raises ImageError; see `FORMATS`, `MAXIMUM_PIXELS`.

    Formats are a fixed list: Pillow would hand others to external programs or to rarely used decoders.
    """
    if source in (None, b"", ""):
        raise ImageError(Message("error_no_image"))
    Image.init()
    content = source if isinstance(source, bytes) else Path(source).read_bytes()  # no file stays open on an error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images and odd metadata; both are handled here
            formats = [name for name in FORMATS if name in Image.OPEN]
            image = Image.open(io.BytesIO(content), formats=formats)
    except Image.DecompressionBombError:
        most = round(2 * Image.MAX_IMAGE_PIXELS / 1e6)
        raise ImageError(too_large(f"> {most}")) from None
    except UnidentifiedImageError:
        raise ImageError(Message("error_not_an_image")) from None
    except Exception as error:  # a damaged header can make a decoder fail in many ways
        raise ImageError(Message("error_damaged")) from error
    if image.width * image.height > MAXIMUM_PIXELS:
        raise ImageError(too_large(f"{image.width * image.height / 1e6:.0f}"))
    return image


def too_large(megapixels: str) -> Message:
    """The refusal of an image of so many megapixels."""
    return Message("error_too_large", megapixels=megapixels, limit=MAXIMUM_PIXELS // 1_000_000)


def decode_image(source: bytes | str | Path, long_side: int = LONG_SIDE) -> Decoded:
    """Decode an upload (file content or path) to RGB, upright, its long side at most `long_side` pixels.

    A larger one gets a long side of `long_side`, or of `NEAR_ENOUGH` of it where that spares a JPEG most of the work.

    `FULL_LONG_SIDE` keeps most photos at their own size; none keeps more than `FULL_PIXELS` pixels.
    Animations give their first frame, transparency is laid on white, 16-bit greys are scaled to 8 bits. Raises
    ImageError for anything that is not a whole image of at most `MAXIMUM_PIXELS`.
    """
    image = open_image(source)
    notes = []
    if image.format != "MPO" and getattr(image, "is_animated", False):
        notes.append(Message("note_first_frame"))
    width, height = image.size
    long_side = min(long_side, int(max(width, height) * min(1, FULL_PIXELS / (width * height)) ** 0.5))
    try:
        if image.getexif().get(EXIF_ORIENTATION) in ROTATED_BY_90:
            width, height = height, width
        if image.format == "JPEG":  # its decoder leaves out detail that the reduction would drop, by these factors
            factor = next(k for k in (8, 4, 2, 1) if k == 1 or max(image.size) >= k * NEAR_ENOUGH * long_side)
            image.draft(image.mode, tuple(side // factor for side in image.size))
        image = ImageOps.exif_transpose(to_rgb(image, notes))
    except ImageError:
        raise
    except Exception as error:  # truncated or damaged data; what a decoder raises depends on the format
        raise ImageError(Message("error_damaged")) from error
    if max(image.size) > long_side:
        image = reduce_image(image, (width, height), long_side)
    if image.size != (width, height):
        notes.append(
            Message("note_reduced", width=width, height=height, new_width=image.width, new_height=image.height)
        )
    if min(width, height) < SMALL_SIDE:
        notes.append(Message("note_small", width=width, height=height))
    return Decoded(image, tuple(notes), (width, height))


def reduce_image(image: Image.Image, size: tuple[int, int], long_side: int) -> Image.Image:
    """Resize to `size` scaled so that its long side is `long_side`; no side below one pixel."""
    scale = long_side / max(size)
    return image.resize(tuple(max(1, round(side * scale)) for side in size), Image.Resampling.BICUBIC)


def to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """Convert any mode to RGB and keep the EXIF orientation; appends to `notes` what a viewer should know.

    Raises ImageError for pixels wider than 16 bits, whose range no file format states.
    """
    orientation = image.getexif().get(EXIF_ORIENTATION)
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        values = np.asarray(image, dtype=np.float32)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise ImageError(Message("error_pixel_type"))
        image = Image.fromarray((values / 257).round().astype(np.uint8))  # 65535 / 257 = 255
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        if layer.getextrema()[3][0] < 255:
            notes.append(Message("note_transparency"))
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    image = image.convert("RGB")
    if orientation is not None:
        image.getexif()[EXIF_ORIENTATION] = orientation
    return image


def segment(model: FCN | PlainEngine, image: Image.Image | np.ndarray, *, precision: str = "auto") -> Segmentation:
    """Label every pixel of an RGB image (PIL, or (H, W, 3) uint8) at the image's own size, on the model's device.

    `precision` is 'fp32', 'bf16', or 'auto': bf16 where the processor multiplies it natively, two to three times as
    fast and of the same mask but for a few pixels in a thousand, float32 elsewhere. An `Engine` has its own precision.
    Confidence is the softmax probability of the winning class. Raises ValueError when the model returns numbers that
    are not finite.
    """
    from zoo.inference import engine_of  # torch comes with it, and the page is served before that

    engine = engine_of(model, precision)
    return Segmentation(*engine.label(np.array(image, dtype=np.uint8)), engine.precision)


def best_device() -> str:
    """'cuda' where torch finds a GPU, otherwise 'cpu'."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def encode_mask(mask: np.ndarray, labels: LabelSet) -> bytes:
    """An (H, W) uint8 mask as indexed PNG: index = class id, colours of the label set, void and unused ids black."""
    mask = np.ascontiguousarray(mask, dtype=np.uint8)
    image = Image.frombytes("P", mask.shape[::-1], mask.tobytes())
    palette = [value for colour in labels.palette for value in colour]
    image.putpalette(palette + [0] * (768 - len(palette)))
    return png_bytes(image)


def confidence_levels(confidence: np.ndarray) -> np.ndarray:
    """An (H, W) confidence in [0, 1] as uint8, 255 = 1."""
    return (confidence * 255).round().astype(np.uint8)


def encode_confidence(levels: np.ndarray) -> bytes:
    """`confidence_levels` as grey PNG."""
    return png_bytes(Image.fromarray(levels))


def jpeg_bytes(image: Image.Image) -> bytes:
    """The image as JPEG file content, with colours at full detail."""
    with io.BytesIO() as buffer:
        image.save(buffer, "JPEG", quality=92, subsampling=0)
        return buffer.getvalue()


def png_bytes(image: Image.Image) -> bytes:
    """The image as PNG file content."""
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG", compress_type=zlib.Z_RLE)  # masks a tenth larger than by default, in a third the time
        return buffer.getvalue()
