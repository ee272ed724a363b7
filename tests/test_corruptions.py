"""Corruptions: what each does to an image, that all checkpoints see the same, and the figures' place in a result."""

import json

import numpy as np
import pytest
from PIL import Image

from evaluation import corruptions as command
from evaluation.board.rows import read_results
from evaluation.datasets import open_dataset
from evaluation.measuring.corruptions import CORRUPTIONS, LEVELS, measure_corruptions, shown
from evaluation.measuring.evaluate import evaluate as count
from evaluation.measuring.results import verify
from zoo.checkpoints.folder import save
from zoo.images.examples import examples
from zoo.labels import CAMVID
from zoo.places import REPOSITORY, RESULTS

BY_NAME = {one.name: one for one in CORRUPTIONS}


@pytest.fixture(scope="module")
def photo():
    return np.array(Image.open(examples()[0].photo).convert("RGB"))


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda one: one.name)
def test_each_level_is_further_from_the_image_and_the_same_every_time(corruption, photo):
    distances = []
    for level in LEVELS:
        found = corruption(photo, level, "a")
        assert found.dtype == np.uint8 and found.ndim == 3
        assert np.array_equal(found, corruption(photo, level, "a"))
        same_size = np.asarray(Image.fromarray(found).resize(photo.shape[1::-1]), float)
        distances.append(np.abs(same_size - photo).mean())
    assert 0 < distances[0] < distances[1] < distances[2]
    if corruption.name in ("fog", "dark", "motion blur", "noise"):
        assert not np.array_equal(corruption(photo, 2, "a"), corruption(photo, 2, "b"))


def test_each_does_what_its_name_says(photo):
    grey = np.full((120, 160, 3), 128, np.uint8)
    assert BY_NAME["noise"](grey, 2, "a").std() == pytest.approx(0.08 * 255, rel=0.05)
    light = (BY_NAME["dark"](grey, 1, "a") / 255) ** 2.2
    assert light.mean() == pytest.approx(0.25 * (128 / 255) ** 2.2, rel=0.03)
    fog = BY_NAME["fog"](np.zeros((120, 160, 3), np.uint8), 2, "a")
    assert fog.mean() == pytest.approx(0.5 * 235, rel=0.1) and fog.std() > 5
    dot = np.zeros((160, 480, 3), np.uint8)
    dot[80, 240] = 255
    blurred = np.argwhere(BY_NAME["motion blur"](dot, 2, "a")[..., 0])
    assert len(blurred) <= 13 and 10 <= np.ptp(blurred[:, 1]) <= 13 and np.ptp(blurred[:, 0]) <= 7
    assert BY_NAME["motion blur"](grey, 3, "a").tolist() == grey.tolist()
    assert BY_NAME["scale"](photo, 2, "a").shape == (photo.shape[0] // 2, photo.shape[1] // 2, 3)
    keys = [key for key, _ in shown(grey, "a")]
    assert keys[0] == ("clean", 0) and len(keys) == 1 + 6 * 3


def test_clean_images_are_the_evaluation_and_both_networks_see_the_same(make_model, camvid):
    model, dataset = make_model("fcn8s"), open_dataset("camvid", camvid, "val")
    kinds = (BY_NAME["noise"], BY_NAME["scale"])
    tallies = measure_corruptions({"one": model, "same": model}, dataset, corruptions=kinds)
    expected = count(model, dataset)[0]
    assert np.array_equal(tallies["one"].matrices["clean", 0], expected.matrices.sum(0))
    assert np.array_equal(tallies["one"].calibration["clean", 0], expected.calibration.sum(0))
    assert tallies["one"].document() == tallies["same"].document()
    entries = tallies["one"].document()
    assert [(entry["corruption"], entry["level"]) for entry in entries][-1] == ("scale", 3)
    pixels = {sum(entry["calibration"][0::3]) for entry in entries}
    assert len(pixels) == 1  # every way of showing an image is compared on the mask's own pixels


def test_command_prints_draws_and_adds_to_the_result(make_model, camvid, tmp_path, capsys):
    from evaluation.__main__ import main as evaluate

    folder, out = tmp_path / "checkpoint", tmp_path / "results"
    info = save(make_model("fcn8s"), folder, labels=CAMVID, loss="ce", training={}, working_size=56)
    settings = ["--out", str(out), "--passes", "1", "--resamples", "100", "--corruptions", "--report", str(tmp_path)]
    assert evaluate([str(folder), "--data", str(camvid), *settings]) == 0
    (path,) = out.glob("*.json")
    assert verify(path) == []
    page = next(tmp_path.glob("*/index.html"))
    assert (page.parent / "corruptions.svg").stat().st_size > 500 and "shift.svg" in page.read_text()
    document = json.loads(path.read_text())
    assert "--corruptions" in document["environment"]["command"].split()
    part = document["corruptions"]
    capsys.readouterr()
    assert command.main(["--results", str(out), "--plots", str(tmp_path / "plots"), "--format", "pipe"]) == 0
    printed = capsys.readouterr().out
    assert info.name in printed and "motion blur" in printed
    assert f"{100 * part['found'][0]['miou']:.1f}" in printed
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == [
        "corruptions-expected-calibration-error.svg",
        "corruptions-miou.svg",
    ]
    part["found"][1]["miou"], part["found"][2]["expected_calibration_error"] = 0.9, 0.9
    path.write_text(json.dumps(document))
    wrong = verify(path)
    assert [line.split(": ")[-1].split(" is ")[0] for line in wrong] == [
        "corruptions.found[1].miou",
        "corruptions.found[2].expected_calibration_error",
    ]


def test_command_says_what_it_needs(tmp_path, capsys):
    assert command.main(["--results", str(tmp_path)]) == 1
    assert "measure them with --data DIR --into" in capsys.readouterr().err
    assert command.main(["--results", str(tmp_path / "none")]) == 1
    assert command.main(["--data", str(tmp_path), "--device", "tpu"]) == 1


def test_every_bundled_row_of_camvid_was_measured_on_the_same_images():
    parts = {
        result.name: result.document.get("corruptions")
        for result in read_results(RESULTS)[0]
        if result.document["dataset"]["name"] == "camvid"
    }
    assert all(parts.values()), [name for name, part in parts.items() if not part]
    assert len({part["images"] for part in parts.values()}) == 1
    for part in parts.values():
        assert [entry["corruption"] for entry in part["found"]][1::3] == [one.name for one in CORRUPTIONS]
    table = command.frame(parts, "miou").to_markdown(tablefmt="pipe", disable_numparse=True)
    assert table in (REPOSITORY / "README.md").read_text(encoding="utf-8")
