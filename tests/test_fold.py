"""Runs compared on the sequences they left out: against torchmetrics, and what cannot be compared is refused."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from evaluation.datasets import open_dataset
from tests.test_training import TINY, run
from training import TrainingError, fold
from zoo.checkpoint import load_folder
from zoo.labels import CAMVID

HELD_OUT = replace(TINY, hold_out="0001TP")


@pytest.fixture
def runs(camvid, tmp_path):
    """Two finished runs that left out the same sequence."""
    run(HELD_OUT, camvid, tmp_path / "first")
    run(replace(HELD_OUT, jitter=0.2, learning_rate=1e-2), camvid, tmp_path / "second")
    return tmp_path / "first", tmp_path / "second"


def rows(text: str) -> list[list[str]]:
    """The cells of a Markdown table's rows."""
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines()[2:]]


def torchmetrics_iou(folder, camvid) -> np.ndarray:
    """IoU in per cent of every class on the images of 0001TP in the train split."""
    model, metric = load_folder(folder), MulticlassJaccardIndex(11, average="none", ignore_index=CAMVID.void)
    dataset = open_dataset("camvid", camvid, "train")
    for index, sequence in enumerate(dataset.sequences):
        if sequence == "0001TP":
            image = torch.from_numpy(dataset.image(index)).permute(2, 0, 1)[None].float() / 255
            with torch.no_grad():
                metric.update(model(image), torch.from_numpy(dataset.mask(index))[None].long())
    return 100 * metric.compute().numpy()


def test_runs_are_measured_on_what_they_left_out(runs, camvid, capsys):
    assert fold.main([*map(str, runs), str(runs[0]), "--data", str(camvid)]) == 0
    first, second, again = rows(capsys.readouterr().out)
    for cells, folder in ((first, runs[0]), (second, runs[1])):
        expected = torchmetrics_iou(folder, camvid)
        assert [cell.replace("-", "0.0") for cell in cells[5:]] == [f"{value:.1f}" for value in expected]
        assert 0 <= float(cells[3].split(" to ")[0]) <= float(cells[2]) <= float(cells[3].split(" to ")[1]) <= 100
    assert first[:2] == ["first", "-"] and first[4] == "-"
    assert second[:2] == ["second", "--jitter 0.2 --learning-rate 0.01"]
    # Both scores are rounded to a tenth.
    assert float(second[4].split()[0]) == pytest.approx(float(second[2]) - float(first[2]), abs=0.11)
    assert again[1] == "-" and again[4] == "+0.0 (+0.0 to +0.0)"


def test_a_run_does_not_start_from_what_has_seen_the_held_out_sequence(runs, camvid, tmp_path):
    run(TINY, camvid, tmp_path / "all")
    with pytest.raises(TrainingError, match="was trained on 0001TP, which is to be held out"):
        run(HELD_OUT, camvid, tmp_path / "next", start_from=load_folder(tmp_path / "all"))
    run(HELD_OUT, camvid, tmp_path / "next", start_from=load_folder(runs[0]))


def test_what_cannot_be_compared_is_refused(runs, camvid, tmp_path, capsys):
    def error(*folders) -> str:
        assert fold.main([*map(str, folders), "--data", str(camvid)]) == 1
        return capsys.readouterr().err

    run(TINY, camvid, tmp_path / "all")
    assert "all: was trained on every sequence; train it with --hold-out" in error(runs[0], tmp_path / "all")
    run(replace(HELD_OUT, hold_out="0016E5"), camvid, tmp_path / "other")
    assert "other: left out other images than" in error(runs[0], tmp_path / "other")
    assert "nowhere/training_args.json: cannot be read" in error(tmp_path / "nowhere")
    broken = shutil.copytree(runs[0], tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"x" * 100)
    assert "model.safetensors" in error(broken)
