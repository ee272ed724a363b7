"""How well a mask follows label boundaries: SegNet's boundary F score and confusion matrices inside trimap bands.

A boundary pixel of class c is a pixel of c with a 4-neighbour that is not c. As in SegNet's script, a class has a
boundary against void too; pixels whose target is void are dropped from both masks. Boundary F (Csurka et al. 2013;
SegNet, PAMI 2017, `computeBFmeasure.m`): a boundary pixel is matched when the other mask has a boundary pixel of the
same class within 0.75 % of the image's diagonal; F per class, averaged over the classes with a boundary in target or
prediction, then over images. SegNet's script pairs pixels one to one, this one by distance alone, as Csurka et al. do.

Everything is whole-array integer arithmetic on numpy arrays, which leaves the interpreter free for the forward pass:
all classes are dilated at once, one bit each, by disks whose squared radius is an integer, so no rounding decides.
"""

import math

import numpy as np

from evaluation.counting.confusion import check_pairs, count_pairs, mean_of_defined, ratio

BAND_WIDTHS = (1, 2, 4, 8, 16)  # pixels on each side of a label boundary
UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
COUNTS = ("predicted", "predicted matched", "target", "target matched")


def boundaries(mask: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool of a mask (H, W) of class ids that have a 4-neighbour of another class (or void)."""
    found = np.zeros(mask.shape, bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= right
    found[:, :-1] |= right
    return found


def dilate(bits: np.ndarray, squared_radius: int) -> np.ndarray:
    """Spread every bit of an (H, W) unsigned integer array over the disk dx^2 + dy^2 <= squared_radius."""
    row, spread, reach = bits.copy(), np.zeros_like(bits), 0
    for dy in range(min(math.isqrt(squared_radius), len(bits) - 1), -1, -1):
        width = min(math.isqrt(squared_radius - dy * dy), bits.shape[1] - 1)
        for dx in range(reach + 1, width + 1):
            row[:, dx:] |= bits[:, :-dx]
            row[:, :-dx] |= bits[:, dx:]
        reach = max(reach, width)
        spread[dy:] |= row[: len(row) - dy]
        spread[: len(row) - dy] |= row[dy:]
    return spread


def nested_dilations(bits: np.ndarray, squared_radii: tuple[int, ...]) -> np.ndarray:
    """How many of the disks dx^2 + dy^2 <= r2 around each pixel of an (H, W) bool array hold a set one, (H, W) uint8.

    Same answer as one `dilate` a radius. The rows are spread once for all radii; columns are then joined on packed
    bits, eight pixels to a byte.
    """
    reach = min(math.isqrt(max(squared_radii)), bits.shape[1] - 1)
    row, packed = bits.copy(), [np.packbits(bits, axis=1)]
    for dx in range(1, reach + 1):
        row[:, dx:] |= bits[:, :-dx]
        row[:, :-dx] |= bits[:, dx:]
        packed.append(np.packbits(row, axis=1))
    found = np.zeros(bits.shape, np.uint8)
    for squared_radius in squared_radii:
        spread = np.zeros_like(packed[0])
        for dy in range(min(math.isqrt(squared_radius), len(bits) - 1) + 1):
            source = packed[min(math.isqrt(squared_radius - dy * dy), reach)]
            spread[dy:] |= source[: len(source) - dy]
            spread[: len(source) - dy] |= source[dy:]
        found += np.unpackbits(spread, axis=1, count=bits.shape[1])
    return found


def squared_tolerance(height: int, width: int) -> int:
    """Largest squared pixel distance within 0.75 % of the diagonal: 20 (4.47 px) at 360x480."""
    return 9 * (height * height + width * width) // 160_000


def boundary_counts(prediction: np.ndarray, target: np.ndarray, classes: int, void: int) -> np.ndarray:
    """Boundary pixels per class, (classes, 4) int64, columns as in `COUNTS`, for two (H, W) masks of class ids."""
    labelled = target != void
    edges = [np.flatnonzero(boundaries(mask) & labelled) for mask in (prediction, target)]
    limit = squared_tolerance(*target.shape)
    counts = np.zeros((classes, 4), np.int64)
    pairs = ((0, prediction, edges[0], target, edges[1]), (2, target, edges[1], prediction, edges[0]))
    for column, mask, edge, other, other_edge in pairs:
        ids = mask.ravel()[edge]
        near = _near(other.ravel()[other_edge], other_edge, edge, ids, classes, limit, target.shape)
        counts[:, column] = np.bincount(ids, minlength=classes)
        counts[:, column + 1] = np.bincount(ids[near], minlength=classes)
    return counts


def _near(ids, positions, asked, asked_ids, classes, squared_radius, shape):
    """For each flat position `asked` of class `asked_ids`: is one of `positions`, of equal class in `ids`, in reach?"""
    near = np.zeros(len(asked), bool)
    for start in range(0, classes, 64):  # one bit per class
        needed = min(classes - start, 64)
        bits = next(kind for kind in UNSIGNED if np.iinfo(kind).bits >= needed)
        here, mine = ((array >= start) & (array < start + needed) for array in (ids, asked_ids))
        planes = np.zeros(shape, bits)
        planes.ravel()[positions[here]] = np.left_shift(bits(1), (ids[here] - start).astype(bits))
        spread = dilate(planes, squared_radius).ravel()[asked[mine]]
        near[mine] = np.right_shift(spread, (asked_ids[mine] - start).astype(bits)) & bits(1)
    return near


def boundary_f_per_image(counts: np.ndarray) -> np.ndarray:
    """Boundary F (...) in [0, 1] of each image from its `boundary_counts` (..., C, 4); NaN without any boundary."""
    predicted, predicted_matched, target, target_matched = np.moveaxis(np.asarray(counts), -1, 0)
    precision = np.nan_to_num(ratio(predicted_matched, predicted))
    recall = np.nan_to_num(ratio(target_matched, target))
    f_score = np.nan_to_num(ratio(2 * precision * recall, precision + recall))
    return mean_of_defined(np.where(predicted + target > 0, f_score, np.nan))


def boundary_f(counts: np.ndarray) -> float:
    """Boundary F in [0, 1] of a split: the mean over images that have a boundary; NaN where none has."""
    return float(mean_of_defined(boundary_f_per_image(counts)))


def band_confusion_matrices(prediction: np.ndarray, target: np.ndarray, classes: int, void: int) -> np.ndarray:
    """Confusion matrices (len(BAND_WIDTHS), classes, classes) int64 of the pixels close to a target boundary.

    Band `r` holds the non-void pixels less than `r` px (Euclidean) away from a boundary pixel of the target, so `r`
    pixels on each side; band 1 is the boundary pixels themselves. The bands are nested.
    """
    return nested_confusion_matrices(prediction, target, classes, void)[:-1]


def nested_confusion_matrices(prediction: np.ndarray, target: np.ndarray, classes: int, void: int) -> np.ndarray:
    """`band_confusion_matrices` and after them that of the whole image, in one count.

    Both masks are (H, W) uint8. Raises LabelRangeError for values that are no class, ValueError for masks of
    different shapes.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction is {prediction.shape} but target is {target.shape}")
    labelled = target != void
    edge = boundaries(target) & labelled
    depth = nested_dilations(edge, tuple(width * width - 1 for width in BAND_WIDTHS))  # all of them on the boundary
    # Rings are disjoint. Void becomes one more row that is cut off again, whatever else is no class another.
    rings, rows = len(BAND_WIDTHS) + 1, np.full(256, classes + 1, np.uint8 if classes < 255 else np.uint16)
    rows[:classes] = range(classes)
    rows[void] = classes
    places = depth.astype(np.int32) * (classes + 2)
    places += rows[target]
    places *= classes
    places += np.minimum(prediction, classes - 1)
    counts = np.bincount(places.ravel(), minlength=rings * (classes + 2) * classes)
    counts = counts.reshape(rings, classes + 2, classes)
    if counts[:, classes + 1].any() or (prediction.size and prediction.max() >= classes):
        check_pairs(count_pairs(prediction, target), classes, void)
    return np.cumsum(counts[::-1, :classes], axis=0)
