"""Checkpoints from a Hub on the loopback that can misbehave: faults, poisoned repositories, the cache on disk."""

import copy
import json
import pickle
import threading
import time
from dataclasses import replace

import pytest
import torch
from hub_client import NAME, changed_config, client_environment, files_of, hasty
from hub_server import TOKEN, HubServer

from evaluation.benchmark.ports import refusing_port, silent_port
from zoo.checkpoints.activation_ranges import read_ranges, write_ranges
from zoo.checkpoints.folder import load_folder
from zoo.hub import download
from zoo.hub.background import Locks
from zoo.hub.download import amount, load_repository, pull, remove_excess
from zoo.hub.listing import list_checkpoints
from zoo.hub.requests import HubError, HubUnreachable
from zoo.hub.settings import HubSettings
from zoo.models.ranges import Ranges
from zoo.text import Message

pytestmark = pytest.mark.usefixtures("hub_environment")


def left_on_disk(settings):
    return [path for path in settings.cache.rglob("*") if path.is_file()] if settings.cache.exists() else []


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


def test_ranges_for_eight_bits_come_along_and_are_read_first(hub, settings, checkpoint, tmp_path):
    ranges = Ranges({"encoder.stages.0.0.relu": 3.5}, 25, "0" * 64)
    content = write_ranges(tmp_path, ranges).read_bytes()
    hub.add(NAME, files_of(checkpoint) | {"ranges.json": content})
    assert read_ranges(pull(NAME, settings=settings)[0]) == ranges
    hub.add("someone/spoilt", files_of(checkpoint) | {"ranges.json": content.replace(b"3.5", b'"wide"')})
    with pytest.raises(HubError, match=r"someone/spoilt.*ranges\.json"):
        pull("someone/spoilt", settings=settings)


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
    with pytest.raises(HubError, match=r"100 MB, but config\.json describes"):
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


def test_messages_survive_copies_and_translate_what_they_hold():
    inner = Message("hub_subject_models", author="ana")
    message = Message("hub_silent", subject=inner, seconds="8")
    for copied in (message, copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert copied == "Models of ana: the server has not answered for 8 s; try again later"
        assert copied.in_language("pt-BR") == "Modelos de ana: o servidor não responde há 8 s; tente de novo mais tarde"


def test_locks_and_failures_do_not_pile_up(hub, settings, checkpoint, monkeypatch):
    monkeypatch.setattr(download, "MAXIMUM_FAILURES", 5)
    download._failures.clear()
    for number in range(12):
        with pytest.raises(HubError, match=f"nobody{number}"):
            pull(f"ana/nobody{number}", settings=settings)
    assert len(download._failures) == 5 and len(download._locks) == 0
    assert not any(isinstance(part, BaseException) for entry in download._failures.values() for part in entry)


def test_a_lock_that_is_not_free_in_time_is_given_up():
    locks = Locks()
    with locks.hold("a"), locks.hold("b"):
        with pytest.raises(TimeoutError), locks.hold("a", 0.05):
            pass
        assert len(locks) == 2
    assert len(locks) == 0
