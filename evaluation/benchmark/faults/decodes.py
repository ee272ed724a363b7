"""Files that call themselves images: damaged, cut, lying about size, or all size, as photo and as truth."""

import io
import os
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from evaluation.benchmark.faults.tally import Tally
from evaluation.benchmark.visitor import tree_megabytes
from zoo.images import workers
from zoo.images.examples import examples
from zoo.images.photo import ImageError, learn_heif

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "MPO")
ROWS = 1000  # that are compressed at once
SIZES = (0, 1, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)


def decodes(quick: bool) -> Tally:
    """Hundreds of broken files through the decoders that the page uses."""
    tally = Tally("broken image files, decoded")
    decoded = workers.decode_image(examples()[0].photo)
    labels = examples()[0].labels
    tally.before = tree_megabytes(os.getpid())
    for what, content in broken(1 if quick else 20):
        tally.attempt(what, lambda content=content: workers.decode_image(content, 8192), ImageError)
        tally.attempt(
            f"{what} as truth", lambda content=content: workers.decode_truth(content, labels, decoded), ImageError
        )
    tally.attempt("the next good photo", lambda: workers.decode_image(examples()[1].photo))
    tally.after = tree_megabytes(os.getpid())
    return tally


def broken(times: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents of broken files, `times` of each kind and format."""
    seeded = random.Random(0)
    learn_heif()
    for kind in FORMATS:
        sound = image_file(kind)
        for _ in range(times):
            yield f"{kind} cut short", sound[: seeded.randrange(len(sound))]
            yield f"{kind} with other bytes", flipped(sound, seeded)
            yield f"{kind} with another size", resized(sound, seeded)
    for width, height in ((63_000_000, 1), (1, 63_000_000), (30_000, 2_100), (8_000, 8_000)):
        yield f"PNG of {width}x{height} zeros", flat_png(width, height)
    yield "nothing", b""
    yield "text", b"no image at all, but a text that is long enough" * 20


def image_file(kind: str) -> bytes:
    """A small sound image file of a format."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    image = Image.fromarray(pixels)
    options = {"save_all": True, "append_images": [image.rotate(180)]} if kind in ("GIF", "MPO", "TIFF") else {}
    with io.BytesIO() as buffer:
        image.save(buffer, kind, **options)
        return buffer.getvalue()


def flipped(content: bytes, seeded: random.Random) -> bytes:
    """The content with one to eight other bytes, half of them in its header."""
    changed = bytearray(content)
    for _ in range(seeded.randint(1, 8)):
        end = min(200, len(changed)) if seeded.random() < 0.5 else len(changed)
        changed[seeded.randrange(end)] = seeded.randrange(256)
    return bytes(changed)


def resized(content: bytes, seeded: random.Random) -> bytes:
    """The content with each place where its width or height stands holding another number."""
    changed, number = content, seeded.choice(SIZES)
    for side in (64, 48):
        for form in seeded.sample((">I", "<I", ">H", "<H"), 4):
            mask = (1 << (8 * struct.calcsize(form))) - 1
            changed = changed.replace(struct.pack(form, side), struct.pack(form, number & mask), 2)
    return changed


def flat_png(width: int, height: int) -> bytes:
    """A PNG of one bit per pixel, all zero: a thousandth of its pixels in size."""
    body, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    whole, rest = divmod(height, ROWS)
    content = b"".join(body.compress(row * rows) for rows in (*[ROWS] * whole, rest)) + body.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", content), (b"IEND", b"")]
    written = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)
