"""A visitor of a served page over plain HTTP, as its own scripts speak to it, and the memory of all its processes."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx


class Visitor:
    """One session of the page at `address`; `session` None names none, as curl does."""

    def __init__(self, address: str, session: str | None = None):
        self.address, self.session = address, session
        self.http = httpx.Client(base_url=address, timeout=600)

    def upload(self, name: str, content: bytes) -> dict:
        """An uploaded file as the endpoints take it."""
        path = self.http.post("gradio_api/upload", files={"files": (name, content)}).raise_for_status().json()[0]
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def begin(self, endpoint: str, *data: object) -> httpx.Response:
        """Ask an endpoint of the API; its answer names the event, or says why there is none."""
        body = {"data": list(data)} | ({"session_hash": self.session} if self.session else {})
        return self.http.post(f"gradio_api/call/{endpoint}", json=body)

    def answer(self, endpoint: str, started: httpx.Response) -> tuple[str, object]:
        """What an event ended with: "complete" or "error", and its data. RuntimeError if it never ends."""
        with self.http.stream("GET", f"gradio_api/call/{endpoint}/{started.json()['event_id']}") as stream:
            event = ""
            for line in stream.iter_lines():
                event = line.removeprefix("event: ") if line.startswith("event: ") else event
                if event in ("complete", "error") and line.startswith("data: "):
                    return event, json.loads(line.removeprefix("data: "))
        raise RuntimeError("the page closed the answer before it was complete")

    def segment(self, photo: dict, names: list[str]) -> tuple[str, object]:
        """Masks of an uploaded photo, waited for."""
        return self.answer("segment", self.begin("segment", photo, names))

    def compare(self, photo: dict, names: list[str], size: str, *, stop: bool = False) -> list[dict]:
        """The messages of a comparison as the page itself asks for it; with `stop`, it is stopped once it has begun."""
        number = event_number(self.address, "compare")
        body = {"fn_index": number, "data": [photo, {"selected": names}, None, None, size]}
        event = self.http.post("gradio_api/queue/join", json=body | {"session_hash": self.session})
        event, found = event.raise_for_status().json()["event_id"], []
        with self.http.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data: "):
                    continue
                found.append(json.loads(line.removeprefix("data: ")))
                if stop and found[-1]["msg"] == "process_generating":
                    named = {"session_hash": self.session, "fn_index": number, "event_id": event}
                    self.http.post("gradio_api/cancel", json=named)
                    stop = False
                if found[-1]["msg"] in ("process_completed", "close_stream"):
                    return found
        return found


@cache
def event_number(address: str, name: str) -> int:
    """The number of an event of the page, by the name of its function."""
    entries = httpx.get(f"{address}config", timeout=60).json()["dependencies"]
    return next(entry["id"] for entry in entries if entry["api_name"] == name)


def family(process: int) -> list[int]:
    """The ids of a process and of all that come from it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # it has ended meanwhile
            continue
    found = [process]
    for parent in found:
        found += [child for child, other in parents.items() if other == parent]
    return found


def tree_megabytes(process: int) -> float:
    """Proportional set size (PSS) of a process and all that come from it, in MB, from /proc."""
    total = 0
    for number in family(process):
        try:
            text = Path(f"/proc/{number}/smaps_rollup").read_text()
        except OSError:  # it has ended meanwhile
            continue
        total += sum(int(kilobytes) for kilobytes in re.findall(r"^Pss:\s+(\d+) kB", text, flags=re.M))
    return total / 1024


@contextmanager
def peak_of(process: subprocess.Popen, every: float = 0.5) -> Iterator[list[float]]:
    """Look at the memory of a page's processes while the block runs; the list holds the largest in MB."""
    found, ended = [tree_megabytes(process.pid)], threading.Event()

    def look() -> None:
        while not ended.wait(every):
            found[0] = max(found[0], tree_megabytes(process.pid))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def settled(process: subprocess.Popen, seconds: float) -> float:
    """The memory of a page's processes in MB once nothing has been asked of it for so long."""
    time.sleep(seconds)
    return tree_megabytes(process.pid)
