"""Pixels to file contents: masks as indexed PNG, confidence as grey PNG, photos as JPEG or PNG."""

import io
import zlib

import numpy as np
from PIL import Image

from zoo.labels import LabelSet


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
