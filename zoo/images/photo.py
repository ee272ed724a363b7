"""The one reader of photos: an upload's bytes, or a file's path, to an upright RGB image of bounded size.

An upload is judged by its header before its pixels are decoded, so that an oversized file costs nothing. Whatever
cannot be used raises ImageError with a sentence for the person who sent it; whatever was done to the picture on the
way (first frame taken, made smaller) is said in the notes.
"""

import io
import warnings
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo.images.encoding import jpeg_bytes
from zoo.text import Message
from zoo.working_size import resize_photo, scaled

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")  # MPO: JPEGs of phones and 3D cameras
STILL = ("MPO", "HEIF")  # of several images, the first is the photo
UPLOAD_MEGABYTES = 64  # 2**20 bytes each; ten seconds of 4K video from a phone have about 30
MAXIMUM_PIXELS = 64_000_000
MAXIMUM_SIDE = 30_000  # one row of 64 million pixels takes a decoder gigabytes
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
    """An upload as the models get it: RGB image, what was done to it, and (width, height) as sent (upright)."""

    image: Image.Image
    notes: tuple[str, ...]
    original_size: tuple[int, int]
    resized: dict[int, Image.Image] = field(default_factory=dict, compare=False, repr=False)

    def seen(self, long_side: int) -> Image.Image:
        """The image with a long side of so many pixels, made once for all models that see it so."""
        if long_side not in self.resized:
            self.resized[long_side] = resize_photo(self.image, long_side)
        return self.resized[long_side]

    @cached_property
    def display(self) -> Image.Image:
        """The image as a page shows it, its long side at most `LONG_SIDE`."""
        return resize_photo(self.image, LONG_SIDE) if max(self.image.size) > LONG_SIDE else self.image

    @property
    def own_size(self) -> tuple[int, int]:
        """(width, height) of masks at the photo's own size, bounded by `FULL_LONG_SIDE` and `FULL_PIXELS`."""
        largest = full_long_side(self.original_size)
        return scaled(self.original_size, largest) if max(self.original_size) > largest else self.original_size

    def notes_at(self, size: tuple[int, int]) -> tuple[str, ...]:
        """The notes where masks are as large as `size` (width, height), whatever the models get."""
        notes = tuple(note for note in self.notes if getattr(note, "key", "") != "note_reduced")
        return notes if size == self.original_size else (reduced_note(self.original_size, size), *notes)

    @cached_property
    def jpeg(self) -> bytes:
        """The displayed image as JPEG: only masks have to be exact."""
        return jpeg_bytes(self.display)


def open_image(source: bytes | str | Path) -> Image.Image:
    """Read the header of an image file (bytes or path), no pixels. Raises ImageError; see `FORMATS`, `MAXIMUM_PIXELS`.

    Formats are a fixed list: Pillow would hand others to external programs or to rarely used decoders.
    """
    if source in (None, b"", ""):
        raise ImageError(Message("error_no_image"))
    content = source if isinstance(source, bytes) else Path(source).read_bytes()  # no file stays open on an error
    return open_stream(io.BytesIO(content))


def open_stream(stream: BinaryIO) -> Image.Image:
    """`open_image` of a stream, which must stay open while the image is read."""
    Image.init()
    learn_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images and odd metadata; both are handled here
            formats = [name for name in FORMATS if name in Image.OPEN]
            image = Image.open(stream, formats=formats)
    except Image.DecompressionBombError:
        most = round(2 * Image.MAX_IMAGE_PIXELS / 1e6)
        raise ImageError(too_large(f"> {most}")) from None
    except UnidentifiedImageError:
        raise ImageError(Message("error_not_an_image")) from None
    except Exception as error:  # a damaged header can make a decoder fail in many ways
        raise ImageError(Message("error_damaged")) from error
    if image.width * image.height > MAXIMUM_PIXELS:
        raise ImageError(too_large(f"{image.width * image.height / 1e6:.0f}"))
    if max(image.size) > MAXIMUM_SIDE:
        raise ImageError(Message("error_too_long", side=max(image.size), limit=MAXIMUM_SIDE))
    return image


