"""Boundary scores against loops over pixels and against scipy's distance transform."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.segmentation import find_boundaries
from sklearn.metrics import confusion_matrix

from evaluation.counting import boundary as boundary
from evaluation.counting.boundary import (
    BAND_WIDTHS,
    band_confusion_matrices,
    boundaries,
    boundary_counts,
    boundary_f,
    boundary_f_per_image,
    dilate,
    nested_confusion_matrices,
    nested_dilations,
    squared_tolerance,
)
from evaluation.counting.confusion import LabelRangeError

VOID = 9


def boundary_pixels(mask, void_mask, label):
    """Pixels of one class with a neighbour of another value, void pixels apart, one by one."""
    height, width = mask.shape
    found = []
    for y, x in itertools.product(range(height), range(width)):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [mask[v, u] for v, u in around if 0 <= v < height and 0 <= u < width]
        if mask[y, x] == label and not void_mask[y, x] and any(value != label for value in inside):
            found.append((y, x))
    return found


def brute_force_f(prediction, target, classes, tolerance):
    """SegNet's boundary F of one image by comparing every boundary pixel with every other."""
    void_mask, per_class = target == VOID, []
    for label in range(classes):
        guessed = boundary_pixels(prediction, void_mask, label)
        real = boundary_pixels(target, void_mask, label)
        if not guessed and not real:
            continue

        def share(points, others):
            near = [any(math.dist(point, other) <= tolerance for other in others) for point in points]
            return sum(near) / len(near) if near else 0

        precision, recall = share(guessed, real), share(real, guessed)
        per_class.append(2 * precision * recall / (precision + recall) if precision + recall else 0)
    return sum(per_class) / len(per_class) if per_class else math.nan


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, (9, 11), elements=st.integers(0, 3)),
    arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 1, 2, 3, VOID])),
    st.sampled_from([0, 1, 2, 4, 5, 8]),
)
def test_boundary_f_equals_brute_force(prediction, target, squared):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundary, "squared_tolerance", lambda height, width: squared)
        found = boundary_f_per_image(boundary_counts(prediction, target, 4, VOID))
    assert found == pytest.approx(brute_force_f(prediction, target, 4, math.sqrt(squared)), nan_ok=True)


