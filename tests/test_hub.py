"""Settings and the list of checkpoints on the Hub, against a server on the loopback that can misbehave."""

import json
import time
from dataclasses import replace

import pytest
from hub_client import NAME, changed_config, hasty

from zoo.hub.listing import AuthorScore, list_checkpoints
from zoo.hub.requests import HubError, HubUnreachable, parse_repository
from zoo.hub.settings import HubSettings, environment_help

pytestmark = pytest.mark.usefixtures("hub_environment")


# -- settings and names


def test_settings_come_from_the_environment():
    values = {"FCN_ZOO_AUTHORS": "ana, bo", "FCN_ZOO_REPOS": "x/y@v1", "FCN_ZOO_CACHE": "/c", "FCN_ZOO_LIMIT": "7"}
    settings = HubSettings.from_environment(values)
    assert settings.authors == ("ana", "bo") and settings.repos == ("x/y@v1",)
    assert str(settings.cache) == "/c" and settings.limit == 7 and settings.lists_hub
    assert not HubSettings.from_environment({}).lists_hub
    assert all(name in environment_help() for name in values)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FCN_ZOO_LIMIT", "many"), ("FCN_ZOO_VISITORS", "all"), ("FCN_ZOO_REPOS", "y"), ("FCN_ZOO_FILE_MEGABYTES", "-1")],
)
def test_wrong_settings_name_their_variable(variable, value):
    with pytest.raises(ValueError, match=variable):
        HubSettings.from_environment({variable: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ana/net", ("ana/net", None)),
        (" ana/net@v1.2 ", ("ana/net", "v1.2")),
        ("https://huggingface.co/ana/net", ("ana/net", None)),
        ("https://huggingface.co/ana/net/tree/refs/pr/1", ("ana/net", "refs/pr/1")),
        ("hf-hub:ana/net", ("ana/net", None)),
    ],
)
def test_repositories_are_named_as_people_name_them(text, expected):
    assert parse_repository(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "net", "a/b/c", "../etc/passwd", "a/..", "a/b@../../x", "a b/c", "a/<b>", "/a/b", "http://127.0.0.1/a/b"],
)
def test_other_texts_are_no_repositories(text):
    with pytest.raises(HubError):
        parse_repository(text)


# -- listing


def test_listing_takes_one_request_per_author_when_the_answer_carries_the_configuration(hub, settings, checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    hub.add(NAME, checkpoint, listed_config=config)
    hub.add("ana/other", checkpoint, tags=["text-generation"])
    hub.add("bo/net", checkpoint, listed_config=config)
    listing = list_checkpoints(replace(settings, authors=("ana",)))
    assert [info.location for info in listing.checkpoints] == [NAME] and not listing.problems
    assert len(hub.requests) == 2, "the listing, and the model's own results"
    info = listing.checkpoints[0]
    assert info.source == "hub" and info.revision == hub.repositories[NAME].commits["main"]
    assert info.sha256 == config["weights"]["sha256"]


def test_a_shortened_configuration_is_read_from_the_file(hub, settings, checkpoint):
    hub.add(NAME, checkpoint, listed_config={"model_type": "fcn"})
    listing = list_checkpoints(replace(settings, authors=("*",)))
    assert [info.location for info in listing.checkpoints] == [NAME]
    assert sum("config.json" in request for request in hub.requests) == 1


def test_repositories_and_collections_are_listed(hub, settings, checkpoint):
    for name in ("ana/one", "bo/two", "bo/three"):
        hub.add(name, checkpoint)
    first = hub.repositories["bo/two"].commits["main"]
    hub.repositories["bo/two"].commit("main", {"config.json": b"{}"})
    hub.collections["ana/street-scenes-1"] = ["bo/three"]
    wanted = {"repos": ("ana/one", f"bo/two@{first}", "ana/gone"), "collections": ("ana/street-scenes-1", "ana/no-2")}
    listing = list_checkpoints(replace(settings, **wanted))
    assert {info.location for info in listing.checkpoints} == {"ana/one", "bo/two", "bo/three"}
    assert {info.revision for info in listing.checkpoints if info.location == "bo/two"} == {first}
    assert len(listing.problems) == 2 and any("ana/gone" in problem for problem in listing.problems)


def test_a_model_without_an_owner_is_named_and_costs_a_collection_nothing_else(hub, settings, checkpoint):
    hub.add("bo/three", checkpoint)
    hub.collections["ana/street-scenes-1"] = ["legacy-model", "bo/three"]
    listing = list_checkpoints(replace(settings, collections=("ana/street-scenes-1",)))
    assert [info.location for info in listing.checkpoints] == ["bo/three"]
    (problem,) = listing.problems
    assert "'legacy-model' does not name a repository" in problem


def test_a_poisoned_repository_is_named_and_left_out_of_the_listing(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    hub.add("ana/broken", {"config.json": b"{"})
    hub.add("ana/markup", {"config.json": changed_config(checkpoint, id2label={"0": "<img src=x onerror=alert(1)>"})})
    hub.add("ana/big", {"config.json": b" " * 2_000_000})
    labels = {str(i): f"class {i}" for i in range(10)} | {"10": "<b>"}
    hub.add("ana/bold", {"config.json": changed_config(checkpoint, id2label=labels)})
    listing = list_checkpoints(replace(settings, authors=("ana",)))
    assert [info.location for info in listing.checkpoints] == [NAME]
    assert len(listing.problems) == 4
    assert any("markup" in problem and "id2label" in problem for problem in listing.problems)


def test_the_listing_is_cut_at_the_limit_and_says_so(hub, settings, checkpoint):
    for index in range(4):
        hub.add(f"ana/net{index}", checkpoint)
    listing = list_checkpoints(replace(settings, authors=("ana",), limit=3))
    assert len(listing.checkpoints) == 3 and "first 3" in listing.problems[0]


def test_scores_of_authors_come_with_the_listing_and_odd_ones_are_passed_over(hub, settings, checkpoint):
    camvid = {"type": "camvid", "split": "val"}
    results = [
        {"dataset": camvid, "metrics": [{"type": "mean_iou", "value": 0.52}, {"type": "accuracy", "value": 87.0}]},
        {"dataset": {"type": "<b>"}, "metrics": [{"type": "mean_iou", "value": 0.9}]},
        {"dataset": camvid, "metrics": [{"type": "mean_iou", "value": "high"}]},
        {"dataset": camvid, "metrics": [{"type": "mean_iou", "value": float("nan")}]},
        {"metrics": 3},
        "text",
    ]
    hub.add(NAME, checkpoint, card={"model-index": [{"name": "x", "results": results}, 5]})
    hub.add("ana/plain", checkpoint, card={"model-index": "none"})
    scores = list_checkpoints(replace(settings, authors=("ana",))).author_scores()
    assert scores == {NAME: (AuthorScore("camvid", "val", "mean_iou", 0.52),), "ana/plain": ()}


@pytest.mark.parametrize(
    ("kind", "words"),
    [("hang", "not answered"), ("500", "status 500"), ("429", "in 7 s"), ("loop", "circle"), ("not json", "not JSON")],
)
def test_a_listing_that_fails_says_why(hub, settings, kind, words):
    hub.fault("/api/models", kind)
    started = time.monotonic()
    try:
        problems = list_checkpoints(hasty(settings, kind, authors=("ana",))).problems
    except HubUnreachable as error:
        problems = [str(error)]
    assert words in problems[0]
    assert time.monotonic() - started < 10
