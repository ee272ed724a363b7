"""A served page under one client that wants everything, a download that drips, and requests that make no sense."""

import json
import re
import statistics
import tempfile
import time
from pathlib import Path

from evaluation.benchmark.faults.tally import Tally, is_sentence
from evaluation.benchmark.ports import dripping_hub
from evaluation.benchmark.server import first_page, serving
from evaluation.benchmark.soak import photos
from evaluation.benchmark.visitor import Visitor, settled
from zoo.checkpoints.folder import bundled_folder
from zoo.config import MAXIMUM_PANELS
from zoo.hub.catalog import catalog

CALLS = 64  # of one client
ROUNDS = 5
SIZE = (960, 720)
NAME = "ana-souza-passport.jpg"  # what visitors call their files is not for the log
DRIPPING = "ana/dripping"


def crowd(quick: bool) -> list[Tally]:
    """Requests that make no sense, then a new visitor beside a client with `CALLS` calls and a dripping download."""
    names = [info.name for info in catalog()][:MAXIMUM_PANELS]
    config = bundled_folder() / names[0] / "config.json"
    with tempfile.TemporaryDirectory() as home, dripping_hub(DRIPPING, config) as endpoint:
        log = Path(home) / "log"
        environment = {"HF_ENDPOINT": endpoint, "FCN_ZOO_REPOS": DRIPPING, "FCN_ZOO_CACHE": f"{home}/cache"}
        with serving("app.py", environment=environment, log=log) as (process, address):
            first_page(process, address)
            pictures = photos((160, 120) if quick else SIZE, 200)
            wrong, many = Tally("requests that make no sense"), Tally("one client with 64 calls, one dripping download")
            one = Visitor(address, "first")
            one.segment(one.upload(NAME, next(pictures)), names)  # every network is loaded
            wrong.before = settled(process, 1)
            ask_wrongly(wrong, address, one.upload(NAME, next(pictures)), names[0])
            wrong.after = many.before = settled(process, 1)
            press(many, address, names, pictures, 2 if quick else ROUNDS)
            many.after = settled(process, 1)
            wrong.require("the page still runs", process.poll() is None)
        said = log.read_text(encoding="utf-8", errors="replace")
    wrong.require(f"tracebacks in the log: {said.count('Traceback')}", "Traceback" not in said)
    wrong.require("a visitor's file is named in the log", NAME.partition(".")[0] not in said)
    return [wrong, many]


def bodies(photo: dict, name: str) -> list[list]:
    """Data for an endpoint that wants a photo and names of checkpoints."""
    nested: list = []
    for _ in range(200):
        nested = [nested]
    wrong = [None, 5, "x", [], {}, [5], {"path": 5}, {"path": None}, {"path": "a\0b"}, {"path": "/etc/passwd"}]
    wrong += [
        {"path": "../../etc/passwd"},
        {"path": "", "url": "http://127.0.0.1:9/x"},
        nested,
        "x" * 300_000,
        [None, {}],
    ]
    wrong += [True, -1, 1e308, {"__type__": "update"}, {"path": photo["path"] + "/x", "meta": photo["meta"]}]
    found = [[value, [name]] for value in wrong] + [[photo, value] for value in wrong]
    found += [[photo, [name, value]] for value in wrong[:9]] + [
        [photo, [name] * 500],
        [photo, [f"{name}{i}" for i in range(99)]],
    ]
    return [*found, [], [photo], [photo, [name], 3]]


