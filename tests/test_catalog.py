"""The catalog: bundled checkpoints at once, the Hub's merged in from the background, kept on disk, failures shown."""

import errno
import json
import shutil
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hub_client import save_checkpoint

import app
from evaluation.benchmark.ports import silent_port
from zoo.checkpoints.folder import load_folder
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import Catalog, catalog, find, load, scan, select
from zoo.hub.requests import HubError

pytestmark = pytest.mark.usefixtures("hub_environment")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three checkpoint folders named after their checkpoints."""
    root = tmp_path_factory.mktemp("bundled")
    for seed, (variant, loss) in enumerate([("fcn32s", "ce"), ("fcn8s", "ce"), ("fcn8s", "focal")]):
        save_checkpoint(root / "new", variant=variant, loss=loss, seed=seed)
        (root / "new").rename(root / json.loads((root / "new" / "config.json").read_text())["name"])
    return root


@pytest.fixture
def root(made, tmp_path):
    return shutil.copytree(made, tmp_path / "bundled")


@pytest.fixture
def hub(hub, tmp_path):
    save_checkpoint(tmp_path / "remote", seed=7)
    hub.add("ana/net", tmp_path / "remote")
    return hub


@pytest.fixture
def settings(settings):
    return replace(settings, authors=("ana",))


# -- bundled


def test_bundled_checkpoints_are_listed_by_name_and_filtered(root):
    assert [info.name for info in catalog(root)] == sorted(path.name for path in root.iterdir())
    assert [info.loss for info in catalog(root, variant="fcn8s")] == ["ce", "focal"]
    assert [info.variant for info in catalog(root, loss="ce", backbone="vgg16bn-w6")] == ["fcn32s", "fcn8s"]
    assert len(catalog(root, backbone="vgg16_bn", dataset="camvid")) == 3 and not catalog(root, dataset="voc")
    assert select([], loss="ce") == []


def test_no_bundled_folder_is_an_empty_catalog(tmp_path):
    assert scan(tmp_path / "absent") == ([], [])


def test_broken_folders_are_named_and_cost_nothing_else(root, caplog):
    names = sorted(path.name for path in root.iterdir())
    (root / names[0] / "config.json").write_text("{")
    (root / names[1] / "model.safetensors").unlink()
    (root / names[2]).rename(root / "renamed")
    shutil.copytree(root / "renamed", root / names[2])
    found, problems = scan(root)
    assert [info.name for info in found] == [names[2]]
    assert len(problems) == 3
    for problem, word in zip(problems, ("valid JSON", "missing", "must agree"), strict=True):
        assert word in problem
    assert [info.name for info in catalog(root)] == [names[2]] and names[0] in caplog.text


@pytest.mark.parametrize("asked", ["iterdir", "is_dir"])
def test_a_bundled_folder_that_may_not_be_read_is_named_and_takes_nothing_down(
    root, settings, monkeypatch, caplog, asked
):
    plain = getattr(Path, asked)

    def ask(path):
        if path == root:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(Path, asked, ask)
    told = f"Folder {root} is left out: Permission denied"
    assert scan(root) == ([], [told])
    with pytest.raises(CheckpointError, match=r"there are: none; Folder .* Permission denied"):
        find("absent", root)
    page = app.make_page(Catalog(replace(settings, authors=()), root))
    assert {info.source for info in page.infos.values()} == {"torchvision"} and caplog.text.count(told) == 1
    page.warm_up()  # nothing is downloaded
    snapshot = Catalog(replace(settings, authors=(), baselines="off"), root).snapshot()
    assert snapshot.checkpoints == () and snapshot.problems == (told,)


def test_one_bundled_folder_that_may_not_be_read_costs_itself_alone(root, monkeypatch):
    plain, closed = Path.is_dir, sorted(root.iterdir())[0]

    def ask(path):
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(Path, "is_dir", ask)
    found, (problem,) = scan(root)
    assert len(found) == 2 and problem.startswith(f"Checkpoint {closed.name!r} is left out: ")


def test_find_names_the_choices(root):
    name = sorted(path.name for path in root.iterdir())[0]
    assert find(name, root).name == name
    with pytest.raises(CheckpointError, match=f"no bundled checkpoint 'absent'; there are: .*{name}"):
        find("absent", root)
    (root / name / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="valid JSON"):
        find(name, root)


# -- load


def test_load_takes_names_folders_and_repositories(root, settings, hub, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("zoo.hub.catalog"), "bundled_folder", lambda: root)
    for variable, value in (("HF_ENDPOINT", settings.endpoint), ("FCN_ZOO_CACHE", str(settings.cache))):
        monkeypatch.setenv(variable, value)
    name = sorted(path.name for path in root.iterdir())[0]
    images = torch.rand(1, 3, 20, 30)
    with torch.inference_mode():
        expected = load_folder(root / name)(images)
        assert torch.equal(load(name)(images), expected) and torch.equal(load(root / name)(images), expected)
        remote = load_folder(tmp_path / "remote")(images)
        model = load("ana/net")
        assert torch.equal(model(images), remote)
    assert (model.info.source, model.info.location) == ("hub", "ana/net") and not model.training
    with pytest.raises(CheckpointError, match="only repositories on the Hub"):
        load(name, revision="v1")
    for absent in ("absent", "./absent", "/absent/folder", "../zoo/absent"):
        with pytest.raises(CheckpointError, match="absent"):
            load(absent)
    assert sum("absent" in request for request in hub.requests) == 0


# -- bundled and Hub together


def test_the_first_snapshot_does_not_wait_and_the_hubs_checkpoints_follow(root, settings, hub):
    catalog = Catalog(settings, root)
    first = catalog.snapshot()
    assert len(first.checkpoints) == 3 and first.hub == "waiting" and not hub.requests
    later = catalog.refresh(wait=10)
    assert [info.offered_as for info in later.checkpoints[3:]] == ["ana/net"]
    assert later.hub == "listed" and not later.refreshing and later.age_seconds() < 10 and "just now" in later.note()


def test_without_hub_settings_nothing_is_asked(root, settings, hub):
    snapshot = Catalog(replace(settings, authors=()), root).refresh(force=True, wait=1)
    assert snapshot.hub == "off" and snapshot.note() == "" and not hub.requests


def test_the_same_weights_appear_once_and_as_the_bundled_ones(root, settings, hub):
    bundled = catalog(root)[0]
    hub.add("ana/copy", root / bundled.name)
    snapshot = Catalog(settings, root).refresh(wait=10)
    assert [info.offered_as for info in snapshot.checkpoints if info.sha256 == bundled.sha256] == [bundled.name]


def test_a_fresh_listing_comes_from_disk_and_an_old_one_is_renewed(root, settings, hub):
    Catalog(settings, root).refresh(wait=10)
    hub.requests.clear()
    second = Catalog(settings, root)
    assert len(second.snapshot().checkpoints) == 4
    assert second.refresh(wait=10).hub == "listed" and not hub.requests
    second.refresh(force=True, wait=10)
    assert hub.requests
    hub.requests.clear()
    Catalog(replace(settings, fresh_seconds=1e-6), root).refresh(wait=10)
    assert hub.requests


def test_a_stored_listing_of_other_settings_or_a_broken_one_is_not_used(root, settings, hub, caplog):
    Catalog(settings, root).refresh(wait=10)
    assert Catalog(replace(settings, authors=("bo",)), root).snapshot().hub == "waiting"
    (settings.cache / "listing.json").write_text('{"format": 1')
    assert Catalog(settings, root).snapshot().hub == "waiting" and "not readable" in caplog.text


def test_a_failure_keeps_the_last_listing_and_is_shown(root, settings, hub):
    catalog = Catalog(settings, root)
    catalog.refresh(wait=10)
    hub.fault("/api/models", "500", times=1)
    failed = catalog.refresh(force=True, wait=10)
    assert failed.hub == "failed" and len(failed.checkpoints) == 4
    assert "status 500" in failed.note() and "just now" in failed.note()
    assert catalog.refresh(wait=10).hub == "listed", "a failure is tried again although the listing is fresh"


def test_a_hub_that_swallows_packets_leaves_the_page_alone(root, settings):
    with silent_port() as endpoint:
        catalog = Catalog(replace(settings, endpoint=endpoint, answer_seconds=0.5), root)
        started = time.monotonic()
        during = catalog.refresh()
        assert time.monotonic() - started < 0.5
        assert len(during.checkpoints) == 3 and during.refreshing
        after = catalog.refresh(wait=5)
        assert after.hub == "failed" and "not answered" in after.note() and "none shown" in after.note()
        translated = after.note().in_language("pt-BR")
        assert "o servidor não responde há 0,5 s" in translated and "nenhum mostrado" in translated
        assert time.monotonic() - started < 10


def test_one_listing_at_a_time(root, settings, hub):
    hub.fault("/api/models", "hang", times=1)
    catalog = Catalog(replace(settings, answer_seconds=1.0), root)
    for _ in range(5):
        catalog.refresh(force=True)
    catalog.refresh(wait=5)
    assert len(hub.requests) == 1


def test_problems_of_both_sides_are_in_the_snapshot(root, settings, hub):
    (root / sorted(path.name for path in root.iterdir())[0] / "config.json").unlink()
    hub.add("ana/broken", {"config.json": b"{}"})
    snapshot = Catalog(settings, root).refresh(wait=10)
    assert len(snapshot.problems) == 2 and "ana/broken" in snapshot.problems[1]


def test_models_load_by_their_catalog_name(root, settings, hub, tmp_path):
    catalog = Catalog(settings, root)
    catalog.refresh(wait=10)
    seen = []
    model = catalog.load("ana/net", progress=lambda done, total: seen.append(done))
    assert model.info.location == "ana/net" and seen[-1] == model.info.file_bytes
    bundled = catalog.snapshot().checkpoints[0]
    assert catalog.load(bundled.name).info == bundled
    with pytest.raises(CheckpointError, match=r"there are: .*ana/net"):
        catalog.load("ana/other")


# -- what visitors add


def test_a_visitors_repository_can_be_loaded_and_comes_without_the_hosts_token(root, settings, hub, tmp_path):
    save_checkpoint(tmp_path / "other", seed=8)
    hub.add("bo/net", tmp_path / "other")
    catalog = Catalog(settings, root)
    info = catalog.add(f"{hub.endpoint}/bo/net")
    assert (info.location, info.revision) == ("bo/net", hub.repositories["bo/net"].commits["main"])
    assert catalog.find("bo/net") == info and catalog.load("bo/net").info == info
    assert info not in catalog.snapshot().checkpoints, "what one visitor adds is not shown to the others"
    assert set(hub.tokens) == {None}
    hub.tokens.clear()
    catalog.add("ana/net")
    assert None not in hub.tokens


def test_a_visitor_cannot_reach_the_hosts_private_repositories(root, settings, hub, tmp_path):
    hub.add("host/secret", tmp_path / "remote", private=True)
    catalog = Catalog(settings, root)
    with pytest.raises(HubError, match="not found, or private"):
        catalog.add("host/secret")
    assert len(catalog.snapshot().checkpoints) == 3


def test_a_host_can_restrict_visitors(root, settings, hub, tmp_path):
    save_checkpoint(tmp_path / "other", seed=8)
    hub.add("bo/net", tmp_path / "other")
    with pytest.raises(HubError, match="switched off"):
        Catalog(replace(settings, visitors="off"), root).add("ana/net")
    listed = Catalog(replace(settings, visitors="listed", repos=("bo/net@main",)), root)
    assert {listed.add(name).location for name in ("ana/net", "bo/net")} == {"ana/net", "bo/net"}
    with pytest.raises(HubError, match="listed owners"):
        listed.add("bo/other")


def test_a_poisoned_repository_does_not_join(root, settings, hub, tmp_path):
    hub.add("bo/pickle", {"config.json": (tmp_path / "remote" / "config.json").read_bytes(), "model.pth": b"x"})
    catalog = Catalog(settings, root)
    with pytest.raises(HubError, match=r"model\.pth is not opened"):
        catalog.add("bo/pickle")
    assert len(catalog.snapshot().checkpoints) == 3
    assert not [path for path in settings.cache.rglob("*") if path.is_file()]
