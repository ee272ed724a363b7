"""What else goes by the name of mIoU: each definition is a reading of the same per-image confusion matrices.

Definitions differ in what is pooled before a ratio is taken, in what an absent class counts, and in what becomes of
void. `CONVENTIONS` says which reading a library's figure is; the project's own is the first, and the only one that
anything else here reports.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np

from evaluation.counting.confusion import mean_of_defined, ratio
from zoo.text import Message

Pooled = Literal["split", "batch", "image", "pair"]
Absent = Literal["left out", "0", "1", "left out by target"]
Void = Literal["dropped", "errors", "class"]


@dataclass(frozen=True)
class Reading:
    """One definition of mean IoU.

    pooled: what is summed before a ratio is taken; "pair" averages over all pairs of image and class at once.
    absent: what a class counts that neither target nor prediction holds where it is pooled; "left out by target"
    leaves it out also where only the prediction holds it. void: "errors" lets predictions on void pixels count as false
    positives, "class" makes void one more class. over_classes: False adds up the classes' pixels before the ratio.
    """

    pooled: Pooled = "split"
    absent: Absent = "left out"
    void: Void = "dropped"
    over_classes: bool = True


@dataclass(frozen=True)
class Convention:
    """A library's figure, as it is called there, and the reading that it is."""

    library: str
    call: str
    reading: Reading


OURS = Reading()
CONVENTIONS = (
    Convention("this project", "python -m evaluation", OURS),
    Convention("cityscapesScripts", "evalPixelLevelSemanticLabeling", OURS),
    Convention("mmsegmentation", "IoUMetric()", OURS),
    Convention("mmsegmentation", "IoUMetric(nan_to_num=0)", Reading(absent="0")),
    Convention("evaluate", 'load("mean_iou"), any nan_to_num', OURS),
    Convention("torchmetrics", "JaccardIndex(ignore_index=VOID)", OURS),
    Convention("torchmetrics", 'JaccardIndex(average="micro", ignore_index=VOID)', Reading(over_classes=False)),
    Convention("torchmetrics", "JaccardIndex(ignore_index=VOID), forward's values averaged", Reading("batch")),
    Convention("torchmetrics", "segmentation.MeanIoU() on one-hot", Reading("pair", void="errors")),
    Convention("torchmetrics", "functional.segmentation.mean_iou, averaged", Reading("image", void="errors")),
    Convention("segmentation-models-pytorch", 'iou_score(reduction="micro")', Reading(over_classes=False)),
    Convention("segmentation-models-pytorch", 'iou_score(reduction="macro")', Reading(absent="1")),
    Convention("segmentation-models-pytorch", 'iou_score(reduction="macro", zero_division=0)', Reading(absent="0")),
    Convention(
        "segmentation-models-pytorch",
        'iou_score(reduction="micro-imagewise")',
        Reading("image", absent="1", over_classes=False),
    ),
    Convention("segmentation-models-pytorch", 'iou_score(reduction="macro-imagewise")', Reading("image", absent="1")),
    Convention(
        "segmentation-models-pytorch",
        'iou_score(reduction="macro-imagewise", zero_division=0)',
        Reading("image", absent="0"),
    ),
    Convention("monai", "MeanIoU()", Reading("image", "left out by target", "errors")),
    Convention("monai", "MeanIoU(ignore_index=VOID)", Reading("image", "left out by target")),
    Convention("monai", "MeanIoU(ignore_empty=False)", Reading("image", "1", "errors")),
)
GRID = tuple(
    Reading(pooled, absent, void)
    for void in ("dropped", "errors", "class")
    for pooled in ("split", "batch", "image")
    for absent in ("left out", "0", "1")
)


def mean_iou(matrices: np.ndarray, reading: Reading, batch: int = 8) -> float:
    """Mean IoU in [0, 1] by one definition; NaN where nothing is defined.

    matrices: (n, C + 1, C + 1) int64 [target, prediction] of n images in order, void last on both sides; batch: images
    that are pooled together where the reading pools batches, the last batch being what is left.
    """
    hits, target, prediction = parts(matrices, reading.void)
    if reading.pooled in ("split", "batch"):
        size = len(matrices) if reading.pooled == "split" else batch
        starts = np.arange(0, len(matrices), size)
        hits, target, prediction = (np.add.reduceat(one, starts, axis=0) for one in (hits, target, prediction))
    if not reading.over_classes:
        hits, target, prediction = (one.sum(1, keepdims=True) for one in (hits, target, prediction))
    iou = ratio(hits, target + prediction - hits)
    if reading.absent == "left out by target":
        iou = np.where(target > 0, iou, np.nan)
    elif reading.absent != "left out":
        iou = np.where(np.isnan(iou), float(reading.absent), iou)
    if reading.pooled == "pair":
        return float(mean_of_defined(iou.ravel()))
    return float(mean_of_defined(mean_of_defined(iou)))


def parts(matrices: np.ndarray, void: Void) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, C) hits, target pixels and predicted pixels per image and class, or (n, C + 1) where void is a class."""
    # A void prediction on a labelled pixel is a miss of its class; a void target is dropped, or a false positive.
    kept = matrices[:, :-1] if void == "dropped" else matrices
    classes = matrices.shape[1] - (void != "class")
    hits = np.diagonal(matrices, axis1=1, axis2=2)[:, :classes]
    return hits, matrices[:, :classes].sum(2), kept[:, :, :classes].sum(1)


@dataclass(frozen=True)
class Claim:
    """A figure as somebody wrote it: `value` in [0, 1] and how far off its last digit may be."""

    value: float
    tolerance: float

    @classmethod
    def read(cls, text: str) -> "Claim":
        """'63.7', '63,7 %' or '0.637'; a number up to 1 without a per cent sign is a fraction. Raises ValueError."""
        found = re.fullmatch(r"\s*(\d{1,3}(?:[.,]\d{1,12})?)\s*(%?)\s*", text)
        if not found:
            raise ValueError(Message("error_claim", text=text[:40]))
        number = Decimal(found[1].replace(",", "."))
        scale = Decimal(100) if found[2] or number > 1 else Decimal(1)
        if number > scale:
            raise ValueError(Message("error_claim", text=text[:40]))
        step = Decimal(1).scaleb(int(number.as_tuple().exponent))
        return cls(float(number / scale), float(step / 2 / scale))

    def fits(self, value: float) -> bool:
        """Whether `value` in [0, 1], rounded to the claim's digits, is the claim."""
        return bool(abs(value - self.value) <= self.tolerance * (1 + 1e-9))
