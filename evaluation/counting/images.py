"""Scores of single images from their confusion matrices: their mean, and the images that go worst.

The mean of the images' own mIoUs is not the mIoU of a split (`confusion.scores`), and is never called so.
"""

import numpy as np

from evaluation.counting.confusion import class_iou, mean_of_defined, none_if_nan, totals

WORST_SHARE = 0.05  # of the images


def image_mious(matrices: np.ndarray) -> np.ndarray:
    """mIoU in [0, 1] of each of (n, C, C) matrices: the mean over its classes with a union; NaN without any pixel."""
    return mean_of_defined(class_iou(totals(matrices)))


def per_image_miou(matrices: np.ndarray) -> float | None:
    """The mean of the images' own mIoUs, in [0, 1]; None where no image has a labelled pixel."""
    return none_if_nan(float(mean_of_defined(image_mious(matrices))))


def worst_images(matrices: np.ndarray) -> np.ndarray:
    """Places of the worst images by their own mIoU, worst first: at most 5 % of them, at least one."""
    mious = image_mious(matrices)
    order = [int(place) for place in np.argsort(mious, kind="stable") if not np.isnan(mious[place])]
    return np.array(order[: max(1, int(WORST_SHARE * len(order)))], int)


def worst_miou(matrices: np.ndarray) -> float | None:
    """The mean of the own mIoUs of the `worst_images`, in [0, 1]; None where no image has a labelled pixel."""
    worst = worst_images(matrices)
    return float(image_mious(matrices[worst]).mean()) if len(worst) else None
