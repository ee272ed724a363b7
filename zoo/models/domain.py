"""How far a photo lies from what a checkpoint was trained on, by statistics that stand in the checkpoint's folder.

A photo is described by the contrast of every channel at stride 8: the standard deviation over the photo, as a
logarithm. The distance is Mahalanobis' from the training photos (as Lee et al. 2018, arXiv 1807.03888, but of one
Gaussian for the whole photo), divided by the distance that nine in ten of them keep to when their own walk is left
out of the statistics.
"""

from dataclasses import dataclass

import numpy as np

SHRINKAGE = 0.3  # of the covariance of standardised channels towards independent ones
SILENT = 0.05  # of the median scale: a channel that never answered must not make all else strange
SHARE = 0.9  # of the training photos, scored by statistics of other walks and videos alone, that stay below 1


@dataclass(frozen=True)
class Domain:
    """Mean (D,), scale (D,) and precision (D, D) float32 of training photos' descriptors, and the limit's distance."""

    mean: np.ndarray
    scale: np.ndarray
    precision: np.ndarray
    limit: float

    def distance(self, descriptors: np.ndarray) -> np.ndarray:
        """Distance (...,) of descriptors (..., D); above 1 a photo is unlike anything in the training set."""
        steps = (descriptors - self.mean) / self.scale
        square = np.einsum("...i,ij,...j->...", steps, self.precision, steps) / len(self.mean)
        return np.sqrt(np.maximum(square, 0)) / self.limit


def fit(descriptors: np.ndarray, groups: list[str], folds: int = 5) -> Domain:
    """The Domain of training photos (N, D); `groups` names the walk or video of each.

    The limit is the distance below which `SHARE` of the photos lie when each is scored without its own group.
    Raises ValueError for fewer than two groups.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        raise ValueError("photos of at least two walks or videos are needed, to tell how far a new one may lie")
    fold = np.array([names.index(group) % folds for group in groups])
    distances = np.zeros(len(descriptors))
    for part in range(folds):
        if (fold == part).any():
            distances[fold == part] = _gaussian(descriptors[fold != part]).distance(descriptors[fold == part])
    return _gaussian(descriptors, float(np.quantile(distances, SHARE)))


def _gaussian(descriptors: np.ndarray, limit: float = 1.0) -> Domain:
    mean, scale = descriptors.mean(0), descriptors.std(0)
    scale = np.maximum(scale, max(SILENT * float(np.median(scale)), 1e-6))
    covariance = np.cov(((descriptors - mean) / scale).T).reshape(len(mean), len(mean))
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(len(mean)) * np.trace(covariance) / len(mean)
    mean, scale, precision = (part.astype(np.float32) for part in (mean, scale, np.linalg.inv(shrunk)))
    return Domain(mean, scale, precision, limit)
