"""What stands beside a row's mIoU: single images, effort, seeds, and what the split shares with training."""

import csv
import io
import json
import shlex

import numpy as np
import pytest
from test_results import CLASSES, random_counts, write

from evaluation.__main__ import parse
from evaluation.board import formats
from evaluation.board.caveats import seed_figures, shared, splits
from evaluation.board.effort import effort
from evaluation.board.rows import payload
from evaluation.counting.images import image_mious, per_image_miou, worst_images, worst_miou
from evaluation.datasets import DATASETS, open_dataset
from zoo.checkpoints.card import find_seeds
from zoo.checkpoints.terms import CAMVID_TRAINING_VIDEOS, TERMS
from zoo.hub.catalog import scan
from zoo.places import REPOSITORY, SEEDS

HALF, WHOLE, NOTHING = [[1, 1], [0, 2]], [[4, 0], [0, 4]], [[0, 0], [0, 0]]


def test_scores_of_single_images_by_hand():
    matrices = np.array([HALF, WHOLE, NOTHING, [[0, 3], [0, 0]]])
    halves = (1 / 2 + 2 / 3) / 2  # classes 0 and 1 of the first image
    assert image_mious(matrices)[:2].tolist() == pytest.approx([halves, 1.0])
    assert np.isnan(image_mious(matrices)[2]) and image_mious(matrices)[3] == 0.0
    assert per_image_miou(matrices) == pytest.approx((halves + 1 + 0) / 3)
    assert worst_images(matrices).tolist() == [3] and worst_miou(matrices) == 0.0
    assert per_image_miou(np.array([NOTHING])) is None and worst_miou(np.array([NOTHING])) is None


def test_the_worst_are_at_most_five_per_cent_of_the_images():
    share = np.arange(1, 102)  # the image at place k hits k of 200 pixels
    matrices = np.stack([np.array([[hits, 200 - hits], [0, 0]]) for hits in share])
    assert worst_images(matrices).tolist() == [0, 1, 2, 3, 4]  # 5 of 101
    assert worst_miou(matrices) == pytest.approx(np.mean([hits / 200 / 2 for hits in share[:5]]))


def test_epochs_of_all_stages_are_counted():
    known = {
        "a": {"epochs": 60, "dataset": "camvid", "start_from": "", "pretraining": "ImageNet; somebody's"},
        "b": {"epochs": 30, "dataset": "camvid", "start_from": "runs/a"},
        "circle": {"epochs": 5, "start_from": "circle"},
    }
    found = effort({"epochs": 45, "dataset": "cracks", "start_from": "b", "extra_dataset": "street"}, known)
    assert found["teacher"] is None
    assert effort({"epochs": 1, "start_from": "taught"}, {"taught": {"distill_from": "runs/big/"}})["teacher"] == "big"
    assert (found["epochs"], found["complete"]) == (135, True)
    assert [(one["name"], one["epochs"]) for one in found["stages"]] == [("a", 60), ("b", 30), (None, 45)]
    assert (found["pretraining"], found["extra_dataset"]) == ("ImageNet; somebody's", "street")
    assert effort({"epochs": 45, "start_from": "gone"}, known)["complete"] is False
    assert effort({"epochs": 1, "start_from": "circle"}, known) == {
        "epochs": 6,
        "complete": False,
        "stages": [{"name": "circle", "epochs": 5, "dataset": None}, {"name": None, "epochs": 1, "dataset": None}],
        "pretraining": None,
        "extra_dataset": None,
        "teacher": None,
    }
    assert effort({}, known)["epochs"] is None


def test_a_stage_that_ended_early_counts_the_epochs_that_it_took():
    known = {"short": {"epochs": 80, "stop_epoch": 20}, "whole": {"epochs": 30, "stop_epoch": 0, "start_from": "short"}}
    found = effort({"epochs": 60, "stop_epoch": 5, "start_from": "whole"}, known)
    assert [one["epochs"] for one in found["stages"]] == [20, 30, 5]
    assert (found["epochs"], found["complete"]) == (55, True)


def test_a_split_says_what_it_shares_with_training():
    found = shared("camvid", {"0016E5": {"images": 101}})
    assert found == {"images": 101, "of": 101, "videos": ["0016E5"], "frames": 204, "training": 367}
    mixed = shared("camvid", {"Seq05VD": {"images": 171}, "0001TP": {"images": 62}})
    assert (mixed["images"], mixed["of"], mixed["frames"]) == (62, 233, 62)
    assert shared("cracks", {"": {"images": 23}}) is None and shared("camvid", {}) is None
    rows = [{"dataset": "camvid", "split": "val", "images": 101, "sequences": {"0016E5": {"images": 101}}}]
    assert splits(rows) == {"camvid/val": {"images": 101, "shares": found}}


