"""Pushing checkpoint folders with the real client: over Git LFS, once over hf_xet, and against servers that refuse."""

import time
from dataclasses import replace

import pytest
from hub_client import client_environment, save_checkpoint
from hub_server import TOKEN, HubServer
from huggingface_hub import constants, hf_hub_download

from evaluation.benchmark.ports import refusing_port, silent_port
from zoo.__main__ import onnx_files
from zoo.checkpoints.card import write_card
from zoo.checkpoints.folder import read_info
from zoo.checkpoints.information import CheckpointError
from zoo.hub.download import pull
from zoo.hub.publish import local_files, push, push_report
from zoo.hub.requests import HubError, HubUnreachable
from zoo.hub.settings import HubSettings

NAME = "ana/fcn8s-tiny"

pytestmark = [
    pytest.mark.usefixtures("hub_environment"),
    # huggingface_hub's own upload over Git LFS
    pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload:DeprecationWarning"),
]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "fcn8s"
    write_card(folder, save_checkpoint(folder))
    (folder / "metrics.jsonl").write_text('{"epoch": 1}\n')
    return folder


def commits(hub):
    return sum("/commit/" in request for request in hub.requests)


def test_exports_go_beside_the_weights(hub, settings, folder, tmp_path):
    done = push(folder, NAME, settings=settings, exports=onnx_files(folder, tmp_path))
    published, info = hub.repositories[NAME].branches["main"], read_info(folder)
    exported = {name: content for name, content in published.items() if name.startswith("onnx/")}
    assert set(exported) == {f"onnx/{info.name}.onnx", f"onnx/{info.name}-fp16.onnx"} <= set(done.sent)
    assert all(info.sha256.encode() in content for content in exported.values())
    (again := tmp_path / "again").mkdir()
    assert not push(folder, NAME, settings=settings, exports=onnx_files(folder, again)).sent
    pulled, _ = pull(NAME, settings=settings)
    assert not (pulled / "onnx").exists()


def test_a_push_creates_the_repository_and_pull_gives_it_back(hub, settings, folder):
    done = push(folder, NAME, settings=settings)
    published = hub.repositories[NAME].branches["main"]
    assert published == {name: path.read_bytes() for name, path in local_files(folder).items()}
    assert set(done.sent) == set(published) and done.created and not done.unchanged
    assert done.commit == hub.repositories[NAME].commits["main"] and not hub.repositories[NAME].private
    pulled, info = pull(NAME, settings=settings, companions=True)
    assert info.revision == done.commit
    for name in ("config.json", "model.safetensors", "README.md", "metrics.jsonl"):
        assert (pulled / name).read_bytes() == (folder / name).read_bytes()


def test_ten_megabytes_go_up_once_and_a_second_push_sends_nothing(hub, settings, tmp_path):
    folder = tmp_path / "large"
    write_card(folder, save_checkpoint(folder, width=0.57))
    assert (folder / "model.safetensors").stat().st_size > 9_000_000
    first = push(folder, NAME, settings=settings)
    assert first.sent_bytes > 9_000_000 and len(hub.objects) == 2
    hub.requests.clear()
    second = push(folder, NAME, settings=settings)
    assert not second.sent and set(second.unchanged) == set(first.sent) and second.commit == first.commit
    assert all(request.startswith("GET") for request in hub.requests) and len(hub.requests) == 1


def test_only_what_changed_is_sent(hub, settings, folder):
    push(folder, NAME, settings=settings)
    (folder / "README.md").write_text((folder / "README.md").read_text() + "\nmore\n")
    done = push(folder, NAME, settings=settings)
    assert done.sent == ("README.md",) and not done.created
    assert hub.repositories[NAME].branches["main"]["README.md"].endswith(b"more\n")


def test_a_dry_run_tells_the_truth_and_sends_nothing(hub, settings, folder, monkeypatch):
    client_environment(monkeypatch, token=None)
    done = push(folder, NAME, dry_run=True, settings=settings)
    assert done.dry_run and done.created and set(done.sent) == set(local_files(folder))
    assert NAME not in hub.repositories and all(request.startswith("GET") for request in hub.requests)


@pytest.mark.parametrize("port", [silent_port, refusing_port])
def test_a_dry_run_needs_no_hub_and_says_so(settings, folder, port):
    with port() as endpoint:
        away = replace(settings, endpoint=endpoint, answer_seconds=0.5)
        done = push(folder, NAME, dry_run=True, settings=away)
    assert set(done.sent) == set(local_files(folder)) and not done.created and done.commit is None
    report = push_report(done).splitlines()
    assert report[0].startswith(f"would send {len(done.sent)} files, ")
    assert report[1].startswith("the Hub was not asked, so files that are there already are listed too: ana/fcn8s-tiny")
    assert "does not exist" not in "".join(report)


