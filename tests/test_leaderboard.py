"""The leaderboard: ranks worked out by hand, rows that others rely on, text formats, verify and check."""

import csv
import io
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from test_results import CLASSES, DIGESTS, change, random_counts, write, write_hashed

from evaluation.board import formats
from evaluation.board.rows import payload, rank, share_times
from evaluation.board.submission import check_submission, numbers_in, recomputable, verify_all
from evaluation.counting.confusion import scores
from evaluation.counting.counts import Counts
from evaluation.leaderboard import main
from evaluation.measuring.results import read_document
from zoo.checkpoints.folder import save
from zoo.labels import CAMVID

# What the table, the app and the model cards read from a row.
ROW = {
    *("name", "variant", "loss", "backbone", "dataset", "split", "images", "source", "revision", "sha256", "rank"),
    *("miou", "miou_interval", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice", "boundary_f"),
    *("boundary_f_interval", "trimap_miou", "class_iou", "sequences", "calibration", "parameters", "gmacs"),
    *("file_bytes", "milliseconds", "device", "threads", "precision", "peak_memory_bytes", "confusion_matrix"),
    *("classes", "command", "training", "recipe", "git_commit", "versions", "date", "protocol"),
}


def good_counts(quality, images=6, seed=0):
    """Counts of a model that hits `quality` of 1000 pixels a class and image, give or take."""
    counts = random_counts(images, seed=seed)
    counts.matrices[:] = counts.matrices // 3
    for label in range(3):
        counts.matrices[:, label, label] += quality
    return counts


@pytest.fixture
def folder(tmp_path):
    """Results of three checkpoints, two of them as good as equal, and one on another split."""
    write(tmp_path, good_counts(900), name="best")
    write(tmp_path, good_counts(100, seed=1), name="middle-a")
    write(tmp_path, good_counts(101, seed=2), name="middle-b")
    write(tmp_path, good_counts(500), name="best", split="test")
    return tmp_path


@pytest.mark.parametrize(
    ("intervals", "ranks"),
    [
        ([[0.5, 0.6]], [1]),
        ([[0.5, 0.6], [0.3, 0.4]], [1, 2]),
        ([[0.3, 0.45], [0.4, 0.6], [0.5, 0.7]], [2, 1, 1]),  # the first touches the second, not the third
        ([[0.1, 0.2], [0.3, 0.4], [0.3, 0.4]], [3, 1, 1]),  # ties share the rank, the next one skips
        ([[0.3, 0.4], [0.4, 0.5]], [1, 1]),  # touching is not wholly above
        ([None, [0.3, 0.4]], [None, 1]),
    ],
)
def test_rank_counts_intervals_wholly_above(intervals, ranks):
    rows = [{"dataset": "camvid", "split": "val", "miou_interval": interval} for interval in intervals]
    rank(rows)
    assert [row["rank"] for row in rows] == ranks


def test_other_images_do_not_compete():
    rows = [
        {"dataset": "camvid", "split": split, "miou_interval": [low, low + 0.1]}
        for split, low in (("val", 0.8), ("test", 0.2), ("test", 0.5))
    ]
    rank(rows)
    assert [row["rank"] for row in rows] == [1, 2, 1]


def test_rows_carry_what_others_read(folder):
    board = payload(folder)
    json.dumps(board, allow_nan=False)
    assert board["problems"] == []
    first = board["rows"][0]
    assert (first["name"], first["split"], first["rank"]) == ("best", "test", 1)
    val = [row for row in board["rows"] if row["split"] == "val"]
    assert [row["rank"] for row in val] == [1, 2, 2]
    for row in val:
        assert set(row) >= ROW
        assert row["miou_interval"][0] <= row["miou"] <= row["miou_interval"][1]
        assert row["sequences"]["s"]["images"] == 3
        assert (row["milliseconds"], row["device"], row["threads"]) == (2.5, "a CPU", 1)


def test_published_figures_stand_apart(folder):
    board = payload(folder)
    names = {row["name"] for row in board["rows"]}
    assert board["published"]
    for figure in board["published"]:
        assert figure["name"] not in names
        assert figure["source"]
        assert 0 < figure["miou"] < 1


def test_pairs_of_checkpoints_on_the_same_images(folder):
    board = payload(folder)
    mious = {row["name"]: row["miou"] for row in board["rows"] if row["split"] == "val"}
    pair = board["pairs"]["best|middle-a"]
    assert pair == board["pairs"]["best|middle-a@camvid/val"]
    assert pair["difference"] == pytest.approx(mious["best"] - mious["middle-a"])
    assert 0 < pair["interval"][0] < pair["difference"] < pair["interval"][1]
    near = board["pairs"].get("middle-a|middle-b") or board["pairs"]["middle-b|middle-a"]
    assert near["interval"][0] < near["difference"] < near["interval"][1]
    assert len(board["pairs"]) == 6  # three pairs on val under two keys, none on test


def test_other_image_list_is_not_paired(folder):
    write(folder, good_counts(500, images=4), name="fewer", images=4)
    assert not any("fewer" in key for key in payload(folder)["pairs"])


def test_the_same_images_under_other_names_compete_and_are_paired(tmp_path):
    """Files renamed, in another order and another folder: row for row the same images."""
    counts, order = good_counts(900), [3, 1, 5, 0, 4, 2]
    other = good_counts(100, seed=1)
    shuffled = Counts(**{name: array[order] for name, array in vars(other).items()})
    write_hashed(tmp_path, counts, name="first")
    write_hashed(tmp_path / "plain", other, name="second")
    names = tuple(f"z{place}" for place in range(6))
    digests = tuple(DIGESTS[place] for place in order)
    write_hashed(tmp_path, shuffled, digests, names, name="second", split="copy")
    board = payload(tmp_path)
    assert [(row["name"], row["rank"], row["dataset"], row["split"]) for row in board["rows"]] == [
        ("first", 1, "camvid", "val"),
        ("second", 2, "camvid", "val"),
    ]
    pair = board["pairs"]["first|second@camvid/val"]
    found = {name: scores(one.matrices, CLASSES).miou for name, one in (("first", counts), ("second", other))}
    assert pair["difference"] == pytest.approx(found["first"] - found["second"])
    # The order of the images is put right before they are paired, so the interval is that of the same order.
    write_hashed(tmp_path / "plain", counts, name="first")
    low, high = payload(tmp_path / "plain")["pairs"]["first|second"]["interval"]
    assert pair["interval"] == pytest.approx([low, high], abs=0.02)


def test_other_images_of_one_name_are_a_table_of_their_own(tmp_path):
    write_hashed(tmp_path, good_counts(900), name="first")
    write_hashed(tmp_path, good_counts(100, seed=1), name="second", contents=(*DIGESTS[:5], "e" * 64))
    write(tmp_path, good_counts(900), name="old")  # from before images were hashed: ranks with its like only
    write(tmp_path, good_counts(100, seed=1), name="older")
    board = payload(tmp_path)
    rows = {row["name"]: row for row in board["rows"]}
    assert len({(row["dataset"], row["split"]) for row in board["rows"]}) == 3
    assert {name: row["rank"] for name, row in rows.items()} == {"first": 1, "second": 1, "old": 1, "older": 2}
    assert set(board["pairs"]) == {"old|older", f"old|older@camvid/{rows['old']['split']}"}


def test_two_runs_of_one_name_are_two_rows_and_a_pair(tmp_path):
    write_hashed(tmp_path, good_counts(900), name="run")
    write_hashed(tmp_path, good_counts(100, seed=1), name="run", sha256="1" * 64)
    board = payload(tmp_path)
    assert [(row["name"], row["rank"]) for row in board["rows"]] == [("run", 1), ("run", 2)]
    assert board["pairs"]["run|run#2@camvid/val"]["difference"] > 0


def test_broken_result_is_left_out_and_named(folder, caplog):
    change(folder / "best__camvid__test.json", "schema_version", value=7)
    (folder / "junk.json").write_text("{")
    board = payload(folder)
    assert len(board["rows"]) == 3
    assert len(board["problems"]) == len(caplog.records) == 2
    assert "schema_version is 7" in board["problems"][0]
    assert "junk.json: not valid JSON" in board["problems"][1]


def test_no_results_is_an_empty_board(tmp_path):
    board = payload(tmp_path)
    assert (board["rows"], board["pairs"]) == ([], {})


def test_bundled_is_said_of_the_same_weights_only(tmp_path, monkeypatch, make_model):
    info = save(
        make_model(), tmp_path / "bundled" / "fcn8s-vgg16bn-w6-ce-camvid", labels=CAMVID, loss="ce", training={}
    )
    monkeypatch.setattr(import_module("zoo.hub.catalog"), "bundled_folder", lambda: tmp_path / "bundled")
    results = tmp_path / "results"
    path = write(results, good_counts(500), name=info.name, sha256=info.sha256)
    assert payload(results)["rows"][0]["source"] == "bundled"
    assert verify_all(results) == {path: []}
    change(path, "checkpoint", "sha256", value="0" * 64)
    assert payload(results)["rows"][0]["source"] == "folder"
    assert "measured other weights than the bundled" in verify_all(results)[path][0]
    change(path, "checkpoint", "source", value="bundled")
    (tmp_path / "bundled" / info.name / "config.json").unlink()
    assert "not bundled any more" in verify_all(results)[path][0]


def test_csv_reads_back(folder):
    board = payload(folder)
    lines = list(csv.DictReader(io.StringIO(formats.comma_separated(board))))
    assert len(lines) == 4
    for line, row in zip(lines, board["rows"], strict=True):
        assert line["name"] == row["name"]
        assert float(line["miou"]) == row["miou"]
        assert [float(line["miou_low"]), float(line["miou_high"])] == row["miou_interval"]
        assert float(line["iou_sky"]) == row["class_iou"]["sky"]
        assert line["sha256"] == row["sha256"]


def test_markdown_and_latex_hold_every_row(folder):
    board = payload(folder)
    text = formats.markdown(board).splitlines()
    assert len(text) == 2 + 4
    cells = [cell.strip() for cell in text[2].strip("|").split("|")]
    row = board["rows"][0]
    assert cells[:5] == ["1", "best", "camvid test", "6", f"{100 * row['miou']:.1f}"]
    assert len({line.count("|") for line in text}) == 1
    latex = formats.latex(board)
    assert latex.count(r"\\") == 1 + 4
    assert r"95 \% interval" in latex


def test_row_without_a_score_is_printed(tmp_path):
    counts = random_counts()
    counts.matrices[:] = 0
    write(tmp_path, counts)
    board = payload(tmp_path)
    assert board["rows"][0]["rank"] is None
    for name, form in formats.FORMATS.items():
        assert "fcn8s-tiny-ce-camvid" in form(board), name
        assert not re.search(r"\bnan\b", form(board), re.IGNORECASE)


@pytest.mark.parametrize("name", formats.FORMATS)
def test_command_prints_each_format(folder, name, capsys):
    assert main(["--results", str(folder), "--format", name]) == 0
    assert capsys.readouterr().out == formats.FORMATS[name](payload(folder))


def test_command_verify(folder, capsys):
    assert main(["--results", str(folder), "verify"]) == 0
    assert capsys.readouterr().out.count(": ok") == 4
    change(folder / "middle-a__camvid__val.json", "scores", "miou", value=0.999)
    assert main(["--results", str(folder), "verify"]) == 1
    printed = capsys.readouterr()
    assert "middle-a__camvid__val.json: 1 problem(s)" in printed.out
    assert "scores.miou is 0.999, recomputed from the counts it is" in printed.err


def test_benchmark_prints_the_tasks_that_cards_name(folder, capsys):
    assert main(["--results", str(folder), "benchmark"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    # The fields of huggingface.co/docs/hub/eval-results, "Registering a Benchmark".
    assert printed.keys() == {"name", "description", "evaluation_framework", "tasks"}
    assert all(task.keys() == {"id", "config", "split"} for task in printed["tasks"])
    place = {"id": "camvid_val", "config": "camvid", "split": "val"}
    assert place in printed["tasks"] and len({task["id"] for task in printed["tasks"]}) == len(printed["tasks"])


def test_verify_says_what_follows_from_the_counts_and_what_does_not(folder, capsys):
    (path,) = sorted(folder.glob("*.json"))[:1]
    found = recomputable(read_document(path))
    classes = len(read_document(path)["dataset"]["classes"])
    assert found["confusion_matrix"] == classes**2 and found["scores"] == numbers_in(read_document(path)["scores"])
    assert "cost" not in found and "counts" not in found
    assert main(["--results", str(folder), "verify"]) == 0
    printed = capsys.readouterr().out
    assert f"{sum(found.values())} figures recomputed without the data: scores {found['scores']}, " in printed
    assert "not without more:" in printed and "cost: the weights, and for times the same machine" in printed
    document = {
        "scores": {"miou": 0.5, "dice": None, "class_iou": {"a": 1, "b": 0.2}},
        "confusion_matrix": [[1, 2], [3, 4]],
    }
    document |= {"sizes": {"curve": [{"miou": 0.4, "union": [3, 4]}], "images": 5}}
    document |= {"corruptions": {"found": [{"miou": 0.4, "expected_calibration_error": 0.1, "calibration": [1]}]}}
    assert recomputable(document) == {"scores": 3, "confusion_matrix": 4, "sizes": 1, "corruptions": 2}


def test_command_without_results_fails(tmp_path, capsys):
    assert main(["--results", str(tmp_path), "verify"]) == 1
    assert "no result in" in capsys.readouterr().err
    assert main(["--results", str(tmp_path / "none")]) == 1
    assert "no such folder" in capsys.readouterr().err


SUBMITTED = {"source": "hub", "repository": "owner/fcn", "revision": "b" * 40}


def test_submission_from_the_hub_is_accepted(tmp_path, capsys):
    path = write(tmp_path, **SUBMITTED)
    assert check_submission(path) == []
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path.name}: ok\n"


@pytest.mark.parametrize(
    ("keys", "value", "advice"),
    [
        (("checkpoint", "source"), "folder", "publish the checkpoint with `python -m zoo push`"),
        (("checkpoint", "repository"), "not a name", "publish the checkpoint"),
        (("checkpoint", "revision"), "main", "is not a commit; evaluate it again from the Hub"),
        (("environment", "git_commit"), "c" * 40 + "+", "evaluate again from a clean checkout"),
        (("environment", "git_commit"), None, "evaluate again from a clean checkout"),
        (("scores", "miou"), 0.99, "recomputed from the counts it is"),
        (("checkpoint", "sha256"), "short", "checkpoint.sha256: needs 64 hexadecimal digits"),
    ],
)
def test_submission_that_does_not_fit_says_what_to_do(tmp_path, keys, value, advice, capsys):
    path = write(tmp_path, **SUBMITTED)
    change(path, *keys, value=value)
    (problem,) = check_submission(path)
    assert advice in problem
    assert main(["check", str(path)]) == 1
    assert advice in capsys.readouterr().err


@pytest.mark.slow
def test_shipped_results_are_sound():
    for path, problems in verify_all().items():
        assert problems == [], path.name
    assert payload()["problems"] == []


def test_table_goes_between_the_marks_of_a_file(folder, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("above\n<!-- leaderboard: how -->\nold\n<!-- /leaderboard -->\nbelow\n")
    for _ in range(2):  # writing twice changes nothing
        assert main(["--results", str(folder), "--into", str(page)]) == 0
        before, table, after = page.read_text().partition(formats.markdown(payload(folder)))
        assert (
            table and before.endswith("<!-- leaderboard: how -->\n\n") and after == "\n<!-- /leaderboard -->\nbelow\n"
        )
    page.write_text("nothing")
    with pytest.raises(ValueError, match="add them where the table belongs"):
        main(["--results", str(folder), "--into", str(page)])
    assert page.read_text() == "nothing"


def test_readme_holds_the_table_of_the_results():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert formats.markdown(payload()) in readme


def test_equal_networks_show_the_median_of_their_times():
    same = {"variant": "fcn8s", "backbone": "vgg16", "parameters": 3, "gmacs": 1.5, "device": "a CPU"}
    same |= {"threads": 2, "precision": "fp32", "provenance": "ours"}
    rows = [same | {"milliseconds": value} for value in (39.0, 46.0, 40.0)]
    rows += [same | {"gmacs": 2.0, "milliseconds": 80.0}, same | {"device": "a GPU", "milliseconds": 2.0}]
    rows.append(same | {"milliseconds": None})
    rows.append(same | {"milliseconds": 900_000.0, "provenance": "community"})  # which moves nothing of ours
    share_times(rows)
    assert [row["milliseconds"] for row in rows] == [40.0, 40.0, 40.0, 80.0, 2.0, None, 900_000.0]
