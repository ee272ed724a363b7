"""Is a confidence of 0.8 right eight times in ten? Reliability bins and the expected calibration error.

Confidence is the softmax probability of the predicted class (Guo et al. 2017). It is rounded to 16 bits and counted
in integers, so that sums do not depend on the order in which images arrive.
"""

import numpy as np

from evaluation.counting.confusion import none_if_nan, ratio

BINS = 20  # equal width
UNIT = 65_535  # integer that stands for a confidence of 1
COUNTS = ("pixels", "correct", "confidence")


def calibration_counts(confidence: np.ndarray, prediction: np.ndarray, target: np.ndarray, void: int) -> np.ndarray:
    """Count one image: (BINS, 3) int64 pixels, correct pixels and summed confidence in units of 1 / UNIT.

    `confidence` (H, W) integers 0..UNIT; `prediction` and `target` (H, W) class ids; void pixels are dropped.
    """
    # A histogram over all 16-bit values first: counting is faster than binning each pixel. Void is the last entry.
    places = np.where(target == void, 2 * (UNIT + 1), confidence + (prediction == target) * np.int32(UNIT + 1))
    wrong, hits = np.bincount(places.ravel(), minlength=2 * (UNIT + 1) + 1)[:-1].reshape(2, UNIT + 1)
    pixels = wrong + hits
    starts = -(-np.arange(BINS) * (UNIT + 1) // BINS)
    columns = (pixels, hits, pixels * np.arange(UNIT + 1))
    return np.stack([np.add.reduceat(column, starts) for column in columns], axis=1)


def calibration(counts: np.ndarray) -> dict:
    """Expected calibration error and the bins, JSON-ready, from counts (BINS, 3) or per-image counts (n, BINS, 3).

    A bin without pixels has None for its mean confidence and accuracy; without any pixel the error is None.
    """
    counts = np.asarray(counts)
    pixels, correct, confidence = (counts.sum(0) if counts.ndim == 3 else counts).T
    accuracy, mean_confidence = ratio(correct, pixels), ratio(confidence / UNIT, pixels)
    gaps = np.nan_to_num(np.abs(accuracy - mean_confidence))
    error = (gaps * pixels).sum() / pixels.sum() if pixels.sum() else np.nan
    return {
        "expected_calibration_error": none_if_nan(error),
        "bins": [
            {
                "low": index / BINS,
                "high": (index + 1) / BINS,
                "pixels": int(pixels[index]),
                "confidence": none_if_nan(mean_confidence[index]),
                "accuracy": none_if_nan(accuracy[index]),
            }
            for index in range(BINS)
        ],
    }