def test_private_branch_and_pull_request(hub, settings, folder):
    push(folder, NAME, private=True, settings=settings)
    repository = hub.repositories[NAME]
    assert repository.private
    main = repository.commits["main"]
    (folder / "metrics.jsonl").write_text("{}\n")
    branch = push(folder, NAME, revision="v2", settings=settings)
    assert branch.sent and repository.commits["v2"] == branch.commit and repository.commits["main"] == main
    proposal = push(folder, NAME, pull_request=True, settings=settings)
    assert "/discussions/" in proposal.page and repository.commits["main"] == main
    with pytest.raises(HubError, match="pull request goes to the main branch"):
        push(folder, NAME, pull_request=True, revision="v2", settings=settings)


def test_other_files_stay_at_home(hub, settings, folder):
    for name in (".env", "notes.txt", "weights.pth", ".git/config", "runs/model.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("hf_secret")
    push(folder, NAME, settings=settings)
    files = hub.repositories[NAME].branches["main"]
    assert set(files) == {"config.json", "model.safetensors", "golden.safetensors", "README.md", "metrics.jsonl"}


def test_a_lost_race_is_planned_anew(hub, settings, folder):
    push(folder, NAME, settings=settings)
    (folder / "metrics.jsonl").write_text("{}\n")
    races = []

    def somebody_is_faster(repository):
        if not races:
            races.append(repository.commit("main", repository.branches["main"] | {"other.txt": b"x"}))

    hub.before_commit = somebody_is_faster
    done = push(folder, NAME, settings=settings)
    files = hub.repositories[NAME].branches["main"]
    assert races and done.sent == ("metrics.jsonl",) and files["metrics.jsonl"] == b"{}\n" and "other.txt" in files


def test_a_race_that_is_lost_again_and_again_is_reported(hub, settings, folder):
    push(folder, NAME, settings=settings)
    (folder / "metrics.jsonl").write_text("{}\n")
    hub.before_commit = lambda repository: repository.commit("main", repository.branches["main"])
    with pytest.raises(HubError, match="changed during each of 3 attempts"):
        push(folder, NAME, settings=settings)
    assert hub.repositories[NAME].branches["main"]["metrics.jsonl"] != b"{}\n"


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/commit/", "403", "may not write"),
        ("/commit/", "500", "status 500"),
        ("/lfs/[0-9a-f]", "403", "broke off"),
        ("/repos/create", "401", "may not write"),
    ],
)
def test_refusals_are_explained_without_the_token(hub, settings, folder, path, kind, words):
    hub.fault(path, kind)
    with pytest.raises(HubError, match=words) as caught:
        push(folder, NAME, settings=settings)
    assert TOKEN not in str(caught.value)


def test_without_a_token_nothing_is_tried(hub, settings, folder, monkeypatch):
    client_environment(monkeypatch, token=None)
    with pytest.raises(HubError, match="no token"):
        push(folder, NAME, settings=settings)
    assert not hub.requests


def test_unsound_folders_are_refused_before_the_hub_is_asked(hub, settings, folder):
    (folder / "README.md").rename(folder / "card.md")
    with pytest.raises(CheckpointError, match=r"README\.md"):
        push(folder, NAME, settings=settings)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match="sha256"):
        push(folder, NAME, settings=settings)
    assert not hub.requests


@pytest.mark.parametrize("port", [silent_port, refusing_port])
def test_a_hub_that_is_away_is_reported_in_time(settings, folder, port):
    with port() as endpoint:
        started = time.monotonic()
        with pytest.raises(HubUnreachable):
            push(folder, NAME, settings=replace(settings, endpoint=endpoint, answer_seconds=0.5))
        assert time.monotonic() - started < 10


def test_over_hf_xet(tmp_path, folder, monkeypatch):
    """The protocol that the Hub uses today: hf_xet writes to and reads from a store on disk (`local://`)."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    with HubServer(mode="xet", store=tmp_path / "store") as hub:
        hub.store.mkdir()
        settings = HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache", pull_seconds=60)
        done = push(folder, NAME, settings=settings)
        weights = (folder / "model.safetensors").read_bytes()
        assert any("xet-write-token" in request for request in hub.requests) and not hub.objects
        assert hub.repositories[NAME].branches["main"]["model.safetensors"] == weights
        pulled, _ = pull(NAME, settings=settings)
        assert (pulled / "model.safetensors").read_bytes() == weights
        file = hf_hub_download(NAME, "model.safetensors", endpoint=hub.endpoint, cache_dir=tmp_path / "hf")
        with open(file, "rb") as stream:
            assert stream.read() == weights
        assert any("xet-read-token" in request for request in hub.requests)
        assert push(folder, NAME, settings=settings).commit == done.commit
