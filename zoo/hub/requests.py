"""The Hugging Face Hub, read within time and size limits: requests, errors, names.

`huggingface_hub`'s own readers (`list_models`, `model_info`, `whoami`, `snapshot_download`) retry for 23 s on a refused
connection and wait for ever on one that swallows packets. The requests here go through the same client session, once,
in a thread that the caller stops waiting for, so that a Hub that is away costs seconds and says why.
"""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any
from urllib.parse import quote

from huggingface_hub import constants, get_token
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import get_session, httpx

from zoo.checkpoints.information import TAG, CheckpointError, CheckpointInfo
from zoo.hub.background import start
from zoo.hub.settings import HubSettings
from zoo.records import is_plain
from zoo.text import Message

MAXIMUM_ANSWER_BYTES = 16_000_000

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w.][\w./-]{0,200}", re.ASCII)


class HubError(CheckpointError):
    """The Hub, or a repository on it, did not give what was asked for; the message says what and why."""


class HubNotFound(HubError):
    """No such repository, revision or file, or none that this token may see."""


class HubUnreachable(HubError):
    """No answer from the Hub: no network, refused, too slow, offline mode or an error on the Hub's side."""


def parse_repository(text: str, endpoint: str = constants.ENDPOINT) -> tuple[str, str | None]:
    """('OWNER/NAME', revision or None) from 'OWNER/NAME', 'OWNER/NAME@REVISION' or the address of its page.

    Raises HubError when the text names no repository.
    """
    name = text.strip()
    for prefix in (endpoint.rstrip("/") + "/", "https://huggingface.co/", "https://hf.co/", "hf-hub:"):
        name = name.removeprefix(prefix)
    name, _, revision = name.partition("@")
    parts = name.rstrip("/").split("/")
    if len(parts) > 3 and parts[2] == "tree" and not revision:
        name, revision = "/".join(parts[:2]), "/".join(parts[3:])
    name = name.rstrip("/")
    if not _REPOSITORY.fullmatch(name) or ".." in name or "--" in name:
        raise HubError(Message("hub_no_repository", text=repr(text.strip()[:120])))
    if revision and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise HubError(Message("hub_no_revision_name", text=repr(revision[:120])))
    return name, revision or None


class Watch:
    """Signs of life of one operation: the worker calls `alive`, the waiting side reads how long ago that was."""

    def __init__(self):
        self.cancelled = False
        self._last = time.monotonic()

    def alive(self) -> None:
        """Note that something arrived; raises HubUnreachable when nobody waits any more."""
        if self.cancelled:
            raise HubUnreachable(Message("hub_given_up"))
        self._last = time.monotonic()

    def quiet_seconds(self) -> float:
        return time.monotonic() - self._last


def within(work: Callable[[Watch], Any], *, quiet: float, total: float, subject: str) -> Any:
    """`work(watch)` in a thread; HubUnreachable after `quiet` seconds without a sign of life or `total` seconds.

    A thread, because name resolution and a server that sends a byte now and then get past every socket time-out.
    The thread is left behind when time is up and ends at its next sign of life.
    """
    watch = Watch()
    end, outcome = time.monotonic() + total, start(lambda: work(watch), "zoo-hub")
    while not wait([outcome], 0.02 if quiet < 1 else 0.2).done:
        if watch.quiet_seconds() > quiet:
            watch.cancelled = True
            raise HubUnreachable(Message("hub_silent", subject=subject, seconds=float(quiet)))
        if time.monotonic() > end:
            watch.cancelled = True
            raise HubUnreachable(Message("hub_unfinished", subject=subject, seconds=float(total)))
    return outcome.result()


