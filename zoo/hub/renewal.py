"""A value that comes from the network and is used at once: the last one is shown while a thread fetches the next.

One fetch at a time, whoever asks; a failure keeps the last value and is tried again at the next occasion. `hub_note`
says in one sentence how old the value is and why there is no newer one.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Generic, TypeVar

from zoo.hub.background import start
from zoo.hub.requests import HubUnreachable
from zoo.text import Message

logger = logging.getLogger("zoo")

AGES = (("days", 86400), ("hours", 3600), ("minutes", 60))  # seconds

Value = TypeVar("Value")


@dataclass(frozen=True)
class Renewed(Generic[Value]):
    """The value now (None before the first), why the last attempt failed ('' if it did not), and if one is going on."""

    value: Value | None
    reason: str
    refreshing: bool


class Renewal(Generic[Value]):
    """Holds a value with the attribute `listed_at` (seconds since 1970) that `fetch()` makes anew.

    `fetch` runs in a daemon thread and raises HubUnreachable with the reason when the Hub cannot be asked.
    """

    def __init__(self, fetch: Callable[[], Value], fresh_seconds: float, value: Value | None, thread_name: str):
        self._fetch, self._fresh_seconds, self._thread_name = fetch, fresh_seconds, thread_name
        self._lock = threading.Lock()
        self._fetching: Future | None = None
        self._value, self._reason = value, ""

    def now(self) -> Renewed[Value]:
        """The state of things, without waiting."""
        with self._lock:
            return Renewed(self._value, self._reason, self._fetching is not None)

    def refresh(self, *, force: bool = False, wait: float = 0.0) -> Renewed[Value]:
        """Fetch unless the value is fresh (`force`: even then) or a fetch is going on; wait for it at most `wait` s."""
        with self._lock:
            age = time.time() - self._value.listed_at if self._value else None
            fresh = age is not None and 0 <= age < self._fresh_seconds and not self._reason
            if self._fetching is None and (force or not fresh):
                self._fetching = start(self._run, self._thread_name)
            fetching = self._fetching
        if fetching is not None and wait > 0:
            wait_for([fetching], wait)
        return self.now()

    def _run(self) -> None:
        value, reason = None, ""
        try:
            value = self._fetch()
        except HubUnreachable as error:
            reason = error.args[0]
        except Exception as error:  # a page without its Hub part must say why rather than wait for ever
            logger.exception("%s failed", self._thread_name)
            reason = Message("hub_unexpected", reason=str(error))
        with self._lock:
            self._value = value or self._value
            self._reason = reason
            self._fetching = None


def hub_note(kind: str, state: str, listed_at: float | None, reason: str, refreshing: bool) -> str:
    """A Message on the Hub's part of a list, empty where nothing of the Hub is named.

    kind: 'hub' for checkpoints, 'results' for the leaderboard; state: 'off', 'waiting', 'listed' or 'failed'.
    """
    if state == "off":
        return ""
    if refreshing or state == "waiting":
        return Message(f"{kind}_asking")
    if listed_at is None:
        return Message(f"{kind}_failed", reason=reason)
    age = max(0.0, time.time() - listed_at)
    unit, size = next((pair for pair in AGES if age >= 2 * pair[1]), ("now", 1))
    when = Message("hub_age_now") if unit == "now" else Message(f"hub_age_{unit}", number=round(age / size))
    if state == "listed":
        return Message(f"{kind}_listed", when=when)
    return Message(f"{kind}_kept", when=when, reason=reason)
