"""Scores against scikit-learn, and against cases worked out by hand for what VOC and Cityscapes do with odd masks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from evaluation.counting.confusion import LabelRangeError, confusion_matrix, foreground, kappa, mask_scores, scores

VOID = 255


def matrix_of(prediction, target, classes=3, void=VOID):
    return confusion_matrix(torch.tensor(prediction), torch.tensor(target), classes, void)


def named(count):
    return tuple(f"class {index}" for index in range(count))


@pytest.mark.parametrize("void", [5, 11, 255])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.int32])
def test_confusion_matrix_equals_scikit_learn(void, dtype):
    random = np.random.default_rng(0)
    prediction, target = random.integers(0, 5, (2, 33, 47))
    target[random.random(target.shape) < 0.2] = void
    found = confusion_matrix(torch.tensor(prediction, dtype=dtype), torch.tensor(target).to(dtype), 5, void)
    kept = target != void
    expected = sklearn_metrics.confusion_matrix(target[kept], prediction[kept], labels=range(5))
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found.numpy(), expected)


def test_scores_equal_scikit_learn():
    random = np.random.default_rng(1)
    prediction, target = random.integers(0, 6, (2, 40, 50))
    target[:4] = VOID
    found = scores(matrix_of(prediction, target, 6), named(6))
    real, guess = target[4:].ravel(), prediction[4:].ravel()
    assert found.miou == pytest.approx(sklearn_metrics.jaccard_score(real, guess, average="macro"))
    weighted = sklearn_metrics.jaccard_score(real, guess, average="weighted")
    assert found.frequency_weighted_iou == pytest.approx(weighted)
    assert found.dice == pytest.approx(sklearn_metrics.f1_score(real, guess, average="macro"))
    assert found.pixel_accuracy == pytest.approx(sklearn_metrics.accuracy_score(real, guess))
    assert found.mean_accuracy == pytest.approx(sklearn_metrics.balanced_accuracy_score(real, guess))


@pytest.mark.parametrize("void", [2, 5, 11, 255])
def test_scores_of_a_mask_are_those_of_its_confusion_matrix(void):
    random = np.random.default_rng(2)
    prediction, target = random.integers(0, 5, (2, 33, 47), dtype=np.uint8)
    target[random.random(target.shape) < 0.2] = void
    pair = torch.from_numpy(prediction), torch.from_numpy(target)
    expected = scores(confusion_matrix(*pair, 5, void), named(5))
    assert mask_scores(prediction, target, named(5), void).to_dict() == expected.to_dict()


def test_a_mask_with_other_values_is_refused():
    good, bad = np.array([[0, 1]], np.uint8), np.array([[0, 7]], np.uint8)
    with pytest.raises(LabelRangeError, match="prediction holds 7; classes are 0 to 2, void is 255"):
        mask_scores(bad, good, named(3), VOID)
    with pytest.raises(LabelRangeError, match="target holds 7; classes are 0 to 2, void is 255"):
        mask_scores(good, bad, named(3), VOID)
    with pytest.raises(ValueError, match="prediction is"):
        mask_scores(good, good.T, named(3), VOID)


def test_matrix_worked_out_by_hand():
    matrix = matrix_of([0, 0, 1, 1, 2, 0], [0, 1, 1, 1, VOID, 2])
    assert matrix.tolist() == [[1, 0, 0], [1, 2, 0], [1, 0, 0]]
    found = scores(matrix, ("a", "b", "c"))
    assert found.class_iou == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3), "c": 0}
    assert found.miou == pytest.approx(1 / 3)
    assert found.pixel_accuracy == pytest.approx(3 / 5)
    assert found.mean_accuracy == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.frequency_weighted_iou == pytest.approx(1 / 5 * 1 / 3 + 3 / 5 * 2 / 3)
    assert found.class_dice == {"a": pytest.approx(2 / 4), "b": pytest.approx(4 / 5), "c": 0}


def test_void_pixels_do_not_count_whatever_is_predicted_there():
    # VOC's 255 border and Cityscapes' ignored labels: nothing predicted on them is a false positive.
    target = [0, 0, 1, VOID, VOID]
    assert torch.equal(matrix_of([0, 0, 1, 2, 1], target), matrix_of([0, 0, 1, 0, 0], target))
    assert scores(matrix_of([0, 0, 1, 2, 1], target), named(3)).miou == 1


def test_class_absent_from_target_and_prediction_is_left_out_of_the_mean():
    found = scores(matrix_of([0, 0, 1, 1], [0, 0, 1, 0]), named(3))
    assert math.isnan(found.class_iou["class 2"])
    assert found.miou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.to_dict()["class_iou"]["class 2"] is None


def test_class_predicted_but_absent_from_target_counts_as_zero():
    # VOC devkit: gtj + resj - gtjresj is positive, so the class has an IoU, and it is 0.
    found = scores(matrix_of([0, 0, 2, 1], [0, 0, 0, 1]), named(3))
    assert found.class_iou["class 2"] == 0
    assert found.miou == pytest.approx((2 / 3 + 1 + 0) / 3)
    # Mean accuracy is over classes that the target has: class 2 has no pixel to be right about.
    assert found.mean_accuracy == pytest.approx((2 / 3 + 1) / 2)


def test_class_never_hit_counts_as_zero():
    # Helpers that drop classes with TP = 0 report 1.0 here.
    assert scores(matrix_of([0, 0, 0], [0, 0, 1]), named(2 + 1)).miou == pytest.approx((2 / 3 + 0) / 2)


def test_all_void_has_no_score():
    found = scores(matrix_of([0, 1, 2], [VOID] * 3), named(3))
    for value in (found.pixel_accuracy, found.mean_accuracy, found.miou, found.frequency_weighted_iou, found.dice):
        assert math.isnan(value)
    assert found.to_dict()["miou"] is None


def test_matrices_are_summed_before_the_ratio():
    # One missed pixel in the first image, nine hit in the second: 0.9 over the split, 0.5 as a mean of images.
    first, second = matrix_of([1], [0], 2), matrix_of([0] * 9 + [1], [0] * 9 + [1], 2)
    found = scores(torch.stack([first, second]), named(2))
    assert found.class_iou["class 0"] == pytest.approx(0.9)


def cityscapes_iou(matrix, label):
    """The Cityscapes benchmark's IoU of one label, in its own words: true positives, false negatives and positives."""
    size = len(matrix)
    hits = matrix[label][label]
    misses = sum(matrix[label][other] for other in range(size) if other != label)
    alarms = sum(matrix[other][label] for other in range(size) if other != label)
    total = hits + misses + alarms
    return hits / total if total else math.nan


