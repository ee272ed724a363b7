"""Small data sets of one's own: a red square (class 1) on green (class 0), written in every way that people write."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 36


def scene(seed: int, classes: int = 2, size: tuple[int, int] = (HEIGHT, WIDTH)) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, 3) and mask (H, W), uint8; one square a class."""
    random, mask = np.random.default_rng(seed), np.zeros(size, np.uint8)
    side = min(size) // 3
    for value in range(1, classes):
        top, left = random.integers(0, size[0] - side), random.integers(0, size[1] - side)
        mask[top : top + side, left : left + side] = value
    colours = np.array([(40, 140, 60), (200, 40, 40), (40, 60, 210), (220, 210, 40)])[mask]
    image = colours + random.integers(-20, 20, colours.shape)
    return image.clip(0, 255).astype(np.uint8), mask


def write(
    root: Path,
    change=lambda image, mask: (image, mask),
    *,
    image_name: str = "photo{}.png",
    mask_name: str = "photo{}.png",
    splits: dict[str, int] | None = None,
    classes: str | bytes = "background\nsquare\n",
    count: int = 2,
) -> Path:
    """Write a data set; `change(image, mask)` gives what is saved: arrays, images or file contents."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_bytes(classes.encode() if isinstance(classes, str) else classes)
    for number, (split, images) in enumerate((splits or {"train": 3, "val": 2}).items()):
        for index in range(images):
            saved = change(*scene(100 * number + index, count))
            for kind, content, name in zip(("images", "masks"), saved, (image_name, mask_name), strict=True):
                path = root / split / kind / name.format(index)
                path.parent.mkdir(parents=True, exist_ok=True)
                save(content, path)
    return root


def save(content, path: Path) -> None:
    """Write an array, an image with its EXIF, or bytes as they are."""
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    image = content if isinstance(content, Image.Image) else Image.fromarray(content)
    options = {"exif": image.getexif()} if image.getexif() else {}
    if path.suffix.lower() in (".jpg", ".jpeg"):
        options |= {"quality": 95, "subsampling": 0}
    image.save(path, **options)


def indexed(mask: np.ndarray, *colours: tuple[int, int, int]) -> Image.Image:
    """A mask as indexed image with this palette."""
    image = Image.frombytes("P", mask.shape[::-1], np.ascontiguousarray(mask).tobytes())
    image.putpalette([value for colour in colours for value in colour])
    return image


def grey_png(values: np.ndarray, bits: int) -> bytes:
    """A grey PNG of 1, 2 or 4 bits a pixel, written by hand: Pillow writes none of 2 and 4."""
    rows = [np.packbits(np.unpackbits(row[:, None], axis=1)[:, 8 - bits :].ravel()).tobytes() for row in values]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
