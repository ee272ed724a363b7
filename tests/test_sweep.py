"""What is promised of visitors' files and of the log: gone after the hour, which is short here, and named nowhere."""

import logging
import os
import shutil
import time

import httpx
import pytest
from page_server import GRADIO_WARNINGS, LADDER, tiny_site

from zoo.hub.settings import HubSettings
from zoo.images.examples import examples
from zoo.page.sweep import Sweeper, private_folder, sweep

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
