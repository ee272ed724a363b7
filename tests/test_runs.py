"""Checkpoint folders of one's own on the page: all that are finished, each under a name of its own."""

import shutil
from dataclasses import replace
from errno import EACCES
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import app
from zoo.checkpoints.folder import save
from zoo.hub.catalog import Catalog
from zoo.hub.settings import HubSettings
from zoo.labels import CAMVID, PASCAL_VOC, LabelSet, class_palette
from zoo.page.values import labels_value

NAMES = ("pavement", "crack")
OWN = LabelSet("mine", "Mine", NAMES, class_palette(NAMES), 255)


@pytest.fixture
def runs(tmp_path, make_model):
    """Two runs of one name, one of them copied; a stage in a folder of its own; one that goes on; a broken one."""
    root = tmp_path / "runs"
    for folder, variant, change in (("a", "fcn32s", 0), ("b", "fcn32s", 1), ("staged/fcn16s", "fcn16s", 0)):
        model = make_model(variant, classes=NAMES)
        next(model.parameters()).data += change
        save(model, root / folder, labels=OWN, loss="ce", training={})
    shutil.copytree(root / "a", root / "copy")
    (root / "going").mkdir()
    (root / "going" / "state.pt").write_bytes(b"x")
    shutil.copytree(root / "a", root / "broken")
    (root / "broken" / "config.json").write_text("{}")
    return root


def test_finished_runs_are_offered_under_names_of_their_own(runs, settings):
    catalog = Catalog(replace(settings, checkpoints=runs))
    snapshot = catalog.snapshot()
    own = [info for info in snapshot.checkpoints if info.source == "folder"]
    names = [info.offered_as for info in own]
    assert names == [
        "fcn32s-vgg16bn-w6-ce-mine",
        f"fcn32s-vgg16bn-w6-ce-mine-{own[1].sha256[:8]}",
        "fcn16s-vgg16bn-w6-ce-mine",
    ]
    assert len(Catalog(settings).snapshot().checkpoints) == len(snapshot.checkpoints) - 3
    (problem,) = (text for text in snapshot.problems if "broken" in text)
    assert "is left out" in problem
    for name, info in zip(names, own, strict=True):
        assert catalog.load(name).info.sha256 == info.sha256
    (only,) = (info for info in Catalog(replace(settings, checkpoints=runs / "b")).snapshot().checkpoints
               if info.source == "folder")  # fmt: skip
    assert only.offered_as == names[0]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [("iterdir", "staged"), ("is_file", "going/config.json"), ("is_dir", "going"), ("iterdir", "."), ("is_dir", ".")],
)
def test_a_folder_that_may_not_be_read_costs_nothing_but_what_is_in_it(runs, settings, monkeypatch, asked, refused):
    plain, closed = getattr(Path, asked), runs / refused

    def ask(path):
        if path == closed:
            raise PermissionError(EACCES, "Permission denied", str(path))
        return plain(path)

    def own():
        snapshot = Catalog(replace(settings, checkpoints=runs)).snapshot()
        found = [Path(info.location) for info in snapshot.checkpoints if info.source == "folder"]
        return found, [text for text in snapshot.problems if "broken" not in text]

    before, _ = own()
    monkeypatch.setattr(Path, asked, ask)
    found, (problem,) = own()
    folder = closed.parent if closed.suffix else closed
    assert problem == f"Folder {folder} is left out: Permission denied"
    assert found == [place for place in before if not place.is_relative_to(folder)]


def test_an_own_checkpoint_segments_on_the_page(runs, settings, tmp_path):
    page = app.make_page(Catalog(replace(settings, checkpoints=runs / "staged")))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)).save(tmp_path / "photo.png")
    work = page.prepare(str(tmp_path / "photo.png"), ["fcn16s-vgg16bn-w6-ce-mine"])
    for _ in work.advance(page.segmenter):
        pass
    (result,) = work.results.values()
    assert result.mask.shape == (40, 60) and set(np.unique(result.mask)) <= {0, 1}


def test_the_folder_comes_from_the_command_or_the_environment(runs, monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("FCN_ZOO_CHECKPOINTS", raising=False)
    assert app.read_settings([]).checkpoints is None
    assert app.read_settings(["--checkpoints", str(runs)]).checkpoints == runs
    monkeypatch.setenv("FCN_ZOO_CHECKPOINTS", str(runs))
    assert app.read_settings([]).checkpoints == runs == HubSettings.from_environment().checkpoints
    with pytest.raises(SystemExit):
        app.read_settings(["--checkpoints", str(tmp_path / "nowhere")])
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_the_ground_of_own_classes_is_not_painted():
    def clear(labels):
        return [entry["name"] for entry in labels_value(labels, "en")["classes"] if entry.get("clear")]

    many = ("_background_", "a", "b", "c")
    assert clear(OWN) == ["pavement"]
    assert clear(LabelSet("m", "M", many, class_palette(many), 255)) == ["_background_"]
    assert clear(LabelSet("m", "M", many[1:], class_palette(many[1:]), 255)) == []
    assert clear(CAMVID) == clear(PASCAL_VOC) == []
