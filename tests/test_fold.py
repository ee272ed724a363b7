"""Runs compared on what they left out: against torchmetrics, and what cannot be compared is refused."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from evaluation.datasets import open_dataset
from tests.test_training import TINY, run
from training import TrainingError, fold
from zoo.checkpoints.folder import load_folder
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


def torchmetrics_iou(folder, camvid, *, every: int = 1) -> np.ndarray:
    """IoU in per cent of every class on the images of 0001TP in the train split, or on the first of every so many."""
    model, metric = load_folder(folder), MulticlassJaccardIndex(11, average="none", ignore_index=CAMVID.void)
    dataset = open_dataset("camvid", camvid, "train")
    for index in [index for index, sequence in enumerate(dataset.sequences) if sequence == "0001TP"][::every]:
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
    run(replace(HELD_OUT, hold_out_every=2), camvid, tmp_path / "frames")
    with pytest.raises(TrainingError, match="was trained on 0001TP, which is to be held out"):
        run(HELD_OUT, camvid, tmp_path / "after", start_from=load_folder(tmp_path / "frames"))


def test_a_split_by_video_and_one_by_frame_are_compared_on_the_same_frames(runs, camvid, tmp_path, capsys):
    frames, out = tmp_path / "frames", tmp_path / "split.json"
    run(replace(HELD_OUT, hold_out_every=2), camvid, frames)
    assert fold.main([str(runs[0]), str(frames), "--data", str(camvid), "--out", str(out)]) == 0
    first, second = rows(capsys.readouterr().out)
    for cells, folder in ((first, runs[0]), (second, frames)):
        expected = torchmetrics_iou(folder, camvid, every=2)
        assert [cell.replace("-", "0.0") for cell in cells[5:]] == [f"{value:.1f}" for value in expected]
    assert second[1] == "--hold-out-every 2"
    written = json.loads(out.read_text(encoding="utf-8"))
    assert (
        written["dataset"] | {"sequences": ["0001TP"], "scored": ["0001TP_00001", "0001TP_00005"]} == written["dataset"]
    )
    by_video, by_frame = written["runs"]
    assert by_video["trained_on"] == ["0016E5_00000", "0016E5_00002", "0016E5_00004"]
    assert by_frame["trained_on"] == ["0001TP_00003", "0016E5_00000", "0016E5_00004"]
    assert by_video["difference"] == 0 and by_frame["recipe"]["hold_out_every"] == 2
    assert by_frame["difference"] == pytest.approx(by_frame["miou"] - by_video["miou"])
    hits, labelled, predicted = np.sum(by_frame["counts"][0], axis=0)
    shares = hits / np.maximum(labelled + predicted - hits, 1)
    assert [round(100 * share, 1) for share in shares] == [float(cell.replace("-", "0")) for cell in second[5:]]
    assert fold.main([str(runs[0]), "--data", str(camvid), "--out", str(tmp_path / "no" / "split.json")]) == 1
    assert "No such file or directory" in capsys.readouterr().err


def test_seeds_of_a_row_are_averaged(runs, camvid, tmp_path, capsys):
    run(replace(HELD_OUT, seed=5), camvid, tmp_path / "5")
    assert fold.main([str(runs[1]), f"{runs[0]},{tmp_path / '5'}", "--data", str(camvid)]) == 0
    reference, seeds = rows(capsys.readouterr().out)
    alone = []
    for folder in (runs[0], tmp_path / "5"):
        assert fold.main([str(folder), "--data", str(camvid)]) == 0
        alone.append(float(rows(capsys.readouterr().out)[0][2]))
    mean, spread = (float(text) for text in seeds[2].split(", s "))
    assert mean == pytest.approx(np.mean(alone), abs=0.11) and spread == pytest.approx(np.std(alone, ddof=1), abs=0.11)
    assert float(seeds[4].split()[0]) == pytest.approx(mean - float(reference[2]), abs=0.11)
    assert fold.main([f"{runs[0]},{runs[1]}", "--data", str(camvid)]) == 1
    assert "second: is no other seed of" in capsys.readouterr().err


def test_partial_labels_are_refused(runs, camvid, capsys, monkeypatch):
    def partial(recipe, data):
        return [replace(images, labelled=("sky", "road")) for images in open_splits(recipe, data)]

    open_splits = fold.open_splits
    monkeypatch.setattr(fold, "open_splits", partial)
    assert fold.main([str(runs[0]), "--data", str(camvid)]) == 1
    assert "its masks label 2 of 11 classes" in capsys.readouterr().err


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