def ask_wrongly(tally: Tally, address: str, photo: dict, name: str) -> None:
    """Wrong types and numbers of arguments to every endpoint, and addresses that nobody gave out."""
    visitor = Visitor(address, "wrong")
    for endpoint in ("segment", "segment_full_resolution", "segment_batch"):
        for data in bodies(photo, name):
            what = f"{endpoint} {json.dumps(data)[:60]}"
            tally.attempt(what, lambda e=endpoint, d=data, w=what: told(tally, w, visitor, e, d))
    for endpoint in ("checkpoints", "leaderboard", "leaderboard_details"):
        for data in ([5], [None, None], [{}], ["x" * 1000]):
            what = f"{endpoint} {json.dumps(data)[:60]}"
            tally.attempt(what, lambda e=endpoint, d=data, w=what: told(tally, w, visitor, e, d))
    strange = ["gradio_api/call/none", "gradio_api/queue/join", "gradio_api/run/predict", "gradio_api/call/segment"]
    strange += ["gradio_api/upload", "gradio_api/cancel", "gradio_api/reset", "gradio_api/component_server"]
    for path in strange:
        for body in (b"", b"no json", b"[]", b'{"data": 5}', b'{"fn_index": 99999, "data": []}', b'{"fn_index": "x"}'):
            tally.attempt(f"POST {path} {body!r}", lambda p=path, b=body: whole(visitor, "POST", p, content=b))
    asked = ["gradio_api/call/segment/none", "gradio_api/queue/data?session_hash=none", "gradio_api/file=/etc/passwd"]
    asked += [
        "gradio_api/deep_link?session_hash=none",
        "gradio_api/heartbeat",
        "gradio_api/file=../../etc/passwd",
        "%00",
    ]
    asked += [
        "gradio_api/run-history/records",
        "config?deep_link=../../etc",
        "?deep_link=none",
        "gradio_api/info?x=%ff",
    ]
    for path in asked:
        tally.attempt(f"GET {path}", lambda p=path: whole(visitor, "GET", p))


def told(tally: Tally, what: str, visitor: Visitor, endpoint: str, data: list) -> None:
    """Ask, and note a refusal, at once or at the end; raises where it has no words or the server failed."""
    started = visitor.begin(endpoint, *data)
    if started.status_code >= 500:
        raise RuntimeError(f"status {started.status_code}: {started.text[:100]}")
    if started.status_code >= 400:
        tally.refuse(what, started.text)
        return
    kind, found = visitor.answer(endpoint, started)
    if kind == "error":
        tally.refuse(what, found.get("error") if isinstance(found, dict) else found)


def whole(visitor: Visitor, method: str, path: str, **options) -> None:
    """An answer that is no failure of the server; a stream is not read further than its first line."""
    with visitor.http.stream(method, path, **options) as answer:
        if answer.status_code >= 500:
            raise RuntimeError(f"status {answer.status_code}")
        next(answer.iter_lines(), None)


def press(tally: Tally, address: str, names: list[str], pictures, rounds: int) -> None:
    """First masks of new visitors, quiet and beside a client that wants everything."""
    quiet = [first_mask(tally, address, next(pictures), names[0], f"quiet {number}") for number in range(rounds)]
    one = Visitor(address, "passes")
    photo = one.upload(NAME, next(pictures))
    begin = time.perf_counter()
    one.segment(photo, names)
    one_pass = (time.perf_counter() - begin) / len(names)
    patient = Visitor(address, "patient")
    tally.require("a download may be asked for", patient.begin("segment", photo, [DRIPPING]).status_code == 200)
    greedy = Visitor(address, "greedy")
    for number in range(CALLS):
        started = greedy.begin("segment", greedy.upload(NAME, next(pictures)), names)
        tally.tried += 1
        if started.status_code == 429 and re.fullmatch(r"\d+", started.headers.get("retry-after", "")):
            tally.refuse(f"call {number}", started.json().get("detail"))
        elif started.status_code != 200:
            tally.faults.append(f"call {number}: status {started.status_code} {started.text[:80]}")
    tally.require("one client's calls are bounded", tally.refused > CALLS / 2)
    pressed = [first_mask(tally, address, next(pictures), names[0], f"new {number}") for number in range(rounds)]
    tally.attempt("the page while all wait", lambda: whole(one, "GET", "") or whole(one, "GET", "config"))
    calm, late = statistics.median(quiet), statistics.median(pressed)
    tally.note = (
        f"A new visitor's first mask comes after {calm:.2f} s on a quiet page and {late:.2f} s in the crowd (medians "
        f"of {rounds}); one pass of the others takes {one_pass:.2f} s (goal: at most {1.5 * calm + one_pass:.2f} s)."
    )


def first_mask(tally: Tally, address: str, content: bytes, name: str, session: str) -> float:
    """Seconds from a new visitor's question to the mask; the upload is there already."""
    visitor = Visitor(address, session)
    photo = visitor.upload(NAME, content)
    begin = time.perf_counter()

    def ask() -> None:
        kind, found = visitor.segment(photo, [name])
        if kind != "complete":
            raise RuntimeError(found if is_sentence(str(found)) else "no mask")

    tally.attempt(f"visitor {session}", ask)
    return time.perf_counter() - begin
