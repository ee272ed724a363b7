"""The measures of `against.py`: what each lets one side do, in processes of its own, turn by turn."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from gradio_client import Client, handle_file

from evaluation.benchmark.screen import camera, start
from evaluation.benchmark.server import different_photos, first_page, serving
from evaluation.benchmark.sides import AgainstError, Side, Turn, Wanted, environment
from evaluation.benchmark.visitor import settled
from zoo.images.examples import examples

SIDE = Path(__file__).with_name("side.py")
WARM_UP = 1  # turns of each side that do not count
FULL = {"variant": "fcn8s", "backbone": "vgg16", "head_channels": 4096}  # the paper's
NINE = tuple(f"fcn{stride}s-vgg16bn-w25-{loss}-camvid" for stride in (32, 16, 8) for loss in ("ce", "focal", "dice"))


def last_line(text: str) -> str:
    """The line in which a traceback or a command says what was wrong."""
    return (text.strip().splitlines() or ["it said nothing"])[-1]


@contextmanager
def program(measure: str, side: Side, **settings) -> Iterator[Turn]:
    """A turn of `side.py` on one side; AgainstError with the last line of what it complained of where it fails."""
    settings |= {"answer": str(side.scratch / "answer.npy"), "scratch": str(side.scratch)}
    command = [sys.executable, str(SIDE), measure, json.dumps(settings)]
    log = side.scratch / "log.txt"
    with log.open("w") as errors, subprocess.Popen(
        command, cwd=side.folder, env=environment(side), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=errors, text=True,
    ) as process:  # fmt: skip

        def turn() -> dict[str, float]:
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write("turn\n")
                process.stdin.flush()
                return json.loads(process.stdout.readline())
            except (OSError, ValueError):
                process.wait()
                raise AgainstError(f"{side.name}: {measure} failed: {last_line(log.read_text())}") from None

        yield turn


def segment(threads: int, network: dict | None = None) -> Callable[[Side, Wanted], AbstractContextManager[Turn]]:
    """The measure `zoo.segment` on so many threads, of the checkpoint or of a random network of this FCNConfig."""

    def measure(side: Side, wanted: Wanted) -> AbstractContextManager[Turn]:
        size, passes = ((64, 48), 1) if wanted.quick else ((480, 360), 8)
        photo = {"photo": str(examples()[0].photo), "size": size, "passes": passes}
        small = {"width": 0.0625, "head_channels": 16} if network and wanted.quick else {}
        chosen = {"checkpoint": wanted.checkpoint, "network": network and network | small}
        return program("segment", side, threads=threads, **chosen, **photo)

    return measure


def training_step(side: Side, wanted: Wanted) -> AbstractContextManager[Turn]:
    """A step of the recipe."""
    flags = {"crop": 32, "batch_size": 2, "precision": "fp32"} if wanted.quick else {}
    counts = {"steps": 1 if wanted.quick else 2, "turns": WARM_UP + wanted.rounds}
    return program("training_step", side, recipe=wanted.recipe, flags=flags, data=wanted.data, **counts)


@contextmanager
def evaluation(side: Side, wanted: Wanted) -> Iterator[Turn]:
    """`python -m evaluation` of a checkpoint on val: what it notes as its seconds, and the whole command."""
    out = side.scratch / "results"
    command = [sys.executable, "-m", "evaluation", wanted.checkpoint, "--dataset", "camvid", "--data", wanted.data]
    command += ["--split", "val", "--out", str(out)]

    def turn() -> dict[str, float]:
        begin = time.perf_counter()
        done = subprocess.run(command, cwd=side.folder, env=environment(side), capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise AgainstError(f"{side.name}: the evaluation failed: {last_line(done.stderr)}")
        (document,) = out.glob("*.json")
        (counts,) = out.glob("*.npz")
        with np.load(counts) as stored:
            arrays = [stored[name].ravel() for name in ("matrices", "boundary", "bands", "calibration")]
        np.save(side.scratch / "answer.npy", np.concatenate(arrays))
        return {
            "counting": json.loads(document.read_text(encoding="utf-8"))["cost"]["evaluation_seconds"],
            "command": seconds,
        }

    yield turn


@contextmanager
def serving_nine(side: Side) -> Iterator[tuple[subprocess.Popen, Turn]]:
    """A page that has shown nine checkpoints one photo, and a turn that asks for the masks of one more."""
    with serving("app.py", folder=side.folder) as (process, address):
        first_page(process, address)
        # Certificates would be read anew for each of the files, which no browser does.
        client = Client(address, verbose=False, ssl_verify=False, httpx_kwargs={"timeout": 600})
        photos = different_photos(side.scratch, 2**16)

        def turn() -> dict[str, float]:
            photo = next(photos)  # none that it has seen, so that no result is at hand
            begin = time.perf_counter()
            client.predict(handle_file(photo), list(NINE), api_name="/segment")
            seconds = time.perf_counter() - begin
            photo.unlink()
            return {"seconds": seconds}

        turn()
        yield process, turn


@contextmanager
def nine(side: Side, wanted: Wanted) -> Iterator[Turn]:
    """A request for nine checkpoints' masks of one photo, upload and download included."""
    with serving_nine(side) as (_, turn):
        yield turn


@contextmanager
def memory(side: Side, wanted: Wanted) -> Iterator[Turn]:
    """PSS of a fresh page's processes after `requests` requests for nine checkpoints, alone in memory."""

    def turn() -> dict[str, float]:
        with serving_nine(side) as (process, request):
            for _ in range(wanted.requests):
                request()
            return {"megabytes": settled(process, 0 if wanted.quick else 5)}

    yield turn


MEASURES: dict[str, Callable[[Side, Wanted], AbstractContextManager[Turn]]] = {
    "segment-1": segment(1),
    "segment-2": segment(2),
    "segment-full": segment(2, FULL),
    "training": training_step,
    "evaluation": evaluation,
    "nine": nine,
    "start": start,
    "camera": camera,
    "memory": memory,
}
NEED_DATA = ("evaluation",)
NEED_BROWSER = ("start", "camera")
ONCE = ("memory",)  # each turn begins afresh and takes minutes
# What is written of each figure of a measure: in words, its unit, and the ratio that is aimed at.
SHOWN = {
    ("segment-1", "seconds"): ("zoo.segment, 360x480, one thread", "s", 0.6),
    ("segment-2", "seconds"): ("zoo.segment, 360x480, two threads", "s", 0.6),
    ("segment-full", "seconds"): ("the same, FCN-8s on the full VGG-16, two threads", "s", 0.8),
    ("training", "seconds"): ("training step", "s", 0.75),
    ("evaluation", "counting"): ("evaluation of val, all measures", "s", 0.7),
    ("evaluation", "command"): ("the whole command that evaluates val", "s", None),
    ("nine", "seconds"): ("nine checkpoints on one photo, whole request", "s", 0.6),
    ("start", "seconds"): ("python app.py to the page's answer", "s", None),
    ("start", "mask"): ("python app.py to the first mask on the screen", "s", 0.6),
    ("camera", "seconds"): ("12-megapixel photo to the third mask on the screen", "s", 0.5),
    ("memory", "megabytes"): ("resident memory of the page, nine checkpoints used", "MB", 0.4),
}
