"""The Hub part of the zoo, run with the real client against a server on the loopback that can misbehave."""

import json
import threading
import time
from dataclasses import replace

import pytest
import torch
from hub_server import TOKEN, HubServer, client_environment, refusing_port, save_checkpoint, silent_port

from zoo.checkpoint import load_folder
from zoo.download import amount, load_repository, pull, remove_excess
from zoo.hub import AuthorScore, HubError, HubUnreachable, list_checkpoints, parse_repository
from zoo.settings import HubSettings, environment_help

NAME = "ana/fcn8s-tiny"


@pytest.fixture(autouse=True)
def client(monkeypatch):
    client_environment(monkeypatch)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "fcn8s"
    save_checkpoint(folder)
    (folder / "README.md").write_text("---\ntags: [fcn-zoo]\n---\n# card\n")
    (folder / ".eval_results").mkdir()
    (folder / ".eval_results" / "camvid.yaml").write_text("[]\n")
    return folder


@pytest.fixture
def hub():
    with HubServer() as server:
        yield server


@pytest.fixture
def settings(hub, tmp_path):
    return HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache", pull_seconds=60)


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left_on_disk(settings):
    return [path for path in settings.cache.rglob("*") if path.is_file()] if settings.cache.exists() else []


def changed_config(checkpoint, **fields):
    return json.dumps(json.loads((checkpoint / "config.json").read_text()) | fields).encode()


def hasty(settings, kind, **changes):
    """Settings that give up on a silent server soon; patient ones for all else, on a busy machine too."""
    return replace(settings, answer_seconds=0.5 if kind == "hang" else 60.0, **changes)


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
    assert len(hub.requests) == 1
    info = listing.checkpoints[0]
    assert info.source == "hub" and info.revision == hub.repositories[NAME].commits["main"]
    assert info.sha256 == config["weights"]["sha256"]


def test_a_shortened_configuration_is_read_from_the_file(hub, settings, checkpoint):
    hub.add(NAME, checkpoint, listed_config={"model_type": "fcn"})
    listing = list_checkpoints(replace(settings, authors=("*",)))
    assert [info.location for info in listing.checkpoints] == [NAME]
    assert sum("/resolve/" in request for request in hub.requests) == 1


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


# -- pulling


