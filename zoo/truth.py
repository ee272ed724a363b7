"""Ground truth that a person brings: a label PNG of class ids or of palette colours, read into a mask of ids."""

from pathlib import Path

import numpy as np
from PIL import Image

from zoo.labels import LabelSet
from zoo.page import Message
from zoo.segment import Decoded, ImageError, open_image


def decode_truth(source: bytes | str | Path, labels: LabelSet, decoded: Decoded) -> np.ndarray:
    """Read a label image for `decoded` into an (H, W) uint8 mask of class ids and void, at the decoded image's size.

    Indexed and grey images hold ids (255 is void in every dataset); RGB images hold the colours of `labels`, black
    being void where no class is black. The label image must have the photo's original size; it is reduced with it,
    by nearest neighbour. Raises ImageError otherwise.
    """
    image = open_image(source)
    if image.size != decoded.original_size:
        (width, height), (photo_width, photo_height) = image.size, decoded.original_size
        raise ImageError(
            Message("error_truth_size", width=width, height=height, photo_width=photo_width, photo_height=photo_height)
        )
    try:
        pixels = np.asarray(image) if image.mode in ("P", "L") else np.asarray(image.convert("RGB"))
    except Exception as error:  # truncated or damaged data; what a decoder raises depends on the format
        raise ImageError(Message("error_damaged")) from error
    mask = ids_from_colours(pixels, labels) if pixels.ndim == 3 else ids_from_indices(pixels, labels)
    if decoded.image.size != image.size:
        mask = np.asarray(Image.fromarray(mask).resize(decoded.image.size, Image.Resampling.NEAREST))
    return mask


def ids_from_indices(pixels: np.ndarray, labels: LabelSet) -> np.ndarray:
    """(H, W) ids checked against the label set; 255 becomes its void. Raises ImageError for any other value."""
    mask = np.where(pixels == 255, labels.void, pixels).astype(np.uint8)
    unknown = mask[(mask >= len(labels.classes)) & (mask != labels.void)]
    if unknown.size:
        raise ImageError(
            Message("error_truth_id", value=unknown[0], dataset=labels.title, last=len(labels.classes) - 1)
        )
    return mask


def ids_from_colours(pixels: np.ndarray, labels: LabelSet) -> np.ndarray:
    """(H, W, 3) palette colours to (H, W) ids. Raises ImageError for a colour that the palette lacks."""
    codes = {code(np.array(colour)): index for index, colour in enumerate(labels.palette)}
    codes.setdefault(0, labels.void)
    found, inverse = np.unique(code(pixels), return_inverse=True)
    unknown = [value for value in found.tolist() if value not in codes]
    if unknown:
        raise ImageError(Message("error_truth_colour", colour=f"#{unknown[0]:06x}", dataset=labels.title))
    return np.array([codes[value] for value in found.tolist()], np.uint8)[inverse].reshape(pixels.shape[:2])


def code(colours: np.ndarray) -> np.ndarray | int:
    """Colours (..., 3) as whole numbers 0xRRGGBB."""
    values = colours.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    return int(values) if values.ndim == 0 else values