def stream(address: str, settings: HubSettings, watch: Watch, *, subject: str, limit: int, token=None, query=()):
    """Yield the chunks of one answer. Raises HubError, also when more than `limit` bytes arrive.

    address: a path on the Hub, or a whole URL elsewhere, which never gets a token.
    token: None uses the standard places (HF_TOKEN, the stored login), False none at all.
    """
    url = address if address.startswith("https://") else settings.endpoint.rstrip("/") + address
    if url == address:
        token = False
    token = get_token() if token is None else token
    headers = {"user-agent": TAG, "accept-encoding": "identity"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    seconds = settings.answer_seconds
    # A little above `quiet` of the watching side, whose message is the better one.
    timeout = httpx.Timeout(seconds + 1, connect=seconds)
    received = 0
    try:
        with get_session().stream("GET", url, params=list(query), headers=headers, timeout=timeout) as response:
            watch.alive()
            if response.status_code != 200:
                raise _refusal(response, subject)
            for chunk in response.iter_bytes():
                watch.alive()
                received += len(chunk)
                if received > limit:
                    raise HubError(Message("hub_too_large", subject=subject, limit=limit))
                yield chunk
    except OfflineModeIsEnabled:
        raise HubUnreachable(Message("hub_offline", subject=subject)) from None
    except httpx.TooManyRedirects:
        raise HubError(Message("hub_circle", subject=subject)) from None
    except httpx.TimeoutException:
        raise HubUnreachable(Message("hub_silent", subject=subject, seconds=float(seconds))) from None
    except httpx.RemoteProtocolError:
        raise HubUnreachable(Message("hub_broke_off", subject=subject, received=f"{received:,}")) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise HubUnreachable(Message("hub_no_connection", subject=subject, reason=str(error))) from None


def _refusal(response, subject: str) -> HubError:
    code, status = response.headers.get("X-Error-Code"), response.status_code
    if code == "GatedRepo":
        return HubError(Message("hub_gated", subject=subject))
    if code == "RevisionNotFound":
        return HubNotFound(Message("hub_no_revision", subject=subject))
    if code == "EntryNotFound":
        return HubNotFound(Message("hub_no_file", subject=subject))
    if status in (401, 403, 404):
        return HubNotFound(Message("hub_not_found", subject=subject, status=status))
    if status == 429:
        wait = response.headers.get("Retry-After", "")
        if wait.isdigit():
            return HubUnreachable(Message("hub_limited_for", subject=subject, seconds=wait[:6]))
        return HubUnreachable(Message("hub_limited", subject=subject))
    return HubUnreachable(Message("hub_status", subject=subject, status=status))


def get_json(address: str, settings: HubSettings, watch: Watch, *, subject: str, token=None, query=(), limit=None):
    """The JSON value of one answer, at most `limit` (default 16 million) bytes long."""
    limit = limit or MAXIMUM_ANSWER_BYTES
    answer = b"".join(stream(address, settings, watch, subject=subject, limit=limit, token=token, query=query))
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise HubUnreachable(Message("hub_not_json", subject=subject, endpoint=settings.endpoint)) from None


def check_text(info: CheckpointInfo) -> None:
    """Raise CheckpointError if a text that pages show holds markup or control characters."""
    texts = {"id2label": info.labels.classes, "training.dataset": (info.dataset, info.labels.title)}
    for name, values in (texts | {"training.loss": (info.loss,)}).items():
        for value in values:
            if not is_plain(value):
                raise CheckpointError(Message("checkpoint_text", field=name, value=repr(value[:60])))


def commit(model: dict, subject: str) -> str:
    """The 40 hexadecimal digits of the commit that an answer about a repository names."""
    sha = model.get("sha") if isinstance(model, dict) else None
    if not isinstance(sha, str) or not re.fullmatch(r"[0-9a-f]{40}", sha):
        raise HubError(Message("hub_no_commit", subject=subject))
    return sha


def repository_address(repository: str, revision: str | None = None, kind: str = "model") -> str:
    """Path on the Hub of what it knows about a repository; kind is 'model', 'dataset' or 'space'."""
    return f"/api/{kind}s/{repository}" + (f"/revision/{quote(revision, safe='')}" if revision else "")


def file_address(repository: str, revision: str, name: str, kind: str = "model") -> str:
    """Path on the Hub of a file in a repository of this kind."""
    return ("" if kind == "model" else f"/{kind}s") + f"/{repository}/resolve/{quote(revision, safe='')}/{quote(name)}"
