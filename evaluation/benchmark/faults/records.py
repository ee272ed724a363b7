"""Configurations, results and folders that say something else than they should, as from the Hub and from the disk."""

import copy
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evaluation.benchmark.faults.tally import Tally
from evaluation.benchmark.visitor import tree_megabytes
from evaluation.board.rows import payload
from evaluation.measuring.results import result_paths
from zoo.checkpoints.card import card
from zoo.checkpoints.folder import bundled_folder
from zoo.checkpoints.information import CheckpointError, describe, parse_config
from zoo.hub.catalog import Catalog
from zoo.hub.listing import read_items
from zoo.hub.settings import HubSettings
from zoo.places import folder_for_results

DEEP = json.loads("[" * 900 + "]" * 900)
HOSTILE = (None, True, -1, 2**63, 10**400, 1e308, math.nan, math.inf, "", "\ud800", "a\x00b", "x\u202ey", "<b>")
HOSTILE += (
    "é" * 30_000,
    [],
    [[]],
    DEEP,
    {},
    {"\udfff": 1},
    {"a": DEEP},
    [10**30],
    "1",
    0.5,
    {"nested": {"n": math.nan}},
)


def places(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The path of every part of a JSON value; of lists, and of what classes have by name, the first two entries."""
    yield path
    inner = (
        list(enumerate(value)) if isinstance(value, list) else list(value.items()) if isinstance(value, dict) else []
    )
    if isinstance(value, list) or (path and str(path[-1]).startswith(("class_", "id2label", "label2id"))):
        inner = inner[:2]
    for key, part in inner:
        yield from places(part, (*path, key))


def changed(document: dict, path: tuple, value: object, *, remove: bool = False) -> dict:
    """A copy of a document with one part replaced or removed."""
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


def records(quick: bool) -> Tally:
    """Every mutation of a configuration, a listing and a result, and folders that hold some of them."""
    tally = Tally("hostile configurations, listings and results")
    tally.before = tree_megabytes(os.getpid())
    config = json.loads(next(bundled_folder().glob("*/config.json")).read_text(encoding="utf-8"))
    mutations = [(path, value) for path in places(config) if path for value in HOSTILE][:: 40 if quick else 3]
    with quiet():
        for path, value in mutations:
            try_config(tally, f"configuration with {'.'.join(map(str, path))}", changed(config, path, value))
        try_results(tally, 60 if quick else 6)
        try_folders(tally, config, [value for _, value in mutations][: 3 if quick else 24])
    tally.after = tree_megabytes(os.getpid())
    return tally


@contextmanager
def quiet() -> Iterator[None]:
    """What is left out is logged, and here there is much of it."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def try_config(tally: Tally, what: str, config: dict) -> None:
    """A configuration alone, and in a listing beside a sound one."""

    def alone() -> None:
        info = parse_config(config, source="hub", location="ana/net", revision="a" * 40, file_bytes=1)
        json.dumps(describe(info), allow_nan=False).encode()
        card(info).encode()

    def listed() -> None:
        item = {"sha": "a" * 40, "file_bytes": 1, "claims": [], "eval_results": []}
        listing = read_items([item | {"id": "eve/net", "config": config}], [], 1.0)
        json.dumps([describe(info) for info in listing.checkpoints] + list(listing.problems), allow_nan=False).encode()
        if len(listing.checkpoints) + len(listing.problems) != 1:
            raise RuntimeError("the listing neither has it nor says why not")

    tally.attempt(what, alone, CheckpointError)
    tally.attempt(f"{what}, listed", listed)


def try_results(tally: Tally, step: int) -> None:
    """Mutations of a shipped result in a folder of its own: the board is sent all the same."""
    sound = result_paths(folder_for_results())[0]
    document = json.loads(sound.read_text(encoding="utf-8"))
    paths = [path for path in places(document) if path][::step]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sound.with_suffix(".npz"), folder)
        target = Path(folder) / sound.name
        for path in paths:
            for value in (None, -1, 10**400, "\ud800", [], DEEP, ...):
                target.write_text(json.dumps(changed(document, path, value, remove=value is ...)))
                what = f"result with {'.'.join(map(str, path))}"
                board = tally.attempt(what, lambda: sendable(payload(folder)))
                for problem in board["problems"] if board else ():
                    tally.refuse(what, str(problem))


def sendable(board: dict) -> dict:
    """A board with its one row or the reason why not; raises where it cannot be sent."""
    json.dumps(board, allow_nan=False).encode()
    if len(board["rows"]) + len(board["problems"]) != 1:
        raise RuntimeError("the board neither has it nor says why not")
    return board


def try_folders(tally: Tally, config: dict, values: list[object]) -> None:
    """A catalog over folders of which one is sound: it offers that one and names the others."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bundled"
        shutil.copytree(bundled_folder() / config["name"], root / config["name"])
        for number, value in enumerate(values):
            broken = root / f"broken{number}"
            broken.mkdir()
            (broken / "config.json").write_text(json.dumps(config | {"training": value, "weights": value}))
        settings = HubSettings(cache=Path(folder) / "cache", baselines="off")
        found = tally.attempt("a folder of checkpoints", Catalog(settings, root).snapshot)
        names = [info.name for info in found.checkpoints] if found else []
        tally.require("the sound folder is offered alone", names == [config["name"]])
        for problem in found.problems if found else ():
            tally.tried += 1
            tally.refuse("a broken folder", str(problem))