@cache
def learn_heif() -> None:
    """Teach Pillow to read HEIC, the format of many phones; it knows AVIF by itself."""
    import pillow_heif  # loads libheif, which no other import needs

    pillow_heif.register_heif_opener()


def too_large(megapixels: int | str) -> Message:
    """The refusal of an image of so many megapixels."""
    return Message("error_too_large", megapixels=megapixels, limit=MAXIMUM_PIXELS // 1_000_000)


def decode_image(source: bytes | str | Path, long_side: int | None = LONG_SIDE) -> Decoded:
    """Decode an upload (file content or path) to RGB, upright, its long side at most `long_side` pixels.

    A larger one gets a long side of `long_side`, or of `NEAR_ENOUGH` of it where that spares a JPEG most of the work.

    `FULL_LONG_SIDE` keeps most photos at their own size, with no more than `FULL_PIXELS` pixels; None keeps every one
    as it is, as data sets need it.
    Animations give their first frame, transparency is laid on white, 16-bit greys are scaled to 8 bits. Raises
    ImageError for anything that is not a whole image of at most `MAXIMUM_PIXELS`.
    """
    image = open_image(source)
    notes = []
    if image.format not in STILL and getattr(image, "is_animated", False):
        notes.append(Message("note_first_frame"))
    width, height = image.size
    long_side = max(width, height) if long_side is None else min(long_side, full_long_side(image.size))
    try:
        if orientation_left(image) in ROTATED_BY_90:
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
        image = image.resize(scaled((width, height), long_side), Image.Resampling.BICUBIC)
    if image.size != (width, height):
        notes.append(reduced_note((width, height), image.size))
    if min(width, height) < SMALL_SIDE:
        notes.append(Message("note_small", width=width, height=height))
    return Decoded(image, tuple(notes), (width, height))


def upright_size(path: str | Path) -> tuple[int, int]:
    """(width, height) of an image file as it is shown; of the file only the header is read. Raises ImageError."""
    with open(path, "rb") as stream:
        image = open_stream(stream)
        try:
            # A PNG may carry its EXIF behind the pixels, and asking for it would decode them.
            orientation = orientation_left(image) if image.format != "PNG" or "exif" in image.info else None
        except Exception as error:  # damaged metadata; what a decoder raises depends on the format
            raise ImageError(Message("error_damaged")) from error
    return image.size[::-1] if orientation in ROTATED_BY_90 else image.size


def orientation_left(image: Image.Image) -> int | None:
    """The EXIF orientation that has still to be applied, if any; Pillow turns TIFFs itself, their size from the start.

    Raises whatever a decoder makes of damaged metadata.
    """
    return None if image.format == "TIFF" else image.getexif().get(EXIF_ORIENTATION)


def reduced_note(original: tuple[int, int], size: tuple[int, int]) -> Message:
    """Says that a photo of (width, height) was made smaller."""
    names = ("width", "height", "new_width", "new_height")
    return Message("note_reduced", **dict(zip(names, (*original, *size), strict=True)))


def full_long_side(size: tuple[int, int]) -> int:
    """The longest that the long side of a photo of (width, height) may stay."""
    width, height = size
    return min(FULL_LONG_SIDE, int(max(size) * min(1, FULL_PIXELS / (width * height)) ** 0.5))


def to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """Convert any mode to RGB and keep the EXIF orientation; appends to `notes` what a viewer should know.

    Raises ImageError for pixels wider than 16 bits, whose range no file format states.
    """
    orientation = orientation_left(image)
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
    image.getexif().pop(EXIF_ORIENTATION, None)
    if orientation is not None:
        image.getexif()[EXIF_ORIENTATION] = orientation
    return image
