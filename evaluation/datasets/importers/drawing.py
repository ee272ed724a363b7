"""Regions of a mask from what annotation tools store: polygons, run lengths, small PNGs in base64.

Every length is compared with the photo's size before anything of that size is allocated. Regions are (H, W) bool.
"""

import base64
import binascii
import io
import math
import zlib
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageDraw

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.project import Size

Region = Callable[[Size], np.ndarray]
Points = list[tuple[float, float]]
HINT = "pip install -r evaluation/datasets/importers/requirements.txt"
MAXIMUM_PNG_BYTES = 64_000_000


def paint(layers: Iterable[tuple[int, Region]], unlabelled: int, size: Size) -> np.ndarray:
    """The (H, W) uint8 mask of layers (id, region) in drawing order: later ones lie on top."""
    mask = np.full(size[::-1], unlabelled, np.uint8)
    for value, region in layers:
        mask[region(size)] = value
    return mask


def check_points(points: Points, size: Size, source: str) -> Points:
    """The points, refused where they are no numbers or lie farther outside than the photo is large."""
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            raise DatasetError(f"{source}: a point is ({x}, {y}); correct it in the tool and export again")
        if not (-size[0] <= x <= 2 * size[0] and -size[1] <= y <= 2 * size[1]):
            raise DatasetError(
                f"{source}: point ({x:g}, {y:g}) lies far outside of its {size[0]}x{size[1]} photo; "
                "the shapes belong to a photo of another size"
            )
    return points


def coco_polygon(points: Points, size: Size, source: str) -> np.ndarray:
    """The pixels of a polygon as the COCO API draws them, by whose rule (4,4)-(20,12) is 16 by 8 pixels."""
    mask_api = coco_api()
    flat = [float(value) for point in check_points(points, size, source) for value in point]
    (lengths,) = mask_api.frPyObjects([flat], size[1], size[0])
    return runs(coco_counts(lengths["counts"].decode(), source), size[1], size[0], source, order="F")


def coco_api():
    """pycocotools' mask module; DatasetError telling how to install it."""
    try:
        from pycocotools import mask
    except ImportError:
        raise DatasetError(f"polygons of this format are drawn with pycocotools: {HINT}") from None
    return mask


def inclusive_polygon(points: Points, size: Size, source: str, *, outline: bool = False) -> np.ndarray:
    """The pixels of a polygon with those its edges run through, (4,4)-(20,12) being 17 by 9 pixels, as labelme has it.

    `outline` adds the pixels that slanted edges only touch, as OpenCV does.
    """
    canvas = Image.new("1", size)
    pencil = ImageDraw.Draw(canvas)
    pencil.polygon(check_points(points, size, source), fill=1, outline=1)
    if outline:
        pencil.line([*points, points[0]], fill=1)
    return np.array(canvas)


def ellipse(center: tuple[float, float], radii: tuple[float, float], degrees: float, size: Size) -> np.ndarray:
    """The pixels whose centres lie in an ellipse turned clockwise by `degrees`."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5 - center[0], np.arange(size[1]) + 0.5 - center[1])
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return (along / max(radii[0], 1e-9)) ** 2 + (across / max(radii[1], 1e-9)) ** 2 <= 1


def box_corners(x: float, y: float, width: float, height: float, degrees: float, about: tuple[float, float]) -> Points:
    """The corners of a box turned clockwise by `degrees` about a point."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    turned = [(px - about[0], py - about[1]) for px, py in corners]
    return [(about[0] + dx * cosine - dy * sine, about[1] + dx * sine + dy * cosine) for dx, dy in turned]


def runs(counts: list, height: int, width: int, source: str, *, order: str) -> np.ndarray:
    """Alternating lengths of 0s and 1s as an (height, width) bool region; order 'C' goes by rows, 'F' by columns.

    DatasetError unless the lengths are whole numbers that add up to the region.
    """
    if not all(isinstance(count, int) and 0 <= count <= height * width for count in counts):
        raise DatasetError(f"{source}: a run length is no whole number between 0 and {height * width}; export it again")
    if sum(counts) != height * width:
        raise DatasetError(
            f"{source}: run lengths add up to {sum(counts)} pixels, {width}x{height} has {height * width}; export it "
            "again from the photo as it is now"
        )
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((height, width), order=order)


def coco_counts(text: str, source: str) -> list[int]:
    """The run lengths in COCO's compressed string: groups of 5 bits, from the third on as differences.

    pycocotools decodes such a string without looking where it writes, so that lengths are checked first.
    """
    counts: list[int] = []
    position = 0
    data = text.encode("utf-8", "surrogatepass")
    while position < len(data):
        value, shift, more = 0, 0, True
        while more:
            if position >= len(data) or shift > 60 or not 48 <= data[position] < 112:
                raise DatasetError(f"{source}: 'counts' is not COCO's compressed run lengths; export it again")
            group = data[position] - 48
            value |= (group & 31) << shift
            more, position, shift = bool(group & 32), position + 1, shift + 5
        if group & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def unbase64(text: str, source: str) -> bytes:
    """The bytes in a base64 string; DatasetError if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DatasetError(f"{source}: is not base64; export it again") from None


def inflate(content: bytes, source: str, limit: int = MAXIMUM_PNG_BYTES) -> bytes:
    """zlib data unpacked, `limit` bytes at most."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(content, limit)
    except zlib.error:
        raise DatasetError(f"{source}: is damaged compressed data; export it again") from None
    if unpacker.unconsumed_tail:
        raise DatasetError(f"{source}: unpacks to more than {limit // 10**6} MB; export it again")
    return unpacked


def small_png(content: bytes, size: Size, source: str) -> Image.Image:
    """A PNG from inside an annotation, at most as large as its photo; DatasetError otherwise."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            if image.width > size[0] or image.height > size[1]:
                raise DatasetError(
                    f"{source}: its mask is {image.width}x{image.height}, its photo {size[0]}x{size[1]}; export it "
                    "again from the photo as it is now"
                )
            image.load()
            return image
    except DatasetError:
        raise
    except Exception as error:  # what a decoder raises for damaged data depends on the damage
        raise DatasetError(f"{source}: its mask is not a whole PNG ({error}); export it again") from None


def paste(part: np.ndarray, left: int, top: int, size: Size, source: str) -> np.ndarray:
    """A small bool region at (left, top) of a photo; parts that stand out of the photo are cut off."""
    region = np.zeros(size[::-1], bool)
    if not (-size[0] <= left <= size[0] and -size[1] <= top <= size[1]):
        raise DatasetError(f"{source}: its mask starts at ({left}, {top}), outside of its {size[0]}x{size[1]} photo")
    x, y = max(left, 0), max(top, 0)
    visible = part[y - top : y - top + size[1] - y, x - left : x - left + size[0] - x]
    region[y : y + visible.shape[0], x : x + visible.shape[1]] = visible
    return region