@settings(max_examples=50, deadline=None)
@given(arrays(np.int64, (4, 4), elements=st.integers(0, 50)))
def test_iou_agrees_with_the_cityscapes_definition(matrix):
    found = scores(matrix, named(4))
    expected = [cityscapes_iou(matrix.tolist(), label) for label in range(4)]
    np.testing.assert_allclose(list(found.class_iou.values()), expected)
    defined = [value for value in expected if not math.isnan(value)]
    assert (not defined and math.isnan(found.miou)) or found.miou == pytest.approx(sum(defined) / len(defined))


masks = arrays(np.int64, (2, 6, 7), elements=st.integers(0, 3))


@settings(max_examples=40, deadline=None)
@given(masks, st.permutations(range(42)), st.permutations(range(4)))
def test_order_of_pixels_and_names_of_classes_do_not_matter(pair, pixels, classes):
    prediction, target = pair
    plain = scores(matrix_of(prediction, target, 4), named(4))
    moved = matrix_of(prediction.ravel()[list(pixels)], target.ravel()[list(pixels)], 4)
    assert scores(moved, named(4)).to_dict() == plain.to_dict()
    renamed = scores(matrix_of(np.array(classes)[prediction], np.array(classes)[target], 4), named(4))
    assert renamed.miou == pytest.approx(plain.miou)
    assert renamed.frequency_weighted_iou == pytest.approx(plain.frequency_weighted_iou)


@settings(max_examples=40, deadline=None)
@given(masks, arrays(bool, (6, 7)))
def test_bounds_and_dice(pair, hidden):
    prediction, target = pair
    target = np.where(hidden, VOID, target)
    found = scores(matrix_of(prediction, target, 4), named(4))
    for value in (found.miou, found.pixel_accuracy, found.mean_accuracy, found.frequency_weighted_iou, found.dice):
        assert math.isnan(value) or 0 <= value <= 1
    for name, iou in found.class_iou.items():
        assert found.class_dice[name] == pytest.approx(2 * iou / (1 + iou), nan_ok=True)


@pytest.mark.parametrize("value", [3, 11, 254, -1])
def test_label_out_of_range_is_named(value):
    with pytest.raises(LabelRangeError, match=f"target holds {value}; classes are 0 to 2, void is 255"):
        matrix_of([0, 1], [0, value])


def test_prediction_out_of_range_is_named():
    with pytest.raises(LabelRangeError, match="prediction holds 255"):
        matrix_of([0, VOID], [0, 1])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        matrix_of([0, 1], [0, 1, 2])
    with pytest.raises(ValueError, match="expected 4 classes"):
        scores(np.zeros((3, 3), int), named(4))


def test_empty_image_gives_an_empty_matrix():
    assert matrix_of(np.zeros((0, 4), int), np.zeros((0, 4), int)).tolist() == [[0] * 3] * 3


def test_the_foreground_of_two_classes_is_scikit_learns():
    random = np.random.default_rng(0)
    target, prediction = (torch.from_numpy((random.random((2, 40, 30)) > share).astype(int)) for share in (0.9, 0.8))
    matrices = torch.stack([confusion_matrix(*pair, 2, VOID) for pair in zip(prediction, target, strict=True)])
    found = foreground(matrices, ("pavement", "crack"))
    arguments = target.ravel(), prediction.ravel()
    assert found["class"] == "crack"
    assert found["f1"] == pytest.approx(sklearn_metrics.f1_score(*arguments))
    assert found["precision"] == pytest.approx(sklearn_metrics.precision_score(*arguments))
    assert found["recall"] == pytest.approx(sklearn_metrics.recall_score(*arguments))
    nothing = foreground(torch.tensor([[5, 0], [0, 0]]), ("a", "b"))
    assert nothing == {"class": "b", "f1": None, "precision": None, "recall": None}
    assert foreground(np.zeros((3, 3)), ("a", "b", "c")) is None


def test_agreement_beyond_chance_is_scikit_learns_kappa():
    random = np.random.default_rng(1)
    target = random.integers(0, 3, 600)
    for prediction in (target, random.integers(0, 3, 600), np.where(random.random(600) < 0.7, target, 0)):
        matrix = sklearn_metrics.confusion_matrix(target, prediction, labels=range(3))
        assert kappa(matrix) == pytest.approx(sklearn_metrics.cohen_kappa_score(target, prediction), abs=1e-12)
    assert kappa(np.array([[90, 10], [0, 0]])) is None and kappa(np.zeros((3, 2, 2))) is None
