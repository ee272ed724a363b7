"""The look at all files before anything is learnt or measured: identity by content, and what it finds."""

import json
import shutil
import unicodedata

import numpy as np
import pytest
from own_data import indexed, scene, write
from PIL import Image

from evaluation.__main__ import main
from evaluation.datasets import DatasetError, open_dataset
from evaluation.datasets.__main__ import main as read
from evaluation.datasets.survey import survey
from zoo.checkpoints.folder import save
from zoo.labels import LabelSet, class_palette


def content(root, split="train"):
    return survey(open_dataset("folder", root, split)).content


def test_the_identity_is_that_of_pixels_and_ids(tmp_path):
    """Names, folders, compression and how ids are stored leave it alone; one pixel of image or mask does not."""
    same = content(write(tmp_path / "plain"))
    assert content(write(tmp_path / "bmp", image_name="other{}.bmp", mask_name="other{}.tif")) == same
    assert content(write(tmp_path / "day", image_name="a/b{}.png", mask_name="a/b{}.png")) == same
    palette = [(0, 0, 0), (128, 0, 0)]
    assert content(write(tmp_path / "indexed", lambda image, mask: (image, indexed(mask, *palette)))) == same
    assert content(write(tmp_path / "white", lambda image, mask: (image, mask * 255))) == same
    assert content(write(tmp_path / "more", splits={"train": 4})) != same

    def touched(place):
        def change(image, mask):
            (image, mask)[place][0, 0] = 1
            return image, mask

        return change

    assert len({same, *(content(write(tmp_path / f"{place}", touched(place))) for place in (0, 1))}) == 3
    root = write(tmp_path / "reversed", splits={"train": 3})
    for kind in ("images", "masks"):
        folder = root / "train" / kind
        for old, new in (("photo0", "z"), ("photo1", "y"), ("photo2", "x")):
            (folder / f"{old}.png").rename(folder / f"{new}.png")
    found = survey(open_dataset("folder", root, "train"))
    assert found.content == same
    assert found.in_order != survey(open_dataset("folder", tmp_path / "plain", "train")).in_order


def test_what_a_split_holds(tmp_path):
    root = write(tmp_path / "mine", classes="background\nsquare\nunicorn\n")
    for kind in ("images", "masks"):
        shutil.copy(root / "train" / kind / "photo0.png", root / "train" / kind / "again.png")
    found = survey(open_dataset("folder", root, "train"))
    assert found.present() == ("background", "square")
    assert found.pixels[:, 1].tolist() == [(scene(index)[1] == 1).sum() for index in (0, 0, 1, 2)]
    absent, twice = found.notes()
    assert "no mask holds unicorn" in absent and "1 image is there twice" in twice


def test_an_all_void_split_is_refused(tmp_path, capsys):
    root = write(tmp_path / "mine", lambda image, mask: (image, mask * 0 + 255))
    with pytest.raises(DatasetError, match=r"train/masks: every pixel of the 3 masks is void \(255\), so"):
        survey(open_dataset("folder", root, "train"))
    assert read([*["folder", "--data"], str(root)]) == 1 and "is void" in capsys.readouterr().err


def test_0_and_255_among_more_classes_is_refused(tmp_path):
    root = write(tmp_path / "mine", lambda image, mask: (image, mask * 255), classes="a\nb\nc\n")
    with pytest.raises(
        DatasetError, match=r"train/masks: the 3 masks hold nothing but 0 and void \(255\), so a is the"
    ):
        survey(open_dataset("folder", root, "train"))


@pytest.fixture
def runs(tmp_path, make_model):
    """Two folders with checkpoints of one name and other weights, and data for them."""
    names = ("background", "square")
    labels = LabelSet("mine", "mine", names, class_palette(names), 255)
    for seed in (0, 1):
        model = make_model("fcn32s", classes=names)
        model.score["score_fr" if "score_fr" in model.score else next(iter(model.score))].bias.data += seed
        save(model, tmp_path / f"run{seed}", labels=labels, loss="ce", training={})
    return write(tmp_path / "mine"), [tmp_path / "run0", tmp_path / "run1"]


def test_two_runs_of_one_name_keep_their_results_and_the_images_are_told(runs, tmp_path, capsys):
    data, folders = runs
    (data / "val" / "images" / "notes.txt").write_text("x")
    arguments = [*map(str, folders), "--dataset", "folder", "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--passes", "1", "--resamples", "100"]) == 0
    documents = [json.loads(path.read_text()) for path in sorted((tmp_path / "out").glob("*.json"))]
    assert len(documents) == 2 and documents[0]["checkpoint"]["name"] == documents[1]["checkpoint"]["name"]
    wanted = survey(open_dataset("folder", data, "val")).content
    assert [one["dataset"]["content_sha256"] for one in documents] == [wanted] * 2
    printed = capsys.readouterr()
    assert "1 file is passed over" in printed.err and "recall of square" in printed.out


def test_a_device_that_is_not_there_is_one_sentence(runs, tmp_path, capsys, monkeypatch):
    data, folders = runs
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for device, words in (("cuda", "no CUDA GPU here; use --device cpu"), ("tpu", "'tpu' is not one of cpu, cuda")):
        arguments = [str(folders[0]), "--dataset", "folder", "--data", str(data), "--device", device]
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: device: ") and words in line


def test_broken_data_is_refused_before_anything_is_measured(runs, tmp_path, capsys):
    data, folders = runs
    path = data / "val" / "masks" / unicodedata.normalize("NFC", "photo1.png")
    Image.fromarray(np.full((24, 36), 9, np.uint8)).save(path)
    arguments = [str(folders[0]), "--dataset", "folder", "--data", str(data), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "photo1.png: The label image holds the value 9" in said and not (tmp_path / "out").exists()
