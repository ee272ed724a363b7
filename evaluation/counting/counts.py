"""What was counted on each image of a dataset: the integers from which every figure of a result follows."""

from dataclasses import dataclass

import numpy as np

from evaluation.counting.boundary import BAND_WIDTHS
from evaluation.counting.calibration import BINS


@dataclass(frozen=True)
class Counts:
    """What was counted on each of n images, int64, in the dataset's order; every figure follows from these.

    matrices (n, C, C); boundary (n, C, 4) as in `boundary.COUNTS`; bands (n, len(BAND_WIDTHS), C, C);
    calibration (n, BINS, 3) as in `calibration.COUNTS`.
    """

    matrices: np.ndarray
    boundary: np.ndarray
    bands: np.ndarray
    calibration: np.ndarray

    @classmethod
    def zeros(cls, images: int, classes: int) -> "Counts":
        """Counts of `images` images with `classes` classes, nothing counted yet."""
        return cls(
            np.zeros((images, classes, classes), np.int64),
            np.zeros((images, classes, 4), np.int64),
            np.zeros((images, len(BAND_WIDTHS), classes, classes), np.int64),
            np.zeros((images, BINS, 3), np.int64),
        )
