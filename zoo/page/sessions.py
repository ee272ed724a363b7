"""What a served page keeps of each session: as little as the page needs, for as long as somebody may come back to it.

Gradio keeps for each call, also one that names no session, a copy of the configuration of every component with all that
it shows, for ten thousand sessions and for ever; and for two thousand the answers that nobody has fetched. Here a
session is what its states hold, comparisons and answers count in the page's ledger, and what closed goes.
"""

from __future__ import annotations

import asyncio
import datetime
from copy import copy

import gradio as gr
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import LRUCache

from zoo.hub.background import start
from zoo.hub.once import Ledger, parts
from zoo.models.allocator import give_back_freed_memory
from zoo.page.comparison import Comparison
from zoo.page.uploads import KEPT_SECONDS

MOST_SESSIONS = 2000  # of those that hold something, the ones used last
TRIMMED_BYTES = 50_000_000  # so many were freed when freed memory goes back to the kernel, which takes milliseconds
EMPTY_SECONDS = 60.0  # after its last use, a session that holds nothing is forgotten


class Session(SessionState):
    """Gradio's, without its second copy of all that is shown: it serves deep links, which this page does not have."""

    def __init__(self, blocks: gr.Blocks):
        self.blocks_config = copy(blocks.default_config)
        self.config_values, self.state_data, self._state_ttl = {}, {}, {}
        self.is_closed, self.STATE_TTL_WHEN_CLOSED = False, KEPT_SECONDS

    def __setitem__(self, key: int, value: object) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: object) -> None:
        pass


class Sessions(StateHolder):
    """Gradio's holder of sessions, bounded. It exists by `bound_sessions` alone."""

    ledger: Ledger

    def __getitem__(self, session_id: str) -> SessionState:
        with self.lock:
            session = self.session_data.get(session_id) or Session(self.blocks)
            session.is_closed = False  # whoever closed it is back
            self.session_data[session_id] = session
            self.session_data.move_to_end(session_id)
            self.time_last_used[session_id] = datetime.datetime.now()
            while len(self.session_data) > MOST_SESSIONS:
                self._forget(next(iter(self.session_data)))
            return session

    def delete_all_expired_state(self) -> None:
        """Gradio calls this every second: states whose time is up, closed sessions and empty ones go."""
        super().delete_all_expired_state()
        if self.ledger.freed > TRIMMED_BYTES:
            self.ledger.freed = 0
            start(give_back_freed_memory, "zoo-trim")
        with self.lock:
            now = datetime.datetime.now()
            for session_id, session in list(self.session_data.items()):
                idle = (now - self.time_last_used[session_id]).total_seconds()
                if session.is_closed:
                    self._dismiss(session)
                kept = KEPT_SECONDS if session.state_data else EMPTY_SECONDS
                if idle > kept and (session.is_closed or not session.state_data):
                    self._forget(session_id)

    def _dismiss(self, session: SessionState) -> None:
        """Let go of what can be made again, should the visitor come back."""
        for value in list(session.state_data.values()):
            if isinstance(value, Comparison):
                self.ledger.dismiss(value)

    def _forget(self, session_id: str) -> None:
        del self.session_data[session_id]
        self.time_last_used.pop(session_id, None)


class Answers(asyncio.Queue):
    """Answers of one session that its client has yet to fetch, counted in the ledger; too old ones are dropped."""

    def __init__(self, ledger: Ledger, forget):
        super().__init__()
        self.ledger, self.let_go, self.large = ledger, forget, {}

    def _put(self, item) -> None:
        super()._put(item)
        if held := parts(getattr(item, "output", None)):
            self.large[id(item)] = held
            self._tell()

    def _get(self):
        item = super()._get()
        if self.large.pop(id(item), None):
            self._tell()
        return item

    def _tell(self) -> None:
        self.ledger.hold(self, {key: part for held in self.large.values() for key, part in held.items()})


class Waiting(LRUCache):
    """Gradio's answers by session, each queue of them an `Answers`."""

    def __init__(self, size: int, ledger: Ledger, ids: dict[str, set[str]]):
        super().__init__(size)
        self.ledger, self.ids = ledger, ids

    def __setitem__(self, session_id: str, _: asyncio.Queue) -> None:
        super().__setitem__(session_id, Answers(self.ledger, lambda: self.forget(session_id)))
        if len(self.ids) > 2 * self.max_size:  # ids of answers that nobody has fetched, or will
            for other in [other for other in self.ids if other not in self]:
                self.ids.pop(other, None)

    def forget(self, session_id: str) -> None:
        """Drop a session's answers; who asks for them afterwards is told that there are none."""
        self.pop(session_id, None)
        self.ids.pop(session_id, None)


def bound_answers(blocks: gr.Blocks, ledger: Ledger) -> None:
    """Count the answers that wait for their clients in `ledger`. Before the page is served: those held are dropped."""
    queue = blocks._queue
    waiting = queue.pending_messages_per_session
    queue.pending_messages_per_session = Waiting(waiting.max_size, ledger, queue.pending_event_ids_session)


def bound_sessions(blocks: gr.Blocks, ledger: Ledger) -> None:
    """Make a page that is served keep of its sessions what `ledger` counts and little more; those it has stay."""
    holder = blocks.app.state_holder  # it does not exist before the page is served
    holder.ledger = ledger
    holder.__class__ = Sessions
