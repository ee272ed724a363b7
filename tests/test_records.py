"""The door: whatever passes can be sent, written, listed, shown and exported; whatever does not is left out alone."""

import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
from hub_client import save_checkpoint
from hypothesis import HealthCheck, given, settings, strategies
from test_results import write

from evaluation.benchmark.faults.records import changed, places
from evaluation.board import formats
from evaluation.board.rows import payload
from zoo import atomic
from zoo.checkpoints.card import card
from zoo.checkpoints.information import CheckpointError, describe, parse_config
from zoo.hub.catalog import Catalog
from zoo.hub.listing import Listing, read_items
from zoo.hub.settings import HubSettings
from zoo.page.controls import picker_value
from zoo.page.values import labels_value
from zoo.records import DEEPEST, LARGEST_WHOLE, RecordError, check, is_plain

DEEP = json.loads("[" * 900 + "]" * 900)
HOSTILE = (
    None,
    True,
    -1,
    2**63,
    10**400,
    1e308,
    math.nan,
    math.inf,
    "",
    "\ud800",
    "a\x00b",
    "x\u202ey",
    "<b>",
    "é" * 30_000,
)
HOSTILE += ([], [[]], DEEP, {}, {"\udfff": 1}, {"a": DEEP}, [10**30], "1", 0.5, {"nested": {"number": math.nan}})


# -- values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, math.nan]}, "a: a number is not finite"),
        ({"a": {"b": -(2**63) - 1}}, "a.b: a whole number needs more than 64 bits"),
        ({"a": "\ud83d"}, "a: a text has control characters"),
        ({"\x07": 1}, "a text has control characters"),
        ({"a": "x" * 20_001}, "more than 20,000 characters"),
        ({"a": DEEP}, f"nested deeper than {DEEPEST} levels"),
        ({"a": [0] * 200_001}, "more than 200,000 values"),
        ({"a": {1, 2}}, "a: holds a set"),
        ({1: 2}, "holds a int"),
    ],
)
def test_a_value_that_cannot_be_stored_or_sent_is_named(value, words):
    with pytest.raises(RecordError) as caught:
        check(value, "")
    assert words in str(caught.value) and caught.value.args[0].in_language("pt-BR") != str(caught.value)


def test_ordinary_values_pass():
    check({"text": "two\nlines\t🙂", "numbers": [0, -1.5, LARGEST_WHOLE, True, None], "é": {"deep": [[[]]]}}, "")
    assert is_plain("São Paulo 🙂") and not is_plain("\ud83d") and not is_plain("a<b") and is_plain("a<b", markup=True)
    with pytest.raises(RecordError):
        check({"a": "two\nlines"}, "", lines=False)


json_values = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=8,
)
anything = strategies.sampled_from(HOSTILE) | json_values | strategies.text(strategies.characters())


@settings(max_examples=300, deadline=None)
@given(anything)
def test_whatever_passes_is_json_for_every_reader(value):
    try:
        check(value, "value")
    except RecordError as error:
        orjson.dumps(str(error))
        return
    assert json.loads(json.dumps(value, allow_nan=False)) == value == orjson.loads(orjson.dumps(value))


# -- checkpoints


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> dict:
    """The configuration of a sound checkpoint, as a document."""
    save_checkpoint(tmp_path_factory.mktemp("made") / "c")
    return json.loads(next(tmp_path_factory.getbasetemp().glob("made*/c/config.json")).read_text())


def use_everywhere(info, *, exported: bool) -> None:
    """Send, store, list, show and export a checkpoint's description."""
    for value in (describe(info), asdict(info), picker_value([info], {}, [info.offered_as], "pt-BR")):
        json.loads(json.dumps(value, allow_nan=False))
        orjson.dumps(value)
    orjson.dumps(labels_value(info.labels, "pt-BR"))
    if exported:
        card(info).encode()


