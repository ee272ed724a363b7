"""Every figure of a result, computed from the per-image counts and nothing else, so that anyone can recompute it."""

import numpy as np

from evaluation.counting.bootstrap import SCORES, both_intervals, boundary_statistic, score_statistic
from evaluation.counting.boundary import BAND_WIDTHS, boundary_f
from evaluation.counting.calibration import calibration
from evaluation.counting.confusion import none_if_nan, scores
from evaluation.counting.counts import Counts


def figures(
    counts: Counts,
    classes: tuple[str, ...],
    sequences: tuple[str, ...],
    *,
    resamples: int,
    block_frames: int,
    seed: int,
) -> dict:
    """JSON-ready scores, boundary scores, 95 % intervals, per-sequence scores, calibration and confusion matrix.

    `sequences` names the video sequence of each image, empty where there is no video. Fractions in [0, 1]; None
    where nothing can be measured.
    """
    bootstrap = {"resamples": resamples, "block": block_frames, "seed": seed}
    return {
        "scores": scores(counts.matrices, classes).to_dict(),
        "boundary": {
            "boundary_f": none_if_nan(boundary_f(counts.boundary)),
            "trimap_miou": {
                str(width): none_if_nan(scores(counts.bands[:, index], classes).miou)
                for index, width in enumerate(BAND_WIDTHS)
            },
        },
        "intervals": _intervals(counts, classes, sequences, bootstrap),
        "sequences": _per_sequence(counts, classes, sequences),
        "calibration": calibration(counts.calibration),
        "confusion_matrix": counts.matrices.sum(0).tolist(),
    }


def _intervals(counts: Counts, classes, sequences, bootstrap) -> dict:
    found = both_intervals(sequences, score_statistic(counts.matrices), **bootstrap)
    boundary = both_intervals(sequences, boundary_statistic(counts.boundary), **bootstrap)

    def pick(column):
        return {kind: _pair(values[:, column]) for kind, values in found.items()}

    return {
        **{name: pick(column) for column, name in enumerate(SCORES)},
        "class_iou": {name: pick(len(SCORES) + index) for index, name in enumerate(classes)},
        "boundary_f": {kind: _pair(values) for kind, values in boundary.items()},
    }


def _pair(values: np.ndarray) -> list[float] | None:
    return None if np.isnan(values).any() else [float(value) for value in values]


def _per_sequence(counts: Counts, classes, sequences) -> dict:
    owner, found = np.asarray(sequences), {}
    for name in sorted(set(sequences)):
        chosen = owner == name
        part = scores(counts.matrices[chosen], classes).to_dict()
        found[name] = {
            "images": int(chosen.sum()),
            **{score: part[score] for score in SCORES},
            "boundary_f": none_if_nan(boundary_f(counts.boundary[chosen])),
            "class_iou": part["class_iou"],
        }
    return found
