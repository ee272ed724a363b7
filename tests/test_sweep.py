"""What is promised of visitors' files and of the log: gone after the hour, which is short here, and named nowhere."""

import logging
import os
import shutil
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import httpx
import pytest
from gradio import route_utils, routes, screen_recording_utils
from page_server import GRADIO_WARNINGS, LADDER, tiny_site
from test_app import Request

import app
from zoo.hub.settings import HubSettings, page_port
from zoo.images.examples import examples
from zoo.page.sweep import Sweeper, private_folder, sweep
from zoo.page.uploads import new_path

pytestmark = GRADIO_WARNINGS


def wait_until(test, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not test() and time.monotonic() < end:
        time.sleep(0.05)
    return test()


def test_files_go_when_their_time_is_up_and_not_before(tmp_path):
    old = tmp_path / "abc" / "photo.jpg"
    old.parent.mkdir()
    shutil.copy2(examples()[0].photo, old)  # keeps the date of the original, which is no reason to delete the copy
    os.utime(old, (1, 1))
    assert sweep(tmp_path, older_than=60) == 0 and old.is_file()
    time.sleep(0.3)
    (tmp_path / "young").write_text("x")
    assert sweep(tmp_path, older_than=0.2) == 1 and (tmp_path / "young").is_file()
    time.sleep(0.3)
    assert sweep(tmp_path, older_than=0.2) == 2 and not list(tmp_path.iterdir())  # a file and an empty folder
    assert sweep(tmp_path / "absent") == 0


def test_the_sweeper_clears_what_a_killed_page_left_and_what_comes_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    left = tmp_path / "uploads" / "a" / "b" / "of-a-killed-page.jpg"
    left.parent.mkdir(parents=True)
    left.touch()
    known = {str(left), str(tmp_path)}
    monkeypatch.setattr("zoo.page.sweep.KNOWN", [known])
    sweeper = Sweeper(HubSettings(cache=tmp_path / "cache"), every=0.1, older_than=0.3)
    sweeper.start()
    assert wait_until(lambda: not left.exists())
    assert wait_until(lambda: known == {str(tmp_path)})
    (tmp_path / "uploads" / "later.png").touch()
    assert wait_until(lambda: not any((tmp_path / "uploads").iterdir()))
    sweeper.ended.set()
    sweeper.join(5)
    assert not sweeper.is_alive()


def test_a_sweep_that_fails_is_told_and_tried_again(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    rounds = []

    def fail(*_):
        rounds.append(1)
        raise PermissionError("/home/ana/secret.jpg")

    monkeypatch.setattr("zoo.page.sweep.sweep", fail)
    sweeper = Sweeper(HubSettings(cache=tmp_path / "cache"), every=0.05)
    sweeper.start()
    assert wait_until(lambda: len(rounds) > 2)
    sweeper.ended.set()
    sweeper.join(5)
    assert "not deleted (PermissionError)" in caplog.text and "ana" not in caplog.text


def test_the_folder_of_the_page_is_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = private_folder()
    assert folder == private_folder() and os.stat(folder).st_mode & 0o77 == 0
    shutil.rmtree(folder)
    os.symlink("/", folder)  # somebody else was there first
    assert private_folder() != folder


def test_a_folder_that_others_could_read_is_closed_and_somebody_elses_is_not_taken(tmp_path, monkeypatch):
    folder = Path(private_folder(str(tmp_path / "new" / "place")))
    assert folder.parent == tmp_path / "new" / "place"
    folder.chmod(0o777)
    assert private_folder(str(folder.parent)) == str(folder) and folder.stat().st_mode & 0o77 == 0
    others = folder.with_name(f"fcn-zoo-page-{os.getuid() + 1}")
    others.mkdir()
    monkeypatch.setattr("os.getuid", lambda: int(others.name.rpartition("-")[2]))
    assert private_folder(str(folder.parent)) != str(others)


def start_page(monkeypatch, served) -> None:
    """`python app.py` up to the moment at which it serves; then calls `served` and ends."""
    for module in (routes, route_utils, screen_recording_utils):
        monkeypatch.setattr(module, "DEFAULT_TEMP_DIR", module.DEFAULT_TEMP_DIR)  # put back after the test
    page = SimpleNamespace(catalog=Mock(), live=Mock(), warm_up=lambda: None, segmenter=None)
    monkeypatch.setattr(app, "Resting", Mock())
    for name, other in {"make_page": lambda _: page, "workers": Mock(DecoderError=OSError)}.items():
        monkeypatch.setattr(app, name, other)
    monkeypatch.setattr(app, "keep_freed_memory", lambda _: None)
    monkeypatch.setattr(app, "launch", lambda *_, **__: SimpleNamespace(block_thread=served))
    monkeypatch.setattr(app, "Sweeper", lambda _: sweepers.append(quick()) or sweepers[0])
    quick = partial(Sweeper, HubSettings(cache=Path(os.environ["GRADIO_TEMP_DIR"]) / "cache"), 0.05, 0.2)
    sweepers = []
    try:
        app.main([])
    finally:
        for sweeper in sweepers:
            sweeper.ended.set()
            sweeper.join(5)


def test_what_lies_in_the_folder_that_the_host_names_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    thesis = tmp_path / "thesis" / "chapter 1.tex"
    thesis.parent.mkdir()
    thesis.write_text("Ten years of work")
    swept = []

    def served():
        mine = Path(new_path("photo.jpg"))
        mine.touch()
        assert mine.parents[1].parent == tmp_path and mine.parents[1].stat().st_mode & 0o77 == 0
        for module in (routes, route_utils, screen_recording_utils):  # Gradio's own endpoints write there
            assert str(mine.parents[1]) == module.DEFAULT_TEMP_DIR
        swept.append(wait_until(lambda: not mine.parent.exists()))

    start_page(monkeypatch, served)
    assert swept == [True] and thesis.read_text() == "Ten years of work"


def test_a_folder_of_uploads_that_cannot_be_made_is_said_in_a_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    with pytest.raises(SystemExit) as ended:
        start_page(monkeypatch, None)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1 and "GRADIO_TEMP_DIR" in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [*(("PORT", value) for value in ("", "80a", "0", "65536", "-1", "٨٠", "8.0")), ("FCN_ZOO_DECODE", "x")],
)
def test_a_variable_that_cannot_be_read_is_said_in_a_sentence(tmp_path, monkeypatch, capsys, variable, value):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        app.main([])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1 and f"{variable}: {value!r}" in said
    assert not any(tmp_path.iterdir())


def test_the_port_is_the_one_that_the_host_names():
    assert [page_port(named) for named in ({}, {"PORT": "80"}, {"PORT": " 65535 "})] == [None, 80, 65535]


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    with tiny_site(tmp_path / "checkpoints") as site:
        yield site


def test_neither_names_nor_paths_of_visitors_reach_the_log(site, caplog, capfd):
    page, address = site
    caplog.set_level(logging.DEBUG)

    def fail(*_, **__):
        raise RuntimeError("the network failed")

    free, page.segmenter.run = page.segmenter.run, fail
    page.segmenter.results.slots.clear()
    try:
        for content in (examples()[1].photo.read_bytes(), b"no image", b"\x89PNG\r\n\x1a\n broken"):
            files = {"files": ("ana-souza-passport.jpg", content)}
            path = httpx.post(f"{address}gradio_api/upload", files=files).json()[0]
            assert "ana-souza" in path
            body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, LADDER[:1]]}
            started = httpx.post(f"{address}gradio_api/call/segment", json=body).json()
            httpx.get(f"{address}gradio_api/call/segment/{started['event_id']}", timeout=60)
    finally:
        page.segmenter.run = free
    said = "".join(capfd.readouterr()) + "".join(
        record.getMessage() + str(record.exc_text or "") for record in caplog.records if record.name.startswith("zoo")
    )
    assert "the network failed" in said and "ana-souza" not in said and "uploads" not in said


def upload(address: str, name: str, content: bytes) -> str:
    return httpx.post(f"{address}gradio_api/upload", files={"files": (name, content)}).json()[0]


def test_equal_files_of_two_visitors_are_two_and_one_of_them_deletes_only_their_own(site):
    page, address = site
    content = examples()[0].photo.read_bytes()
    mine, yours = (Path(upload(address, "photo.jpg", content)) for _ in range(2))
    assert mine != yours and mine.read_bytes() == yours.read_bytes() == content
    page.forget({"path": str(mine)}, None, None, None, {"selected": None}, Request())
    assert not mine.exists() and yours.read_bytes() == content
