"""The served page in a process of its own: time to the first page, memory, and several visitors at once."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

import httpx
from gradio_client import Client, handle_file
from PIL import Image

from evaluation.benchmark.measure import Row, Settings
from zoo.config import MAXIMUM_PANELS
from zoo.hub.catalog import catalog
from zoo.images.examples import examples
from zoo.models.preparation import VARIABLE
from zoo.places import REPOSITORY

BARE_APP = """
import os
import gradio
with gradio.Blocks() as blocks:
    box, button = gradio.Textbox(), gradio.Button()
    button.click(lambda text: text, box, box)
blocks.launch(server_port=int(os.environ["GRADIO_SERVER_PORT"]))
"""
BARE_IMPORTS = "import gradio, torch; print(flush=True); input()"
VISITORS = 8
REQUESTS = 500


def without_settings() -> dict[str, str]:
    """This process's environment without the page's settings, but for the precision that is to be measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FCN_ZOO_") or name == VARIABLE}


@contextmanager
def serving(
    *command: str, environment: dict[str, str] | None = None, log: Path | None = None, folder: Path = REPOSITORY
) -> Iterator[tuple[subprocess.Popen, str]]:
    """A process that serves a page on the loopback, and its address; both end with the block.

    Of the page's settings it knows only those in `environment`; what it logs goes to the file `log`. `folder` is where
    it starts, the repository or a checkout of another commit.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = without_settings() | (environment or {})
    settings |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    with ExitStack() as stack:
        errors = stack.enter_context(log.open("w")) if log else None
        output = errors or subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, *command], cwd=folder, env=settings, stdout=output, stderr=errors)
        try:
            yield process, f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait()


def first_page(process: subprocess.Popen, address: str) -> None:
    """Wait until the page is served; RuntimeError if the process ends instead."""
    while process.poll() is None:
        try:
            httpx.get(address, timeout=60).raise_for_status()
            return
        except httpx.ConnectError:
            time.sleep(0.02)
    raise RuntimeError(f"the server ended with status {process.returncode} before it served a page")


def start(settings: Settings) -> list[Row]:
    """Seconds from the command to the first page, of this app and of one with two components."""
    seconds = {"bare": [], "ours": []}
    commands = {"bare": ("-c", BARE_APP), "ours": ("app.py",)}
    for _ in range(1 if settings.quick else 5):
        for name, command in commands.items():
            begin = time.perf_counter()
            with serving(*command) as (process, address):
                first_page(process, address)
                seconds[name].append(time.perf_counter() - begin)
    bare, ours = (statistics.median(seconds[name]) for name in ("bare", "ours"))
    return [
        Row("python app.py to the first page", ours, "s"),
        Row("a Gradio app of two components", bare, "s"),
        Row("ours / two components", ours / bare, goal="<= 1.3"),
    ]


def resident_megabytes(process: subprocess.Popen) -> float:
    """Resident memory of a process now, from /proc."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def memory(settings: Settings) -> list[Row]:
    """Resident memory once every bundled checkpoint has been used, against the libraries alone."""
    names = [info.name for info in catalog()][:MAXIMUM_PANELS]
    command = [sys.executable, "-c", BARE_IMPORTS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as libraries:
        libraries.stdout.readline()
        alone = resident_megabytes(libraries)
        libraries.communicate(b"\n")
    with serving("app.py") as (process, address):
        first_page(process, address)
        Client(address, verbose=False, httpx_kwargs={"timeout": 600}).predict(
            handle_file(examples()[0].photo), names, api_name="/segment"
        )
        used = resident_megabytes(process)
    return [
        Row("import torch and gradio", alone, "MB"),
        Row(f"the page, {len(names)} checkpoints used", used, "MB"),
        Row("ours / import alone", used / alone, goal="<= 1.5"),
    ]


def visitors(settings: Settings) -> list[Row]:
    """Latency of several visitors at once against one alone, failures, and memory over many requests.

    No two requests have the same photo, so that none finds its result at hand.
    """
    count, requests = (2, 4) if settings.quick else (VISITORS, REQUESTS)
    with serving("app.py") as (process, address), tempfile.TemporaryDirectory() as folder:
        photos = iter(different_photos(Path(folder), requests + 10))
        first_page(process, address)
        clients = [Client(address, verbose=False, httpx_kwargs={"timeout": 600}) for _ in range(count)]
        for _ in range(4):  # whatever is done once
            ask(clients[0], next(photos), settings.checkpoint)
        alone = statistics.median(ask(clients[0], next(photos), settings.checkpoint) for _ in range(6))
        before, seconds, failures = None, [], 0
        shares = [list(islice(photos, requests // count)) for _ in clients]
        with ThreadPoolExecutor(count) as pool:
            for turn in zip(*shares, strict=True):
                jobs = [pool.submit(ask, *pair, settings.checkpoint) for pair in zip(clients, turn, strict=True)]
                failures += sum(job.exception() is not None for job in jobs)
                seconds += [job.result() for job in jobs if job.exception() is None]
                before = before or (resident_megabytes(process) if len(seconds) >= requests // 5 else None)
        after = resident_megabytes(process)
    late = sorted(seconds)[min(len(seconds) - 1, round(0.95 * len(seconds)))]
    return [
        Row("one visitor, median", 1000 * alone, "ms"),
        Row(f"{count} visitors at once, 95th percentile", 1000 * late, "ms"),
        Row(f"95th percentile / {count} times one visitor", late / (count * alone), goal="<= 1.1"),
        Row(f"failures of {requests} requests", failures, goal="0"),
        Row("memory at the end / after a fifth of the requests", after / before, goal="<= 1.05"),
    ]


def ask(client: Client, photo: Path, checkpoint: str) -> float:
    """Seconds of one request for the mask of a photo, upload and download included."""
    begin = time.perf_counter()
    client.predict(handle_file(photo), [checkpoint], api_name="/segment")
    return time.perf_counter() - begin


def different_photos(folder: Path, count: int) -> Iterator[Path]:
    """PNG files of one example that differ in a pixel."""
    with Image.open(examples()[0].photo) as example:
        photo = example.convert("RGB")
    for index in range(count):
        photo.putpixel((0, 0), (index % 256, index // 256, 0))
        path = folder / f"{index}.png"
        photo.save(path, compress_level=1)
        yield path
