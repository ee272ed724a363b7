"""Coverage, simultaneous intervals and flips against worlds, quantiles and searches whose answers are known."""

import csv
import io
import json
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

from evaluation import coverage as coverage_command
from evaluation import pairs as pairs_command
from evaluation.board.rows import read_results
from evaluation.counting.confusion import scores
from evaluation.counting.coverage import WORLDS, World, coverage, seed_coverage
from evaluation.counting.differences import class_differences, flip, simultaneous
from zoo.places import RESULTS
from zoo.text import document, languages, number


def matrices_of(images, classes=3, seed=0, repeat=1):
    """(images, C, C) matrices; `repeat` neighbours are equal, as frames of a video that stands still."""
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 40, (-(-images // repeat), classes, classes)) + 60 * np.eye(classes, dtype=int)
    return np.repeat(made, repeat, axis=0)[:images]


def test_worlds_draw_what_they_say():
    generator, sequences = np.random.default_rng(0), ("a",) * 12 + ("b",) * 8
    singles = World("").draw(sequences, generator)
    assert len(singles) == 20 and set(singles) <= set(range(20))
    runs = World("", run=4).draw(sequences, generator).reshape(5, 4)
    for run in runs:
        first, count = (0, 12) if run[0] < 12 else (12, 8)
        assert ((run - first) == (run[0] - first + np.arange(4)) % count).all()
    stretch = World("", stretch=True, share=0.4).draw(sequences, generator)
    assert len(stretch) == 8 and len(set(stretch)) == 8 and len({sequences[index] for index in stretch}) == 1


def test_intervals_hold_the_truth_of_independent_images_and_not_of_frames_that_are_alike():
    sequences = ("video",) * 80
    independent = coverage(matrices_of(80), sequences, WORLDS[0], samples=200, resamples=200)
    assert 0.9 <= independent.held["images"] <= 0.99 and independent.samples == 200
    assert independent.width["images"] == pytest.approx(independent.spread, rel=0.2)
    alike = matrices_of(80, repeat=8)
    still = coverage(alike, sequences, World("", run=8), samples=200, resamples=200, block=8)
    assert still.held["images"] < 0.65 < still.held["blocks"] <= still.held["shown"]
    assert still.width["images"] < still.spread / 1.5
    photos = coverage(matrices_of(30), ("",) * 30, WORLDS[0], samples=10, resamples=100)
    assert "blocks" not in photos.held


def test_paired_differences_are_covered_too():
    first, second = matrices_of(60, seed=1), matrices_of(60, seed=2)
    found = coverage(first, ("",) * 60, WORLDS[0], other=second, samples=200, resamples=200)
    assert 0.88 <= found.held["shown"] <= 0.99
    same = coverage(first, ("",) * 60, WORLDS[0], other=first, samples=5, resamples=100)
    assert same.held["shown"] == 1 and same.width["shown"] == same.spread == 0


def test_an_interval_over_images_leaves_out_what_the_seed_moves():
    images, names = matrices_of(60), ("",) * 60
    shifted = [images, images + 20 * np.eye(3, dtype=int), images + 50 * np.eye(3, dtype=int)]
    found = seed_coverage(shifted, names, samples=300, resamples=150)
    assert found["images"].held["shown"] < 0.6 < 0.9 < found["images and seeds"].held["shown"]
    equal = seed_coverage([images, images], names, samples=100, resamples=150)
    assert equal["images"].held["shown"] == pytest.approx(equal["images and seeds"].held["shown"], abs=0.05)


def test_simultaneous_intervals_are_as_wide_as_the_largest_of_normals_asks():
    samples = np.random.default_rng(0).normal(3, [1.0] * 19 + [7.0], (20_000, 20))
    low, high = simultaneous(samples, np.full(20, 3.0))
    factor = norm.ppf((1 + 0.95 ** (1 / 20)) / 2)  # Šidák's, exact for independent normals
    assert (high - low)[:19] / 2 == pytest.approx(np.full(19, factor), rel=0.03)
    assert high[19] - low[19] == pytest.approx(14 * factor, rel=0.03)
    samples[:, 1], samples[:, 0] = 3.0, np.nan  # one that nothing moves, one that is undefined
    low, high = simultaneous(samples, np.array([np.nan, *[3.0] * 19]))
    assert np.isnan([low[0], high[0]]).all() and low[1] == high[1] == 3


def test_class_differences_leave_out_what_is_no_difference():
    generator = np.random.default_rng(5)
    first = np.stack([np.diag([50, 50, 50]) + generator.integers(0, 20, (3, 3)) for _ in range(60)])
    second = first.copy()
    second[:, 2, 0] += 25  # class 2 is taken for class 0 more often
    observed, intervals = class_differences([first, second], [(0, 1)], ("",) * 60, resamples=1000)
    expected = [
        scores(first, tuple("abc")).class_iou[name] - scores(second, tuple("abc")).class_iou[name] for name in "abc"
    ]
    assert observed[0] == pytest.approx(expected)
    assert intervals[0, 0, 0] > 0 and intervals[0, 0, 2] > 0 and observed[0, 1] == 0
    assert (intervals[:, 0, 1] == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_flip_is_the_smallest_set(seed):
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 9, (2, 9, 2, 2))

    def gap(kept):
        return scores(first[kept], ("a", "b")).miou - scores(second[kept], ("a", "b")).miou

    sign, everything = np.sign(gap(list(range(9)))), set(range(9))
    smallest = next(
        (
            size
            for size in range(1, 9)
            for gone in combinations(range(9), size)
            if sign * gap(sorted(everything - set(gone))) < 0
        ),
        None,
    )
    found = flip(first, second)
    if found is None:
        assert smallest is None or smallest > 1  # images go one by one, and the order never turned
    else:
        assert found.exact and len(found.images) == smallest
        assert sign * gap(sorted(everything - set(found.images))) < 0
    assert flip(first, first).images == ()


def test_flip_says_where_fewer_might_do(monkeypatch):
    monkeypatch.setattr("evaluation.counting.differences.MOST_SUBSETS", 25)
    first = np.array([[[9, 1], [1, 9]]] * 8 + [[[1, 9], [9, 1]]] * 12)
    second = np.array([[[5, 5], [5, 5]]] * 20)
    found = flip(second, first)
    assert found and not found.exact and len(found.images) >= 3


def test_pairs_command_prints_and_exports(capsys):
    a, b = "fcn8s-vgg16bn-w25-dice-camvid", "fcn8s-vgg16bn-w25-focal-camvid"
    assert pairs_command.main([a, b]) == 0
    printed = capsys.readouterr().out
    assert "+0.7" in printed and "at most 18 of 101" in printed and "simultaneous" in printed
    assert pairs_command.main([a, b, "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["of"] for line in lines][:2] == ["mIoU", "sky"] and len(lines) == 12
    assert pairs_command.main([a, b, "--format", "json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    (one, other) = (read_results(RESULTS)[0][0].document for _ in range(2))
    assert entry["comparisons"] == len(one["dataset"]["classes"]) == len(other["dataset"]["classes"])
    for name, found in entry["classes"].items():
        low, high = found["interval"]
        assert low <= found["difference"] <= high, name
    assert pairs_command.main([a, "nothing"]) == 1 and "there are: fcn16s" in capsys.readouterr().err
    assert pairs_command.main(["--results", "/nowhere"]) == 1


def test_coverage_command_refuses_what_it_cannot_use(tmp_path, capsys):
    assert coverage_command.main(["--results", str(tmp_path / "none")]) == 1
    assert coverage_command.main(["--results", str(tmp_path), "--seeds", str(tmp_path)]) == 1
    assert "no result with counts" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        coverage_command.main(["--samples", "1"])


def test_the_page_says_what_the_simulation_prints(monkeypatch, capsys):
    """The world that the text ends on, one stretch of a video, with the numbers of `python -m evaluation.coverage`."""
    monkeypatch.setattr(coverage_command, "WORLDS", WORLDS[-1:])
    monkeypatch.setattr(coverage_command, "PAIRS", 100)
    monkeypatch.setattr(coverage_command, "simulate_seeds", lambda *_: [])
    assert coverage_command.main(["--format", "json"]) == 0
    (row,) = (one for one in json.loads(capsys.readouterr().out) if one["interval"] == "mIoU")
    factor = row["needed_width"] / row["width"]
    for language in languages():
        text = document("how_we_measure", language)
        assert f"{100 * row['held_shown']:.0f} %" in text
        assert number(round(factor, 1), language, 1) in text
    assert row["held_shown"] < 0.5
