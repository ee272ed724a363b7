"""The bootstrap against resampling by hand and against its promise: 95 of 100 intervals hold the true value."""

import time

import numpy as np
import pytest

from evaluation.counting.bootstrap import (
    block_weights,
    both_intervals,
    boundary_statistic,
    image_weights,
    interval,
    miou_statistic,
    paired_difference,
    resample,
    score_statistic,
    wider,
)
from evaluation.counting.boundary import boundary_f
from evaluation.counting.confusion import scores


def accuracy_statistic(hits, pixels):
    """Hits and pixels per image -> share of hits, as a statistic of weights."""
    return lambda weights: (weights @ hits) / (weights @ pixels)


def random_matrices(images, classes=4, seed=0):
    return np.random.default_rng(seed).integers(0, 60, (images, classes, classes))


def test_weights_count_drawn_images():
    weights = image_weights(30, 500, np.random.default_rng(0))
    assert weights.shape == (500, 30)
    assert (weights.sum(1) == 30).all()
    assert abs(weights.mean(0) - 1).max() < 0.2  # every image is as likely


def test_blocks_are_runs_within_a_sequence():
    sequences = ("a",) * 12 + ("b",) * 7
    weights = block_weights(sequences, 4, 300, np.random.default_rng(0))
    assert (weights[:, :12].sum(1) == 12).all()
    assert (weights[:, 12:].sum(1) == 7).all()
    assert abs(weights.mean(0) - 1).max() < 0.3
    # 12 images are three runs of four: at most three upward steps around the circle of frames.
    rises = (np.diff(np.concatenate([weights[:, :12], weights[:, :1]], axis=1)) > 0).sum(1)
    assert rises.max() <= 3
    whole = block_weights(("a",) * 6, 100, 50, np.random.default_rng(0))
    assert (whole == 1).all()  # one block as long as the sequence


def test_statistics_equal_scores_of_repeated_images():
    matrices = random_matrices(9)
    matrices[:, 3] = 0
    matrices[:, :, 3] = 0  # a class that is absent everywhere
    weights = image_weights(9, 5, np.random.default_rng(3))
    found, mious = score_statistic(matrices)(weights), miou_statistic(matrices)(weights)
    for index, row in enumerate(weights):
        expected = scores(np.repeat(matrices, row, axis=0), tuple("abcd"))
        names = ("pixel_accuracy", "mean_accuracy", "miou", "frequency_weighted_iou", "dice")
        figures = [getattr(expected, name) for name in names] + list(expected.class_iou.values())
        np.testing.assert_allclose(found[index], figures)
        assert mious[index] == pytest.approx(expected.miou)


def test_boundary_statistic_equals_the_score_of_repeated_images():
    counts = np.random.default_rng(0).integers(0, 20, (8, 3, 4))
    counts[..., 1], counts[..., 3] = counts[..., 0] // 2, counts[..., 2] // 3
    counts[5] = 0  # an image without a boundary
    weights = image_weights(8, 4, np.random.default_rng(1))
    found = boundary_statistic(counts)(weights)
    assert found == pytest.approx([boundary_f(np.repeat(counts, row, axis=0)) for row in weights])


def test_equal_images_leave_no_doubt():
    matrices = np.repeat(random_matrices(1), 20, axis=0)
    found = both_intervals(("a",) * 20, miou_statistic(matrices), resamples=200)
    expected = scores(matrices, tuple("abcd")).miou
    for low, high in found.values():
        assert low == pytest.approx(expected)
        assert high == pytest.approx(expected)


def coverage(simulate, truth, *, block, simulations=200, images=80):
    random, inside = np.random.default_rng(0), 0
    for seed in range(simulations):
        hits = simulate(random, images)
        samples = resample(
            ("a",) * images, accuracy_statistic(hits, np.ones(images)), block=block, resamples=400, seed=seed
        )
        low, high = interval(samples)
        inside += low <= truth <= high
    return inside / simulations


def test_coverage_on_independent_images():
    assert 0.90 <= coverage(lambda random, images: random.beta(8, 2, images), 0.8, block=0) <= 0.99


def frames(random, images):
    """Video: each frame is much like the one before it (correlation 0.8), 0.7 on average."""
    values = [random.normal()]
    for noise in random.normal(size=images - 1):
        values.append(0.8 * values[-1] + 0.6 * noise)
    return 0.7 + 0.05 * np.array(values)


def test_blocks_cover_dependent_frames_better_than_images():
    single, blocks = (coverage(frames, 0.7, block=size) for size in (0, 10))
    assert single < 0.7
    assert blocks > single + 0.15


def test_the_wider_interval_is_shown():
    np.testing.assert_array_equal(wider(np.array([[0.1], [0.3]]), np.array([[0.2], [0.5]])), [[0.2], [0.5]])
    hits = frames(np.random.default_rng(0), 100)
    found = both_intervals(("a",) * 100, accuracy_statistic(hits, np.ones(100)), resamples=500)
    np.testing.assert_array_equal(found["shown"], found["blocks"])
    assert np.diff(found["blocks"]) > np.diff(found["images"])
    stills = both_intervals(("",) * 100, accuracy_statistic(hits, np.ones(100)), resamples=500)
    assert set(stills) == {"images", "shown"}  # no video, no blocks


def test_paired_difference_sees_what_two_intervals_do_not():
    random = np.random.default_rng(0)
    hits = random.integers(300, 900, 60)  # images differ a lot, but the second model is a little better on each
    first, second = ([[[n + bonus, 1000 - n - bonus], [0, 500]] for n in hits] for bonus in (0, 20))
    first, second = np.array(first), np.array(second)
    low, high = paired_difference(second, first, ("a",) * 60, resamples=1000)
    assert 0 < low < high
    one, other = (interval(resample(("a",) * 60, miou_statistic(m), resamples=1000)) for m in (first, second))
    assert other[0] < one[1]  # unpaired, the intervals overlap
    assert paired_difference(first, second, ("a",) * 60, resamples=1000) == pytest.approx((-high, -low))
    assert paired_difference(first, first, ("a",) * 60, resamples=1000) == (0, 0)


def test_paired_difference_needs_the_same_images():
    with pytest.raises(ValueError, match="3, 4 matrices, 4 sequence names"):
        paired_difference(random_matrices(3), random_matrices(4), ("a",) * 4)
    with pytest.raises(ValueError, match="at least one image"):
        resample((), miou_statistic(random_matrices(1)))


def test_chunks_and_seed_give_the_same_samples(monkeypatch):
    statistic = miou_statistic(random_matrices(20))
    whole = resample(("a",) * 20, statistic, resamples=300, seed=4)
    assert np.array_equal(whole, resample(("a",) * 20, statistic, resamples=300, seed=4))
    assert not np.array_equal(whole, resample(("a",) * 20, statistic, resamples=300, seed=5))
    monkeypatch.setattr("evaluation.counting.bootstrap._CHUNK", 20 * 70)
    assert np.array_equal(whole, resample(("a",) * 20, statistic, resamples=300, seed=4))


def test_undefined_everywhere_stays_undefined():
    assert np.isnan(interval(np.full((50, 2), np.nan))).all()


def test_ten_thousand_resamples_of_the_test_split_take_less_than_a_second():
    matrices, sequences = random_matrices(233, classes=11), ("0001TP",) * 62 + ("Seq05VD",) * 171
    start = time.process_time()
    samples = resample(sequences, miou_statistic(matrices), block=10, resamples=10_000)
    assert time.process_time() - start < 1
    assert samples.shape == (10_000,)
