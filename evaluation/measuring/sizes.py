"""mIoU against the size at which a checkpoint sees a photo, and which rule finds that size for photos of any shape.

The frames of a split are shown at several sizes; pieces of them stand for the photos of visitors (enlarged as a phone
takes them, upright, panoramas, crops, small ones) and are shown at the size that each rule gives. Logits are resized
to the frame, so that every figure is of the same pixels as the evaluation's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from evaluation.counting.confusion import confusion_matrix, none_if_nan, scores
from evaluation.datasets import SegmentationDataset
from zoo.models.preparation import engine_of
from zoo.models.segmentation import segment
from zoo.working_size import resize_photo, scaled

SIZES = (240, 320, 480, 640, 768, 1024)
CAMERA = 2016  # long side of a 3-megapixel photo
SMALL = 240
RULES = ("long side", "short side", "area")


@dataclass(frozen=True)
class Photo:
    """A photo that somebody might bring: a piece of a frame, (width, height) as shares of it, at a long side."""

    name: str
    piece: tuple[float, float]
    long_side: int = CAMERA
    whole_mask: bool = False  # whether the mask is compared at the photo's own size, not at the frame's

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """The piece in the middle of a frame or mask (H, W, ...)."""
        sizes = [round(share * side) for share, side in zip(self.piece, pixels.shape[1::-1], strict=True)]
        left, top = ((side - size) // 2 for side, size in zip(pixels.shape[1::-1], sizes, strict=True))
        return np.ascontiguousarray(pixels[top : top + sizes[1], left : left + sizes[0]])


PHOTOS = (
    Photo("frame, as a camera takes it", (1, 1), whole_mask=True),
    Photo("upright 3:4", (9 / 16, 1)),
    Photo("upright 9:16", (27 / 64, 1)),
    Photo("panorama 3:1", (1, 4 / 9)),
    Photo("4:3 crop of half the area", (sqrt(1 / 2), sqrt(1 / 2))),
    Photo("small photo of a frame", (1, 1), SMALL),
)


def side_by_rule(rule: str, working_size: int, trained: tuple[int, int], photo: tuple[int, int]) -> int:
    """Long side of a photo of (width, height) whose long side, short side or area becomes that of the training images.

    `trained` is their (width, height), scaled so that the long side is `working_size`.
    """
    width, height = scaled(trained, working_size)
    share = max(photo) / min(photo)
    sides = {"long side": working_size, "short side": min(width, height) * share, "area": sqrt(width * height * share)}
    return round(sides[rule])


@dataclass
class Tally:
    """Confusion matrices by what was shown: `curve` by long side, `photos` by name and rule."""

    classes: tuple[str, ...]
    curve: dict[int, np.ndarray] = field(default_factory=dict)
    photos: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def add(self, where: dict, key, mask: np.ndarray, truth: np.ndarray, void: int) -> None:
        """Count one mask (H, W) against its truth."""
        pair = torch.from_numpy(mask), torch.from_numpy(truth)
        where[key] = where.get(key, 0) + confusion_matrix(*pair, len(self.classes), void).numpy()

    def document(self, working_size: int) -> dict:
        """The JSON-ready `sizes` of a result; every mIoU follows from the intersections and unions beside it."""
        photos = [{"photo": name, "rule": rule} | counted(matrix) for (name, rule), matrix in self.photos.items()]
        curve = [{"longest_edge": size} | counted(matrix) for size, matrix in sorted(self.curve.items())]
        return {"working_size": working_size, "rule": RULES[0], "curve": curve, "photos": photos}


def counted(matrix: np.ndarray) -> dict:
    """mIoU of a confusion matrix (C, C) with the pixels of each class in intersection and union."""
    hits = np.diagonal(matrix)
    union = matrix.sum(0) + matrix.sum(1) - hits
    classes = tuple(map(str, range(len(matrix))))
    return {
        "miou": none_if_nan(scores(matrix, classes).miou),
        "intersection": hits.tolist(),
        "union": union.tolist(),
    }


def measure_sizes(
    models: dict[str, nn.Module],
    dataset: SegmentationDataset,
    working_sizes: dict[str, int],
    *,
    sizes: tuple[int, ...] = SIZES,
    rules: tuple[str, ...] = RULES,
    photos: tuple[Photo, ...] = PHOTOS,
    precision: str = "fp32",
    progress: bool = False,
) -> dict[str, Tally]:
    """Count the masks of every model on every frame, at each of `sizes` and as each of `photos` by each of `rules`."""
    labels = dataset.labels
    engines = {name: engine_of(model, precision) for name, model in models.items()}
    tallies = {name: Tally(labels.classes) for name in models}
    for index in tqdm(range(len(dataset)), unit=" images", disable=not progress, mininterval=0.5):
        frame, truth = dataset.image(index), np.array(dataset.mask(index))
        for size in sizes:
            for name, engine in engines.items():
                mask = segment(engine, frame, size=size).mask
                tallies[name].add(tallies[name].curve, size, mask, truth, labels.void)
        for photo in photos:
            for name, rule, mask, piece in show(photo, frame, truth, engines, working_sizes, rules):
                tallies[name].add(tallies[name].photos, (photo.name, rule), mask, piece, labels.void)
    return tallies


def show(
    photo: Photo, frame: np.ndarray, truth: np.ndarray, engines: dict, working_sizes: dict[str, int], rules
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name of the model, rule, mask and its truth, for one frame as one photo; 'native' is the piece as it was cut."""
    piece, target = Image.fromarray(photo.cut(frame)), photo.cut(truth)
    taken = resize_photo(piece, photo.long_side)
    size = taken.size if photo.whole_mask else piece.size
    compared = np.array(Image.fromarray(target).resize(size, Image.Resampling.NEAREST))
    for name, engine in engines.items():
        yield name, "native", segment(engine, piece, size="full").mask, target
        masks, trained = {}, frame.shape[1::-1]
        for rule in rules:
            side = side_by_rule(rule, working_sizes[name], trained, taken.size)
            if side not in masks:
                masks[side] = segment(engine, taken, size=side, mask_size=size).mask
            yield name, rule, masks[side], compared