def test_pull_gives_the_folder_that_was_published(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    seen = []
    folder, info = pull(NAME, settings=settings, progress=lambda done, total: seen.append((done, total)))
    size = (checkpoint / "model.safetensors").stat().st_size
    assert files_of(folder).items() <= files_of(checkpoint).items()
    assert seen[-1] == (size, size) and all(done <= total for done, total in seen)
    assert (info.source, info.location, info.revision) == ("hub", NAME, hub.repositories[NAME].commits["main"])
    images = torch.rand(1, 3, 40, 50)
    with torch.inference_mode():
        expected = load_folder(checkpoint)(images)
        assert torch.equal(load_repository(NAME, settings=settings)(images), expected)


def test_companions_come_on_request_and_other_files_never(hub, settings, checkpoint):
    files = files_of(checkpoint) | {"run.py": b"print(1)", "pytorch_model.bin": b"x"}
    hub.add(NAME, files)
    folder, _ = pull(NAME, settings=settings)
    assert set(files_of(folder)) == {"config.json", "model.safetensors"}
    folder, _ = pull(NAME, settings=settings, companions=True)
    assert {"README.md", ".eval_results/camvid.yaml"} <= set(files_of(folder))
    assert not {"run.py", "pytorch_model.bin"} & set(files_of(folder))


def test_the_second_pull_asks_only_for_the_commit_and_a_pinned_one_asks_nothing(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    _, info = pull(NAME, settings=settings)
    hub.requests.clear()
    pull(NAME, settings=settings)
    assert len(hub.requests) == 1
    pull(NAME, revision=info.revision, settings=settings)
    pull(f"{NAME}@{info.revision}", settings=settings)
    assert len(hub.requests) == 1


def test_a_downloaded_checkpoint_serves_while_the_hub_is_away(hub, settings, checkpoint, caplog):
    hub.add(NAME, checkpoint)
    folder, _ = pull(NAME, settings=settings)
    hub.fault(".", "500")
    assert pull(NAME, settings=settings)[0] == folder
    assert "copy of commit" in caplog.text
    with pytest.raises(HubUnreachable, match="500"):
        pull(NAME, revision="v2", settings=settings)


def test_visitors_of_one_repository_share_one_download(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    results = []
    threads = [threading.Thread(target=lambda: results.append(pull(NAME, settings=settings)[0])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == 6 and len(set(results)) == 1
    assert sum("model.safetensors" in request for request in hub.requests) == 1


def test_visitors_who_queue_for_a_silent_hub_get_its_failure_together(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    hub.fault("/api/models", "hang")
    failures = []

    def visit():
        try:
            pull(NAME, settings=hasty(settings, "hang"))
        except HubUnreachable as error:
            failures.append(str(error))

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(failures) == 8 and len(hub.requests) == 1


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/api/models", "hang", "not answered"),
        ("config.json", "hang", "not answered"),
        ("model.safetensors", "hang", "not answered"),
        ("/api/models", "500", "status 500"),
        ("model.safetensors", "503", "status 503"),
        ("/api/models", "429", "in 7 s"),
        ("model.safetensors", "cut", "broke off after"),
        ("model.safetensors", "corrupt", "damaged"),
        ("model.safetensors", "loop", "circle"),
        ("/api/models", "loop", "circle"),
        ("config.json", "corrupt", "not valid JSON"),
        ("/api/models", "not json", "not JSON"),
    ],
)
def test_a_download_that_fails_says_why_within_seconds_and_leaves_nothing(hub, settings, checkpoint, path, kind, words):
    hub.add(NAME, checkpoint)
    hub.fault(path, kind)
    started = time.monotonic()
    with pytest.raises(HubError, match=words) as caught:
        pull(NAME, settings=hasty(settings, kind))
    assert time.monotonic() - started < 10
    assert NAME in str(caught.value)
    assert not left_on_disk(settings)


def test_a_server_that_drips_is_given_up_when_time_is_up(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    hub.fault("model.safetensors", "drip")
    started = time.monotonic()
    with pytest.raises(HubUnreachable, match="not finished"):
        pull(NAME, settings=replace(settings, pull_seconds=1.0))
    assert time.monotonic() - started < 10
    time.sleep(0.3)
    assert not left_on_disk(settings)


@pytest.mark.parametrize(("port", "words"), [(silent_port, "not answered"), (refusing_port, "no connection")])
def test_a_hub_that_swallows_or_refuses_is_reported_in_time(tmp_path, port, words):
    with port() as endpoint:
        settings = HubSettings(endpoint=endpoint, cache=tmp_path, answer_seconds=0.5, authors=("ana",))
        for call in (lambda: pull(NAME, settings=settings), lambda: list_checkpoints(settings)):
            started = time.monotonic()
            with pytest.raises(HubUnreachable, match=words):
                call()
            assert time.monotonic() - started < 10


def test_default_limits_keep_the_promise_of_fifteen_seconds():
    assert HubSettings().answer_seconds + 1 < 15


def test_offline_mode_is_named(hub, settings, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read once from the environment
    with pytest.raises(HubUnreachable, match="offline mode"):
        pull(NAME, settings=settings)
    assert not hub.requests


@pytest.mark.parametrize(
    ("properties", "token", "words"),
    [
        ({"gated": True}, TOKEN, "gated"),
        ({"private": True}, None, "private"),
        ({"private": True}, "hf_wrong", "private"),
    ],
)
def test_closed_repositories_say_so(hub, settings, checkpoint, monkeypatch, properties, token, words):
    client_environment(monkeypatch, token)
    hub.add(NAME, checkpoint, **properties)
    with pytest.raises(HubError, match=words) as caught:
        pull(NAME, settings=settings)
    assert not left_on_disk(settings)
    assert "hf_" not in str(caught.value)


def test_absent_repositories_and_revisions_say_so(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    with pytest.raises(HubError, match="not found"):
        pull("ana/absent", settings=settings)
    with pytest.raises(HubError, match="no such revision"):
        pull(NAME, revision="v9", settings=settings)
    with pytest.raises(HubError, match="two revisions"):
        pull(f"{NAME}@v1", revision="v2", settings=settings)
    assert not left_on_disk(settings)


def test_the_token_is_sent_only_when_it_may_be(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    pull(NAME, settings=settings, token=False)
    assert set(hub.tokens) == {None}
    hub.tokens.clear()
    pull(NAME, settings=settings)
    assert set(hub.tokens) == {TOKEN}


def test_the_token_stays_with_the_hub_when_it_sends_a_download_elsewhere(hub, settings, checkpoint):
    hub.add(NAME, checkpoint)
    with HubServer() as storage:
        storage.add(NAME, checkpoint)
        storage.repositories[NAME].snapshots |= hub.repositories[NAME].snapshots
        hub.fault("model.safetensors", storage.endpoint)
        pull(NAME, settings=settings)
        assert len(storage.requests) == 1 and storage.tokens == [None]


# -- poisoned repositories


def test_a_wrong_type_in_any_field_is_refused_before_the_weights(hub, settings, checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    needed = ["format_version", "model_type", "architecture", "model_args", "id2label", "palette", "ignore_index"]
    needed += ["image_mean", "image_std", "training", "weights", "name"]
    for field in needed:
        for wrong in (None, {"a": [1]} if not isinstance(config[field], dict) else "text"):
            hub.add(NAME, files_of(checkpoint) | {"config.json": changed_config(checkpoint, **{field: wrong})})
            with pytest.raises(HubError, match=rf"{NAME}.*{field}"):
                pull(NAME, settings=settings)
    for field in config["model_args"]:
        for wrong in (None, [1, 2], {"x": 1}):
            document = changed_config(checkpoint, model_args=config["model_args"] | {field: wrong})
            hub.add(NAME, files_of(checkpoint) | {"config.json": document})
            with pytest.raises(HubError, match=rf"{NAME}.*model_args: {field}"):
                pull(NAME, settings=settings)
    assert not any("model.safetensors" in request for request in hub.requests)
    assert not left_on_disk(settings)


def test_pickles_are_never_opened(hub, settings, checkpoint):
    files = files_of(checkpoint)
    hub.add(NAME, {"config.json": files["config.json"], "pytorch_model.bin": b"\x80\x04"})
    with pytest.raises(HubError, match=r"pytorch_model\.bin is not opened"):
        pull(NAME, settings=settings)
    assert not left_on_disk(settings) and not any("resolve" in request for request in hub.requests)


def test_a_claim_of_50_gigabytes_is_refused_before_anything_is_downloaded(hub, settings, checkpoint):
    hub.add(NAME, checkpoint, claimed_sizes={"model.safetensors": 50_000_000_000})
    with pytest.raises(HubError, match=r"50,000 MB, the limit here is 600 MB"):
        pull(NAME, settings=settings)
    assert not any("resolve" in request for request in hub.requests)


def test_a_body_larger_than_claimed_is_cut_off(hub, settings, checkpoint):
    size = (checkpoint / "model.safetensors").stat().st_size
    files = files_of(checkpoint) | {"model.safetensors": bytes(40 * size)}
    hub.add(NAME, files, claimed_sizes={"model.safetensors": size}, hidden_lfs=True)
    with pytest.raises(HubError, match=f"larger than {size:,} bytes"):
        pull(NAME, settings=settings)
    assert not left_on_disk(settings)


def test_weights_far_from_the_described_size_are_refused_before_they_are_downloaded(hub, settings, checkpoint):
    hub.add(NAME, checkpoint, claimed_sizes={"model.safetensors": 100_000_000})
    with pytest.raises(HubError, match=r"100\.0 MB, but config\.json describes"):
        pull(NAME, settings=settings)
    assert not any("model.safetensors" in request for request in hub.requests)


def test_shapes_that_do_not_fit_are_refused(hub, settings, checkpoint):
    arguments = json.loads((checkpoint / "config.json").read_text())["model_args"] | {"head_channels": 15}
    hub.add(NAME, files_of(checkpoint) | {"config.json": changed_config(checkpoint, model_args=arguments)})
    with pytest.raises(HubError, match=r"head\.fc6\.bias is \(16,\), needs \(15,\)"):
        pull(NAME, settings=settings)
    assert not left_on_disk(settings)


def test_weights_of_another_configuration_are_refused_before_they_are_downloaded(hub, settings, checkpoint):
    hub.add(NAME, files_of(checkpoint) | {"model.safetensors": b"other"}, claimed_sizes={"model.safetensors": 200_000})
    with pytest.raises(HubError, match="other weights"):
        pull(NAME, settings=settings)
    assert not any("model.safetensors" in request for request in hub.requests)


@pytest.mark.parametrize("name", ["../../evil.py", "/etc/cron.d/x", "a/../../b", "C:\\x", "..\\x", "a\nb"])
def test_unsafe_file_names_are_refused(hub, settings, checkpoint, name):
    hub.add(NAME, files_of(checkpoint) | {name: b"x"})
    with pytest.raises(HubError, match="unsafe name"):
        pull(NAME, settings=settings)
    assert not left_on_disk(settings)


def test_markup_in_labels_is_refused(hub, settings, checkpoint):
    labels = json.loads((checkpoint / "config.json").read_text())["id2label"] | {"3": "<script>alert(1)</script>"}
    hub.add(NAME, files_of(checkpoint) | {"config.json": changed_config(checkpoint, id2label=labels)})
    with pytest.raises(HubError, match=r"id2label.*markup"):
        pull(NAME, settings=settings)
    assert not left_on_disk(settings)


# -- the cache on disk


def test_downloads_above_the_limit_go_least_recently_used_first(hub, settings, checkpoint):
    names = [f"ana/net{index}" for index in range(3)]
    folders = []
    for name in names:
        hub.add(name, checkpoint)
        folders.append(pull(name, settings=settings)[0])
        time.sleep(0.02)
    pull(names[0], settings=settings)
    size = sum(path.stat().st_size for path in folders[0].iterdir())
    settings = replace(settings, cache_megabytes=2.5 * size / 1e6)
    assert remove_excess(settings) == [], "just used, perhaps about to be loaded"
    removed = remove_excess(settings, idle=0.0)
    assert removed == [folders[1]] and folders[0].exists() and folders[2].exists()


def test_a_cache_that_cannot_be_written_is_named(hub, settings, checkpoint, tmp_path):
    hub.add(NAME, checkpoint)
    (tmp_path / "file").write_text("")
    with pytest.raises(HubError, match=r"file.*cannot be written.*FCN_ZOO_CACHE"):
        pull(NAME, settings=replace(settings, cache=tmp_path / "file"))


def test_amounts_read_well():
    assert amount(41_200_000, 58_000_000) == "41 of 58 MB"
    assert amount(41_200, 58_000) == "41 of 58 kB"
