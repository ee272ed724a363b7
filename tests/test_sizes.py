"""The curve of mIoU against size: its counts, the photos that stand for visitors', and its place in a result."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation import sizes as command
from evaluation.counting.confusion import scores
from evaluation.datasets import open_dataset
from evaluation.measuring.evaluate import confusion_matrices
from evaluation.measuring.results import verify
from evaluation.measuring.sizes import PHOTOS, RULES, Photo, measure_sizes, side_by_rule
from zoo.checkpoints.folder import save
from zoo.labels import CAMVID


@pytest.mark.parametrize(
    ("photo", "expected"),
    [((4032, 3024), (480, 480, 480)), ((3024, 4032), (480, 480, 480)), ((3000, 1000), (480, 1080, 720))],
)
def test_rules_agree_on_the_training_shape_alone(photo, expected):
    assert tuple(side_by_rule(rule, 480, (480, 360), photo) for rule in RULES) == expected


def test_pieces_are_cut_from_the_middle():
    pixels = np.arange(60 * 80).reshape(60, 80)
    assert np.array_equal(Photo("", (1, 1)).cut(pixels), pixels)
    piece = Photo("", (1 / 2, 1 / 3)).cut(pixels)
    assert piece.shape == (20, 40) and piece[0, 0] == pixels[20, 20]
    shapes = {photo.name: photo.cut(np.zeros((360, 480))).shape for photo in PHOTOS}
    assert shapes["upright 3:4"] == (360, 270) and shapes["panorama 3:1"] == (160, 480)


def test_the_curve_at_the_images_own_size_is_the_evaluation(make_model, camvid):
    model, dataset = make_model("fcn8s"), open_dataset("camvid", camvid, "val")
    photos = (Photo("frame", (1, 1), 112, whole_mask=True), Photo("wide", (1, 1 / 2), 112))
    (tally,) = measure_sizes({"it": model}, dataset, {"it": 56}, sizes=(28, 56), photos=photos).values()
    expected = confusion_matrices(model, dataset).sum(0).numpy()
    assert np.abs(tally.curve[56] - expected).sum() <= 0.002 * expected.sum()  # rounding of the folded batch norm
    document = tally.document(56)
    assert document["rule"] == "long side" and [entry["longest_edge"] for entry in document["curve"]] == [28, 56]
    for entry in [*document["curve"], *document["photos"]]:
        union = np.array(entry["union"])
        iou = np.array(entry["intersection"])[union > 0] / union[union > 0]
        assert entry["miou"] == pytest.approx(iou.mean())
    assert document["curve"][1]["miou"] == pytest.approx(scores(torch.tensor(expected), CAMVID.classes).miou, abs=0.01)
    native = {entry["photo"]: entry for entry in document["photos"] if entry["rule"] == "native"}
    whole = {entry["photo"]: entry for entry in document["photos"] if entry["rule"] == "long side"}
    assert native["frame"]["union"] == document["curve"][1]["union"]
    assert sum(whole["frame"]["union"]) == pytest.approx(4 * sum(native["frame"]["union"]), rel=0.05)  # twice as large


def test_the_command_prints_and_adds_to_the_result_of_these_weights(make_model, camvid, tmp_path, capsys):
    from evaluation.__main__ import main as evaluate

    folder, out = tmp_path / "checkpoint", tmp_path / "results"
    info = save(make_model("fcn8s"), folder, labels=CAMVID, loss="ce", training={}, working_size=56)
    arguments = [str(folder), "--data", str(camvid), "--sizes", "28", "56", "--rules", "long side"]
    assert command.main([*arguments, "--into", str(out)]) == 1
    assert "run python -m evaluation first" in capsys.readouterr().err
    assert evaluate([str(folder), "--data", str(camvid), "--out", str(out), "--passes", "1", "--resamples", "100"]) == 0
    (path,) = out.glob("*.json")
    before = json.loads(path.read_text())
    assert command.main([*arguments, "--into", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "working size 56" in printed and "panorama 3:1" in printed
    after = json.loads(path.read_text())
    curve = after.pop("sizes")
    assert after == before and curve["working_size"] == 56 and curve["images"] == 4
    assert verify(path) == []
    again = [str(folder), "--data", str(camvid), "--out", str(out), "--passes", "1", "--resamples", "100"]
    assert evaluate(again) == 0 and json.loads(path.read_text())["sizes"] == curve  # measuring again keeps it
    after["sizes"] = curve | {"curve": [curve["curve"][0] | {"miou": 0.9}, curve["curve"][1]]}
    path.write_text(json.dumps(after))
    assert [line for line in verify(path) if "sizes.curve[0].miou is 0.9" in line] == verify(path) != []
    save(make_model("fcn8s"), folder, labels=CAMVID, loss="ce", training={}, name=info.name)
    assert command.main(arguments) == 1 and "working_size" in capsys.readouterr().err


def test_figures_go_to_the_result_of_the_same_images(make_model, camvid, tmp_path, capsys):
    """Two folders whose images have the same names: what is measured on one is no part of the other's result."""
    from evaluation.__main__ import main as evaluate

    folder, out, other = tmp_path / "checkpoint", tmp_path / "results", tmp_path / "other"
    save(make_model("fcn8s"), folder, labels=CAMVID, loss="ce", training={}, working_size=56)
    shutil.copytree(camvid, other)
    for path in (other / "val").glob("*.png"):
        Image.open(path).point(lambda value: 255 - value).save(path)
    options = ["--out", str(out), "--passes", "1", "--resamples", "100"]
    assert evaluate([str(folder), "--data", str(camvid), *options]) == 0
    into = ["--sizes", "28", "--rules", "long side", "--into", str(out)]
    assert command.main([str(folder), "--data", str(other), *into]) == 1
    assert "on these images of CamVid val" in capsys.readouterr().err
    assert evaluate([str(folder), "--data", str(other), *options]) == 0
    assert command.main([str(folder), "--data", str(other), *into]) == 0
    first, second = sorted(out.glob("*.json"), key=lambda path: len(path.name))
    assert "sizes" not in json.loads(first.read_text()) and "sizes" in json.loads(second.read_text())
