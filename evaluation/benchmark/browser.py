"""The static page and the exported files in Chromium, native engines beside them in the same run.

Bytes and seconds until the first mask of a fresh visit and of the next one, memory of the page's process after it, and
milliseconds a photo by weights and threads. Needs ../../zoo/export-requirements.txt, Playwright and onnxruntime-web.
"""

import base64
import gzip
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from evaluation.benchmark.engines import runners
from evaluation.benchmark.measure import Row, Settings
from evaluation.browser import PAGE, Isolated, chromium, served, site
from zoo.checkpoints.export import WEIGHTS, export
from zoo.checkpoints.web_runtime import runtime_folder
from zoo.images.examples import examples
from zoo.models.timing import in_turns
from zoo.places import REPOSITORY

TIMEOUT = 300_000  # milliseconds; the machine may be busy
DONE = "#status[data-masks]:not([data-masks='0'])"
KEPT = "body[data-offline=yes]"
THREADS = (1, 2)


def browser(settings: Settings) -> list[Row]:
    """Visits of the static page, then one photo by every kind of weights, in Chromium and natively."""
    with TemporaryDirectory() as place, chromium() as running:
        command = [sys.executable, "-m", "zoo", "site", f"{place}/site", settings.checkpoint]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        rows = visits(running, Path(place) / "site")
        with Image.open(examples()[0].photo) as photo:
            pixels = np.array(photo.convert("RGB"))
        for weights in WEIGHTS[-1:] if settings.quick else WEIGHTS:
            path = exported(settings, weights, Path(place))
            for threads in THREADS[:1] if settings.quick else THREADS:
                found = timed(running, path, pixels, threads, settings.rounds)
                rows += [replace(row, what=f"{weights}, {threads} threads, {row.what}") for row in found]
        return rows


def visits(running, folder: Path) -> list[Row]:
    """A fresh visit of the static page and the next one: bytes, seconds to the first mask, megabytes."""
    asked: list[str] = []
    with served(folder) as address, running.new_context() as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url.removeprefix(f"{address}/")))
        cold = seconds_to_mask(page, address)
        fetched = sum(compressed(folder / (name or "index.html")) for name in set(asked) if not name.startswith("blob"))
        memory = renderer_megabytes(running)
        page.wait_for_selector(KEPT, state="attached", timeout=TIMEOUT)
        warm = seconds_to_mask(page, address)
        again = float(page.get_attribute("#status", "data-milliseconds") or "nan")
    return [
        Row("bytes until the first mask, compressed", fetched / 1e6, "MB", "<= 7"),
        Row("first mask, first visit", cold, "s", "<= 3"),
        Row("first mask, next visit, with threads", warm, "s"),
        Row("of which the network and its mask", again, "ms"),
        Row("memory of the page's processes after the first mask", memory, "MB"),
    ]


def seconds_to_mask(page, address: str) -> float:
    """From the request of the page until its first mask is there."""
    begin = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(DONE, state="attached", timeout=TIMEOUT)
    return time.perf_counter() - begin


def compressed(path: Path) -> int:
    """Bytes of a file as a server sends it that compresses where that helps; 0 for what is no file."""
    content = path.read_bytes() if path.is_file() else b""
    return min(len(content), len(gzip.compress(content, 6)))


def renderer_megabytes(running) -> float:
    """Resident memory of the browser's processes that run pages and workers; nan where /proc does not tell."""
    session = running.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    found = [Path(f"/proc/{one['id']}/status") for one in processes if one["type"] == "renderer"]
    lines = [line for path in found if path.is_file() for line in path.read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024 if lines else float("nan")


def exported(settings: Settings, weights: str, place: Path) -> Path:
    """The checkpoint's file; its 8-bit ranges come from the photos that ship with the page."""
    photos = place / "photos"
    photos.mkdir(exist_ok=True)
    for example in examples():
        shutil.copy(example.photo, photos)
    path = place / f"{weights}.onnx"
    export(settings.model, path, weights=weights, photos=photos if weights == "int8" else None)
    return path


def timed(running, path: Path, pixels: np.ndarray, threads: int, rounds: int) -> list[Row]:
    """Median milliseconds of one photo in Chromium and by each native engine on so many threads."""
    files = {"index.html": PAGE, "network.onnx": path}
    with site(runtime_folder(), files, Isolated) as address, running.new_page() as page:
        page.set_default_timeout(TIMEOUT)
        page.goto(address)
        page.evaluate("threads => prepare('network.onnx', threads)", threads)
        page.evaluate("photo => show(...photo)", [base64.b64encode(pixels).decode(), *pixels.shape[:2]])
        goal = "<= 250" if threads == 1 else ""
        rows = [Row("Chromium, WASM", median(page.evaluate("rounds => time(rounds)", rounds)), "ms", goal)]
    seconds = in_turns(runners(path.read_bytes(), pixels, threads), rounds)
    return rows + [Row(engine, 1000 * value, "ms") for engine, value in seconds.items()]
