"""Two commits side by side: that both are run, that their answers are compared, and that nothing is left behind."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmark import __main__ as command
from evaluation.benchmark import side
from evaluation.benchmark.__main__ import main
from evaluation.benchmark.against import compare, compared
from evaluation.benchmark.both import MEASURES, NEED_BROWSER, NEED_DATA, SHOWN
from evaluation.benchmark.sides import AgainstError, Side, Wanted, environment
from zoo.places import REPOSITORY

QUICK = Wanted(checkpoint="fcn8s-vgg16bn-w25-ce-camvid", recipe="", data="", rounds=2, requests=0, quick=True)


def checkouts() -> list[str]:
    """Folders that comparisons have checked a commit out into."""
    listed = subprocess.run(["git", "worktree", "list"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if "/against-" in line]


def test_a_commit_beside_itself_gives_the_same_answers_and_leaves_no_checkout(tmp_path, capsys):
    before, out = checkouts(), tmp_path / "against.json"
    assert (
        main(["--against", "HEAD", "--quick", "--measures", "segment-1", "segment-full", "training", "--out", str(out)])
        == 0
    )
    document = json.loads(out.read_text(encoding="utf-8"))
    (segment,), (full,), (training,) = (
        document["measures"][name] for name in ("segment-1", "segment-full", "training")
    )
    assert segment["answers"] == full["answers"] == "100.000 % of the answers are equal"
    assert training["answers"].startswith("losses differ by at most 0.0e+00") and training["ratio"] > 0
    assert document["device"] in capsys.readouterr().out
    assert set(checkouts()) <= set(before)


def test_a_commit_that_is_not_there_is_named(capsys):
    assert main(["--against", "no-such-commit", "--quick", "--measures", "segment-1"]) == 1
    assert "no-such-commit: cannot be checked out" in capsys.readouterr().err


def test_the_evaluation_needs_its_data(capsys):
    assert main(["--against", "HEAD", "--measures", *NEED_DATA]) == 1
    assert "--data" in capsys.readouterr().err


def test_a_measure_on_the_screen_needs_a_browser(monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert main(["--against", "HEAD", "--measures", "segment-1", "camera"]) == 1
    assert "error: camera: need a browser; run: pip install" in capsys.readouterr().err
    asked = []
    monkeypatch.setattr(command.against, "against", lambda commit, names, wanted: asked.extend(names) or iter(()))
    monkeypatch.setattr(command, "_write", lambda *_: 0)
    assert main(["--against", "HEAD", "--quick"]) == 0
    assert set(asked) == {*MEASURES} - {*NEED_DATA, *NEED_BROWSER}


def test_sides_know_no_settings_of_the_page_but_the_precision(tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_ZOO_REPOS", "nowhere/at-all")
    monkeypatch.setenv("FCN_ZOO_PRECISION", "int8")
    given = environment(Side("one", tmp_path, tmp_path))
    assert {name for name in given if name.startswith("FCN_ZOO_")} == {"FCN_ZOO_PRECISION"}
    assert given["PYTHONPATH"] == str(tmp_path)


def test_every_measure_has_its_row():
    assert {measure for measure, _ in SHOWN} == {*MEASURES}


def test_ratio_is_that_of_the_medians_and_the_range_is_that_of_the_turns(tmp_path, monkeypatch):
    times = {"before": iter([9.0, 2.0, 4.0, 6.0]), "now": iter([9.0, 1.0, 4.0, 2.0])}  # the first is the warm-up
    order = []

    class Turns:
        def __init__(self, one: Side, wanted: Wanted):
            self.name = one.name

        def __enter__(self):
            return lambda: order.append(self.name) or {"seconds": next(times[self.name])}

        def __exit__(self, *error):
            return False

    monkeypatch.setitem(MEASURES, "camera", Turns)
    sides = tuple(Side(name, tmp_path, tmp_path) for name in ("before", "now"))
    (row,) = compare("camera", sides, Wanted("", "", "", rounds=3, requests=0, quick=True))
    assert order == ["before", "now"] * 4
    assert (row.before, row.now, row.ratio) == (4.0, 2.0, 0.5)
    assert (row.lowest, row.highest) == (2 / 6, 1.0)


def test_answers_are_compared_by_what_they_are(tmp_path):
    paths = tmp_path / "a.npy", tmp_path / "b.npy"
    assert compared(*paths) == ""
    for pair, expected in (
        ((np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5])), "75.000 % of the answers are equal"),
        ((np.array([1.0, 2.0]), np.array([1.0, 2.02])), "losses differ by at most 1.0e-02 of themselves"),
        ((np.zeros(2), np.zeros(3)), "answers of different shapes, (2,) and (3,)"),
    ):
        for path, array in zip(paths, pair, strict=True):
            np.save(path, array)
        assert compared(*paths) == expected
        assert not any(path.exists() for path in paths)


def test_a_side_that_fails_says_what_it_complained_of(tmp_path):
    (tmp_path / "zoo.py").write_text("raise RuntimeError('no zoo in this commit')")
    with (
        pytest.raises(AgainstError, match=r"old: segment failed: .*no zoo in this commit"),
        MEASURES["segment-1"](Side("old", tmp_path, tmp_path), QUICK) as turn,
    ):
        turn()


def test_modules_are_found_under_the_name_that_they_had(tmp_path, monkeypatch):
    (tmp_path / "earlier_name.py").write_text("import library_that_is_missing")
    (tmp_path / "plain_name.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert side.named("zoo.models.no_such_module", "plain_name") is sys.modules["plain_name"]
    with pytest.raises(ModuleNotFoundError, match="library_that_is_missing"):
        side.named("earlier_name", "plain_name")
    with pytest.raises(ModuleNotFoundError, match="none of later, latest"):
        side.named("later", "latest")


def test_side_knows_the_code_that_it_is_led_to_alone():
    """It runs in any commit, so it names no module of ours but the package `zoo` itself."""
    text = Path(side.__file__).read_text(encoding="utf-8")
    assert "from evaluation" not in text and "from zoo" not in text and "from training" not in text


@pytest.mark.parametrize(("measure", "figures"), [("camera", {"seconds"}), ("start", {"seconds", "mask"})])
def test_what_a_visitor_waits_for_is_seen_in_a_browser(measure, figures, tmp_path):
    code = f"""
import json
from pathlib import Path
from evaluation.benchmark.both import MEASURES
from evaluation.benchmark.sides import Side, Wanted
from zoo.places import REPOSITORY
wanted = Wanted("", "", "", rounds=1, requests=0, quick=True)
with MEASURES["{measure}"](Side("this code", REPOSITORY, Path("{tmp_path}")), wanted) as turn:
    print(json.dumps(turn()))
"""  # in a process of its own: Playwright cannot be entered twice in one
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert set(found) == figures and all(0 < value < 600 for value in found.values())
    assert "mask" not in found or found["mask"] > found["seconds"]


def test_a_measure_of_minutes_has_one_turn_that_counts(tmp_path, monkeypatch):
    class Turns:
        def __init__(self, one: Side, wanted: Wanted):
            self.megabytes = {"before": 1000.0, "now": 400.0}[one.name]

        def __enter__(self):
            turns = iter([self.megabytes])
            return lambda: {"megabytes": next(turns)}

        def __exit__(self, *error):
            return False

    monkeypatch.setitem(MEASURES, "memory", Turns)
    sides = tuple(Side(name, tmp_path, tmp_path) for name in ("before", "now"))
    (row,) = compare("memory", sides, Wanted("", "", "", rounds=3, requests=0, quick=True))
    assert (row.before, row.now, row.ratio) == (1000.0, 400.0, 0.4)
