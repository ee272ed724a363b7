"""The tutorial on one's own data: its commands, run one after the other as they stand, on a small labelme project."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from hub_server import TOKEN
from labelme_project import write_project

ROOT = Path(__file__).parent.parent
PAGES = ("tutorial-own-data.md", "tutorial-dados-proprios.md")
PATIENCE = 600  # seconds for a command on a busy machine


def commands(page: str) -> list[str]:
    """The lines of a page's ```sh blocks."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]


@pytest.fixture
def place(tmp_path, hub):
    """A folder like the project's, with labelled photos in it, and the environment its commands run in."""
    write_project(tmp_path / "work" / "photos", photos=6)
    for name in ("app.py", "zoo", "evaluation", "training"):
        (tmp_path / "work" / name).symlink_to(ROOT / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    private = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "HF_TOKEN": TOKEN}
    private |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "HF_ENDPOINT": hub.endpoint}
    private |= {"HF_HUB_DISABLE_XET": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return tmp_path / "work", os.environ | private


def test_both_languages_give_the_same_commands():
    english, portuguese = map(commands, PAGES)
    assert english == portuguese and len(english) == 8


def test_the_commands_work_as_they_stand(place):
    work, environment = place
    for command in commands(PAGES[0]):
        if command.startswith("python app.py"):
            assert_served(command, work, environment)
            continue
        options = {"cwd": work, "env": environment, "timeout": PATIENCE}
        done = subprocess.run(command, shell=True, capture_output=True, text=True, **options)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (work / "beach" / "classes.txt").read_text() == "background\nleaf\nstone\n"
    assert [path.name for path in (work / "results").glob("*.json")]


def assert_served(command: str, work: Path, environment: dict) -> None:
    """The page comes up and offers the checkpoint that was trained."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = environment | {"GRADIO_SERVER_PORT": str(port), "PORT": str(port)}
    call = f"http://127.0.0.1:{port}/gradio_api/call/checkpoints"
    with subprocess.Popen(f"exec {command}", shell=True, cwd=work, env=environment, stdout=subprocess.PIPE) as page:
        try:
            answer, end = None, time.monotonic() + PATIENCE
            while answer is None and time.monotonic() < end and page.poll() is None:
                try:
                    event = httpx.post(call, json={"data": []}, timeout=PATIENCE).json()["event_id"]
                    answer = httpx.get(f"{call}/{event}", timeout=PATIENCE).text
                except httpx.TransportError:
                    time.sleep(0.2)
            assert answer and "fcn8s-vgg16bn-w25-ce+dice-beach" in answer
        finally:
            page.send_signal(signal.SIGINT)
            try:
                page.wait(60)
            except subprocess.TimeoutExpired:
                page.kill()  # Popen would wait for ever, as for a page whose parent ignores interrupts
                raise