def test_every_mutation_of_a_configuration_is_refused_or_serves_everywhere(config):
    tried = refused = passed = 0
    for path in places(config):
        for value in HOSTILE if path else ():
            tried += 1
            try:
                info = parse_config(
                    changed(config, path, value), source="hub", location="ana/net", revision="a" * 40, file_bytes=1
                )
            except CheckpointError as error:
                orjson.dumps(str(error))
                refused += 1
                continue
            passed += 1
            use_everywhere(info, exported=passed % 20 == 0)
    assert tried > 1000 and refused > tried / 3


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.data())
def test_a_poisoned_item_leaves_the_others_in_a_listing_that_can_be_stored(config, tmp_path, data):
    path = data.draw(strategies.sampled_from([path for path in places(config) if path]))
    poisoned = changed(config, path, data.draw(anything))
    item = {"id": "ana/net", "sha": "a" * 40, "config": config, "file_bytes": 1, "claims": [], "eval_results": []}
    listing = read_items([item | {"id": "eve/net", "config": poisoned}, item], [], 1.0)
    assert [info.location for info in listing.checkpoints][-1] == "ana/net"
    assert len(listing.checkpoints) + len(listing.problems) == 2
    orjson.dumps([describe(info) for info in listing.checkpoints] + list(listing.problems))


def test_a_poisoned_bundled_folder_is_named_in_the_log_and_costs_nothing_else(tmp_path, caplog):
    root = tmp_path / "bundled"
    save_checkpoint(root / "new")
    name = json.loads((root / "new" / "config.json").read_text())["name"]
    (root / "new").rename(root / name)
    for number, value in enumerate((10**400, "\ud800", DEEP)):
        broken = shutil.copytree(root / name, root / f"broken{number}")
        document = json.loads((broken / "config.json").read_text()) | {"training": {"loss": "ce", "x": value}}
        atomic.write_text(broken / "config.json", json.dumps(document))
    catalog = Catalog(HubSettings(cache=tmp_path / "cache"), root)
    for _ in range(2):
        snapshot = catalog.snapshot()
        assert [info.name for info in snapshot.checkpoints] == [name] and len(snapshot.problems) == 3
    for number in range(3):
        assert caplog.text.count(f"'broken{number}' is left out") == 1
    assert "training" in caplog.text


def test_one_repository_does_not_hide_another_by_claiming_its_weights(config, tmp_path):
    item = {"sha": "a" * 40, "config": config, "file_bytes": 1, "claims": [], "eval_results": []}
    catalog = Catalog(HubSettings(authors=("*",), cache=tmp_path), tmp_path / "none")
    listing = read_items([{"id": name} | item for name in ("eve/net", "ana/net")], [], 1e12)
    catalog._listing._value = Listing(listing.checkpoints, (), 1e12, listing.items)
    assert {info.location for info in catalog.snapshot().checkpoints} == {"eve/net", "ana/net"}


# -- results


@pytest.mark.slow
def test_every_mutation_of_a_local_result_leaves_a_board_that_can_be_sent(tmp_path, caplog):
    sound = write(tmp_path)
    document = json.loads(sound.read_text())
    mutations = [changed(document, path, None, remove=True) for path in places(document) if path]
    hostile = (None, -1, 10**400, "\ud800", [], DEEP)
    mutations += [changed(document, path, value) for path in places(document) if path for value in hostile]
    left_out = 0
    for number, mutated in enumerate(mutations):
        sound.write_text(json.dumps(mutated))
        board = payload(tmp_path)
        orjson.dumps(board)
        left_out += len(board["problems"])
        assert len(board["rows"]) + len(board["problems"]) == 1
        if board["problems"]:
            assert sound.name in board["problems"][0]
        elif number % 10 == 0:
            for form in formats.FORMATS.values():
                form(board).encode()
    assert len(mutations) > 700 and left_out > len(mutations) / 2


def test_a_broken_result_costs_only_itself(tmp_path):
    write(tmp_path, name="fcn8s-other-ce-camvid")
    broken = write(tmp_path)
    document = json.loads(broken.read_text())
    del document["scores"]["dice"]
    broken.write_text(json.dumps(document))
    board = payload(tmp_path)
    assert [row["name"] for row in board["rows"]] == ["fcn8s-other-ce-camvid"]
    assert "scores.dice: missing" in board["problems"][0] and Path(broken).name in board["problems"][0]
