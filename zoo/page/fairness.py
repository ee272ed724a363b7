"""The queue, shared fairly: a session waits behind one forward pass of each other session, not behind all of one.

Gradio's queue takes calls as they come, and holds the place of one that only waits for a download. This one gives each
session a share of places, serves sessions in turn, says in words when it is full, lets a call step aside while it
downloads, and lets others have a turn between two of its passes. Shares are counted by session and not by address: a
class of thirty sits behind one.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator

import gradio as gr
from fastapi import HTTPException
from gradio.context import LocalContext
from gradio.queueing import Event, EventQueue, Queue

from zoo.text import DEFAULT_LANGUAGE, Message, choose_language

MOST_WAITING = 64  # calls of all sessions together
SHARE = 6  # waiting or running calls of one session; the page itself needs up to four
SHARE_WITHOUT_SESSION = 16  # of all calls that name no session, as those of curl
JOB_SECONDS = 300.0  # after this a call begins no further forward pass
MOST_PAUSED = 8  # calls between two of their passes while others have theirs; each keeps a thread and a photo
PAUSED_SECONDS = 30.0  # after this a call goes on whoever waits
PAUSE_STEP = 0.005  # seconds between two looks whether it is a paused call's turn
NO_SESSION = ""
LANE = "inference"


class FairQueue(Queue):
    """Gradio's queue with shares and turns. It exists by `share_fairly` alone.

    paused: calls that are between two of their passes while others have theirs, the next to go on first.
    """

    paused: list[Event]

    async def push(self, body, request, username):
        """As Gradio's, but refuses in words: too few values (422), a share that is used up or a full queue (429)."""
        function = self.blocks.fns.get(body.fn_index)
        if function is not None and len(body.data) < len(function.inputs):
            wanted = Message("error_few_values", wanted=len(function.inputs), given=len(body.data))
            raise HTTPException(422, detail=str(wanted))
        session = body.session_hash or NO_SESSION
        share = SHARE if session else SHARE_WITHOUT_SESSION
        own = sum(_session(event) == session for event in self.events())
        if own >= share:
            raise self.refusal(request, "error_share", number=own)
        if len(self) >= MOST_WAITING:
            raise self.refusal(request, "error_queue_full", number=len(self))
        answer = await super().push(body, request, username)
        event = self.event_ids_to_events.get(answer[1]) if answer[0] else None
        if event is not None:
            event.zoo_session = session
            self.take_turns(event.concurrency_id)
        return answer

    def events(self) -> list[Event]:
        """All calls that wait or run."""
        waiting = [event for lane in self.event_queue_per_concurrency_id.values() for event in lane.queue]
        return waiting + self.running()

    def running(self) -> list[Event]:
        """The calls that run."""
        return [event for job in self.active_jobs if job for event in job]

    def take_turns(self, lane: str) -> None:
        """Order the calls that wait: every session's first before any session's second, otherwise as they came."""
        waiting = self.event_queue_per_concurrency_id[lane].queue
        before = Counter(_session(event) for event in self.running() if event.concurrency_id == lane)
        turns = {}
        for event in waiting:
            turns[event._id] = before[_session(event)]
            before[_session(event)] += 1
        waiting.sort(key=lambda event: turns[event._id])

    def get_events(self):
        """As Gradio's, but no second call of a session begins while its first one is paused."""
        lane = self.event_queue_per_concurrency_id.get(LANE)
        if lane is None or not self.paused or self.newcomer(lane):
            return super().get_events()
        waiting, lane.queue = lane.queue, []  # of all this, other threads see nothing but the queue's length
        try:
            return super().get_events()
        finally:
            lane.queue = waiting

    def newcomer(self, lane: EventQueue, session: str | None = None) -> bool:
        """Whether a call waits of a session that has none running or paused, and is not this one."""
        served = {_session(event) for event in self.running() if event.concurrency_id == lane.concurrency_id}
        return any(_session(event) not in served | {session} for event in list(lane.queue))

    def between(self) -> bool:
        """Between two passes of the call in whose thread it is: first one pass of every other session that waits.

        False when the call's client has gone meanwhile, and no further pass is wanted.
        """
        lane = self.event_queue_per_concurrency_id.get(LANE)
        event = self.event_ids_to_events.get(LocalContext.event_id.get(None) or "")
        if lane is None or event is None:
            return True
        session, end = _session(event), time.monotonic() + PAUSED_SECONDS
        wanted = self.newcomer(lane, session) or any(_session(other) != session for other in self.paused)
        if not wanted or len(self.paused) >= MOST_PAUSED:
            return event.alive
        self.paused.append(event)
        lane.current_concurrency -= 1
        try:
            while self.is_wanted(event) and not self.goes_on(lane, event) and time.monotonic() < end:
                time.sleep(PAUSE_STEP)
        finally:
            lane.current_concurrency += 1
            self.paused.remove(event)
        return self.is_wanted(event)

    def is_wanted(self, event: Event) -> bool:
        """Whether somebody still waits for a call: it was not cancelled, and its client has not gone."""
        return event.alive and event in self.running()

    def goes_on(self, lane: EventQueue, event: Event) -> bool:
        """Whether it is a paused call's turn: the slot is free, and nobody is before it."""
        free = lane.current_concurrency < (lane.concurrency_limit or MOST_WAITING)
        return free and self.paused[0] is event and not self.newcomer(lane)

    def refusal(self, request, key: str, number: int) -> HTTPException:
        """The answer to a call that gets no place, in the language of who asked."""
        times = [spent.avg_time for spent in self.process_time_per_fn.values() if spent.count]
        seconds = max(1, round(sum(times) / len(times) * max(1, number))) if times else 5
        language = choose_language(request.headers.get("accept-language")) if request else DEFAULT_LANGUAGE
        text = Message(key, number=number, seconds=seconds).in_language(language)
        return HTTPException(429, detail=text, headers={"Retry-After": str(seconds)})

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While the block runs, the call in whose thread it is leaves the slot of the forward passes to others."""
        lane = self.event_queue_per_concurrency_id.get(LANE)
        if lane is None:  # the work of no queue, as in the warm-up
            yield
            return
        lane.current_concurrency -= 1
        try:
            yield
        finally:
            lane.current_concurrency += 1


def _session(event: Event) -> str:
    return getattr(event, "zoo_session", event.session_hash)


def share_fairly(blocks: gr.Blocks) -> FairQueue:
    """Make the queue of a page a fair one."""
    queue = blocks._queue
    queue.__class__, queue.paused = FairQueue, []
    queue.max_size = None  # refused above, in words
    return queue