def test_the_texts_state_the_same_frames():
    frames, total = CAMVID_TRAINING_VIDEOS["0016E5"], sum(CAMVID_TRAINING_VIDEOS.values())
    assert f"{frames} of the {total} train frames" in TERMS["camvid"].limits[0]
    for language, words in (("en", "204 of the 367"), ("pt-BR", "204 das 367")):
        text = (REPOSITORY / "zoo" / "text" / f"how_we_measure.{language}.md").read_text(encoding="utf-8")
        assert words in text and (frames, total) == (204, 367)


def test_training_videos_are_counted_from_file_names(camvid):
    """The names that `TERMS` counts by are those that the data set is read with."""
    assert set(open_dataset("camvid", camvid, "train").sequences) <= set(CAMVID_TRAINING_VIDEOS)


def test_the_shipped_rows_know_their_seeds_and_their_epochs():
    rows = {row["name"]: row for row in payload()["rows"]}
    ce = rows["fcn8s-vgg16bn-w25-ce-camvid"]
    documents = {document["checkpoint"]["training"]["seed"]: document for document in find_seeds(SEEDS)}
    known = {one["seed"]: one for one in ce["seeds"]}
    assert {0, *documents} <= set(known)
    for seed, document in documents.items():
        assert known[seed]["class_iou"]["sign symbol"] == document["scores"]["class_iou"]["sign symbol"]
    assert ce["seed_range"] == [min(one["miou"] for one in ce["seeds"]), max(one["miou"] for one in ce["seeds"])]
    assert ce["effort"]["epochs"] == 60 + 30 + 45
    assert rows["fcn8s-vgg16bn-w25-ce+dice-camvid"]["effort"]["epochs"] == 60 + 30 + 45 + 220
    longer = rows["fcn8s-vgg16-w50-in-ce+dice-camvid+street"]["effort"]  # whose first stage only the recipe tells of
    assert (longer["epochs"], longer["complete"]) == (30 + 40, True)
    for name in ("fcn8s-vgg16-in-ce+dice-camvid+street", "fcn8s-vgg16-w50-in-ce+dice-camvid+street"):
        assert rows[name]["effort"]["extra_dataset"] == "street"
        assert rows[name]["effort"]["pretraining"].startswith("ImageNet")
    assert "variant = " in ce["recipe_text"]
    dice, focal = (rows[f"fcn8s-vgg16bn-w25-{loss}-camvid"] for loss in ("dice", "focal"))
    assert dice["miou"] > focal["miou"] and dice["worst_miou"] < focal["worst_miou"]
    # The README's table, printed by evaluation.corruptions: six kinds at three levels, as per cent.
    printed = [
        58.9,
        45.5,
        18.8,
        57.0,
        50.5,
        36.4,
        48.8,
        36.1,
        28.0,
        37.2,
        13.5,
        2.9,
        60.2,
        56.1,
        44.6,
        61.0,
        55.3,
        46.5,
    ]
    assert ce["corrupted_miou"] == pytest.approx(sum(printed) / 1800, abs=5e-4) and ce["corrupted_images"] == 12
    assert [round(100 * miou, 1) for miou in ce["corruptions"]["noise"]] == [37.2, 13.5, 2.9]


def test_one_seed_alone_is_no_spread(tmp_path):
    document = json.loads(write(tmp_path, random_counts(4)).read_text())
    document["checkpoint"]["training"] = {"seed": 0}
    assert seed_figures(document, []) == []


def test_exports_carry_them(tmp_path):
    write(tmp_path, random_counts(40, seed=3), name="one", images=40)
    board = payload(tmp_path)
    (row,) = board["rows"]
    (line,) = csv.DictReader(io.StringIO(formats.comma_separated(board)))
    assert float(line["per_image_miou"]) == row["per_image_miou"] and float(line["worst_miou"]) == row["worst_miou"]
    assert (line["dataset"], line["split"]) == ("camvid", "val") and line["epochs"] == ""
    assert formats.percent(row["worst_miou"]) in formats.table(board) and len(CLASSES) == 3
    assert list(board["splits"]) == ["camvid/val"]


def test_the_command_of_every_shipped_row_runs_as_printed():
    bundled = {info.name for info in scan()[0]}
    for row in payload()["rows"]:
        python, flag, module, *arguments = shlex.split(row["command"])
        assert (python, flag, module) == ("python", "-m", "evaluation")
        checkpoints, options = parse(arguments)
        assert checkpoints == [row["name"]] and row["name"] in bundled and options.dataset in DATASETS
        assert (REPOSITORY / row["recipe"]).read_text(encoding="utf-8") == row["recipe_text"]