def blobs(shape, classes, seed, void=VOID):
    """Random smooth regions with some void."""
    noise = np.random.default_rng(seed).random((classes, *shape))
    mask = ndimage.gaussian_filter(noise, (0, 6, 6)).argmax(0).astype(np.uint8)
    mask[:5, : shape[1] // 3] = void
    return mask


@pytest.mark.slow
@pytest.mark.parametrize("classes", [5, 70, 130])
def test_counts_equal_distance_transforms_at_real_tolerance(classes):
    void = 255
    target, prediction = blobs((240, 320), classes, 1, void), blobs((240, 320), classes, 1, void)
    prediction = np.roll(prediction, 2, axis=1)
    prediction[prediction == void] = 0
    prediction[60:90, 60:90] = 1
    found = boundary_counts(prediction, target, classes, void)
    labelled, tolerance = target != void, 0.0075 * math.hypot(240, 320)
    for label in range(classes):
        edges = [find_boundaries(mask == label, mode="inner") & labelled for mask in (prediction, target)]
        far = np.full(target.shape, np.inf)
        near = [(ndimage.distance_transform_edt(~edge) if edge.any() else far) <= tolerance for edge in edges]
        expected = [edges[0].sum(), (edges[0] & near[1]).sum(), edges[1].sum(), (edges[1] & near[0]).sum()]
        assert found[label].tolist() == expected


def test_tolerance_is_a_share_of_the_diagonal():
    assert squared_tolerance(360, 480) == 20  # 0.0075 * 600 = 4.5 pixels: 4.47 is within, 5 is not
    assert squared_tolerance(300, 400) == 14
    assert squared_tolerance(1024, 2048) == 294  # 17.17 pixels
    assert squared_tolerance(3, 4) == 0


def test_shift_within_tolerance_is_perfect_and_beyond_is_not():
    target = np.zeros((360, 480), np.uint8)
    target[100:200, 100:200] = 1

    def f_of_shift(pixels):
        return boundary_f(boundary_counts(np.roll(target, pixels, axis=1), target, 2, 255)[None])

    assert f_of_shift(0) == f_of_shift(4) == 1
    assert 0.3 < f_of_shift(12) < 0.7  # the horizontal edges still overlap
    assert f_of_shift(150) == 0


def test_boundaries_equal_scikit_image():
    mask = blobs((60, 80), 4, 3)
    np.testing.assert_array_equal(boundaries(mask), find_boundaries(mask, connectivity=1, mode="thick"))


def test_one_class_everywhere_has_no_boundary():
    mask = np.zeros((20, 20), np.uint8)
    assert math.isnan(boundary_f(boundary_counts(mask, mask, 3, VOID)[None]))
    assert not band_confusion_matrices(mask, mask, 3, VOID).any()


def test_split_score_is_the_mean_over_images_with_a_boundary():
    flat = np.zeros((20, 20), np.uint8)
    half = flat.copy()
    half[10:] = 1
    counts = np.stack([boundary_counts(half, half, 2, VOID), boundary_counts(flat, half, 2, VOID)])
    empty = boundary_counts(flat, flat, 2, VOID)[None]
    assert boundary_f(counts) == 0.5
    assert boundary_f(np.concatenate([counts, empty])) == 0.5


@pytest.mark.parametrize(("classes", "void"), [(4, VOID), (4, 4), (200, 255)])
def test_the_count_of_the_bands_holds_that_of_the_whole_image(classes, void):
    target = np.where(blobs((40, 50), 4, 5) == VOID, void, blobs((40, 50), 4, 5)).astype(np.uint8)
    prediction = np.random.default_rng(0).integers(0, classes, target.shape).astype(np.uint8)
    *bands, whole = nested_confusion_matrices(prediction, target, classes, void)
    known = target != void
    wanted = confusion_matrix(target[known], prediction[known], labels=range(classes))
    np.testing.assert_array_equal(whole, wanted)
    depth = ndimage.distance_transform_edt(~(boundaries(target) & known))
    for width, band in zip(BAND_WIDTHS, bands, strict=True):
        near = known & (depth < width)
        wanted = confusion_matrix(target[near], prediction[near], labels=range(classes))
        np.testing.assert_array_equal(band, wanted)


@pytest.mark.parametrize("name", ["prediction", "target"])
def test_values_that_are_no_class_are_not_counted(name):
    masks = {"prediction": np.zeros((8, 8), np.uint8), "target": np.zeros((8, 8), np.uint8)}
    masks[name][3, 4] = 7
    with pytest.raises(LabelRangeError, match=f"{name} holds 7; classes are 0 to 3, void is 9"):
        nested_confusion_matrices(**masks, classes=4, void=VOID)
    with pytest.raises(ValueError, match=r"prediction is \(8, 8\) but target is \(8, 1\)"):
        nested_confusion_matrices(masks["prediction"], np.zeros((8, 1), np.uint8), 4, VOID)


def test_void_pixels_do_not_count():
    target = blobs((40, 50), 4, 5)
    first, second = np.random.default_rng(0).integers(0, 4, (2, 40, 50)).astype(np.uint8)
    hidden = ndimage.binary_erosion(target == VOID)  # a void pixel's value still bounds its neighbours
    second = np.where(hidden, second, first)
    assert hidden.any()
    np.testing.assert_array_equal(boundary_counts(first, target, 4, VOID), boundary_counts(second, target, 4, VOID))
    np.testing.assert_array_equal(
        band_confusion_matrices(first, target, 4, VOID), band_confusion_matrices(second, target, 4, VOID)
    )


def test_bands_equal_distance_transform():
    target, prediction = blobs((90, 120), 4, 7), blobs((90, 120), 4, 8, void=0)
    labelled = target != VOID
    distance = ndimage.distance_transform_edt(~(find_boundaries(target, connectivity=1, mode="thick") & labelled))
    found = band_confusion_matrices(prediction, target, 4, VOID)
    for matrix, width in zip(found, BAND_WIDTHS, strict=True):
        inside = (distance < width) & labelled
        expected = np.zeros((4, 4), int)
        np.add.at(expected, (target[inside], prediction[inside]), 1)
        np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize("squared", [0, 1, 2, 5, 20, 255, 10_000])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (30, 41)])
def test_dilation_reaches_exactly_the_disk(shape, squared):
    bits = np.zeros(shape, np.uint8)
    y, x = shape[0] // 2, shape[1] // 3
    bits[y, x] = 4
    rows, columns = np.indices(shape)
    expected = np.where((rows - y) ** 2 + (columns - x) ** 2 <= squared, 4, 0)
    np.testing.assert_array_equal(dilate(bits, squared), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (37, 51), (120, 9)])
def test_nested_dilations_equal_one_dilation_a_radius(shape):
    bits = np.random.default_rng(3).random(shape) < 0.02
    bits[0, 0] = True
    radii = (0, 3, 15, 63, 255)
    expected = sum(dilate(bits.view(np.uint8), radius) for radius in radii)
    np.testing.assert_array_equal(nested_dilations(bits, radii), expected)
