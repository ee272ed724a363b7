"""Memory with a ceiling: what goes first, what comes back, what closed sessions leave, and a sum that holds."""

import asyncio
import gc
import threading
import zipfile
from pathlib import Path

import gradio as gr
import httpx
import numpy as np
import pytest
from page_server import GRADIO_WARNINGS, LADDER, make_page, serve, write_checkpoints
from PIL import Image
from test_fairness import answer, call

import app
from zoo.hub.once import REST, Kept, Ledger, parts
from zoo.hub.settings import HubSettings
from zoo.images.examples import examples
from zoo.page.sessions import Session, Waiting

pytestmark = GRADIO_WARNINGS


class Holder:
    def __init__(self):
        self.gone = 0

    def let_go(self):
        self.gone += 1


def test_parts_are_counted_once_and_as_they_are_stored():
    array = np.zeros((100, 200), np.uint16)
    found = parts({"a": array, "view": array[10:], "rest": ["x" * 5000, b"y" * 10, 3, None]})
    assert sorted(size for _, size in found.values()) == [5000, 40_000]
    for mode, size in (("RGB", 4), ("RGBA", 4), ("L", 1), ("I;16", 2)):
        assert [size for _, size in parts(Image.new(mode, (100, 100))).values()] == [size * 10_000]


def test_who_comes_while_the_page_starts_keeps_their_session(tmp_path, monkeypatch):
    page = make_page(tmp_path)
    blocks = app.build(page)
    queue = blocks._queue
    queue.pending_messages_per_session["early"] = None  # as of a call before `launch` has returned
    monkeypatch.setattr(app, "build", lambda page: blocks)
    with serve(page):
        assert "early" in queue.pending_messages_per_session and blocks._queue is queue
        assert isinstance(queue.pending_messages_per_session, Waiting)
        assert isinstance(blocks.app.state_holder["late"], Session)


def test_the_least_recently_used_goes_first_and_the_sum_stays_below_the_budget():
    ledger, shared = Ledger(3 * REST + 25_000), b"s" * 10_000
    first, second, third = Holder(), Holder(), Holder()
    for holder in (first, second):
        ledger.hold(holder, parts(shared, bytes([0]) * 5000))
    assert ledger.total == 2 * REST + 20_000  # what both have counts once
    with ledger.using(first):
        ledger.hold(third, parts(b"t" * 9000))
        assert (first.gone, second.gone, third.gone) == (0, 1, 0) and ledger.total == 2 * REST + 24_000
        assert ledger.in_use == 15_000
        fourth = Holder()
        ledger.hold(fourth, parts(b"u" * 90_000))  # larger than all that is free: not even the newest stays
        assert (third.gone, fourth.gone) == (1, 1) and ledger.total == REST + 15_000
    ledger.dismiss(first)
    assert first.gone == 1 and ledger.total == 0 and not ledger.shares and not ledger.users
    ledger.hold(second, parts(shared))
    del second, holder
    gc.collect()
    assert ledger.total == 0  # what nobody has any more does not count


def test_values_that_everybody_shares_count_too_and_are_made_again():
    ledger = Ledger(2 * REST + 20_000)
    kept, made = Kept(10**9, ledger), []
    for key in (1, 2, 3, 1):
        kept.get(key, lambda key=key: made.append(key) or bytes([key]) * 9000)
    assert made == [1, 2, 3, 1] and ledger.total <= ledger.budget and 2 not in kept and 3 in kept
    with pytest.raises(ZeroDivisionError):
        kept.get(4, lambda: 1 / 0)
    assert ledger.total <= ledger.budget


def test_many_threads_keep_the_ledger_true():
    ledger = Ledger(20 * REST)
    kept = [Kept(8 * 9000, ledger) for _ in range(2)]

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(300):
            key = int(random.integers(30))
            assert len(random.choice(kept).get(key, lambda key=key: bytes([key]) * 9000)) == 9000

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(6)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads) and ledger.total <= ledger.budget
    held = [entry for entry in ledger.entries.values() if entry.holder() is not None]
    assert ledger.total == sum(REST + sum(size for _, size in entry.parts.values()) for entry in held)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page with room for one comparison of an example and little more."""
    root = tmp_path_factory.mktemp("checkpoints")
    write_checkpoints(root)
    page = make_page(root, HubSettings(baselines="off", memory_megabytes=6.0))
    with serve(page) as address:
        yield page, address


class Request:
    """What the handlers read of a request."""

    query_params, headers, session_hash = {"lang": "en"}, {}, "x"


def compared(page, path) -> object:
    """The comparison that a visitor has after `Page.compare`, every state of it within the budget."""
    photo = {"path": str(path)}
    for *_, work, _ in page.compare(photo, {"selected": LADDER}, None, {}, "trained", Request):  # noqa: B007
        pass
    return work


def uploaded(folder: str, number: int) -> Path:
    path = Path(folder) / f"memory-{number}.png"
    with Image.open(examples()[number].photo) as photo:
        image = photo.convert("RGB")
    image.putpixel((0, 0), (1, 2, 3))  # a visitor's own
    image.save(path)
    return path


def archive(path: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as content:
        return {name: content.read(name) for name in content.namelist() if name != "summary.json"}


def test_a_visitor_whose_work_was_dropped_still_gets_everything(site, uploads):
    page = site[0]
    paths = [uploaded(uploads, number) for number in range(4)]
    first = compared(page, paths[0])
    before = archive(page.download(first, Request))
    assert first.decoded is not None
    others = [compared(page, path) for path in paths[1:]]
    assert page.ledger.total <= page.ledger.budget == 3e6
    assert first.decoded is None and not first.results and first.finished == tuple(LADDER)
    assert archive(page.download(first, Request)) == before and len(before) == 7
    assert page.ledger.total <= page.ledger.budget and others[0].decoded is None
    viewer, _ = page.stop(others[0], Request)
    assert [panel["status"] for panel in viewer["panels"]] == ["done"] * 3
    strip, choice, inside = page.inside(others[1], None, True, Request)
    assert choice.value == LADDER[2] and strip and len(inside["panels"]) > 2
    assert page.ledger.total <= page.ledger.budget
    page.ledger.dismiss(first)
    paths[0].unlink()
    with pytest.raises(Exception, match="no longer here"):
        page.download(first, Request)
    assert page.ledger.total <= page.ledger.budget and not page.ledger.users


def test_a_photo_too_many_for_the_memory_in_use_is_refused_in_words(site, uploads):
    page, paths = site[0], [uploaded(uploads, number) for number in range(2)]
    running = page.compare({"path": str(paths[0])}, {"selected": LADDER}, None, {}, "trained", Request)
    next(running)
    page.ledger.budget = 1e6
    try:
        with pytest.raises(Exception, match="as many large images as its memory holds"):
            for _ in page.compare({"path": str(paths[1])}, {"selected": LADDER}, None, {}, "trained", Request):
                pass
    finally:
        page.ledger.budget = 3e6
        running.close()
    assert not page.ledger.users


def test_sessions_hold_little_and_end(site, uploads, monkeypatch):
    page, address = site
    holder = page.turns.blocks.app.state_holder
    for number in range(3):
        assert "complete" in answer(address, call(address, number, None))
    assert holder.session_data and not any(session.config_values for session in holder.session_data.values())
    monkeypatch.setattr("zoo.page.sessions.EMPTY_SECONDS", -1)
    holder.delete_all_expired_state()
    assert not holder.session_data and not holder.time_last_used
    monkeypatch.setattr("zoo.page.sessions.MOST_SESSIONS", 3)
    work = compared(page, uploaded(uploads, 5))
    session = holder["visitor"]
    state = next(key for key, block in page.turns.blocks.blocks.items() if isinstance(block, gr.State))
    session.state_data[state] = work
    session.is_closed = True  # as Gradio marks a session whose page was closed
    holder.delete_all_expired_state()
    assert work.decoded is None and "visitor" in holder and holder["visitor"] is session and not session.is_closed
    monkeypatch.setattr("zoo.page.sessions.KEPT_SECONDS", -1)
    holder.delete_all_expired_state()
    assert "visitor" in holder  # somebody still has the page open
    session.is_closed = True
    holder.delete_all_expired_state()
    assert "visitor" not in holder
    [holder[str(number)] for number in range(9)]
    assert list(holder.session_data) == ["6", "7", "8"] and isinstance(holder["6"], Session)


def test_answers_that_nobody_fetches_count_and_go(site):
    page, address = site
    for number in range(40):
        body = {"data": [], "session_hash": f"forgetful {number}"}
        assert httpx.post(f"{address}gradio_api/call/leaderboard_details", json=body).status_code == 200
    assert page.ledger.total <= page.ledger.budget

    class Message:
        def __init__(self, number: int):
            self.output = [str(number) * 9000]

    ledger, ids = Ledger(3 * (REST + 9000)), {}
    waiting = Waiting(100, ledger, ids)
    for number in range(5):
        waiting[str(number)] = asyncio.Queue()
        ids[str(number)] = {"event"}
        waiting[str(number)].put_nowait(Message(number))
    assert list(waiting) == list(ids) == ["2", "3", "4"] and ledger.total == ledger.budget
    assert waiting["2"].get_nowait().output and ledger.total == 3 * REST + 2 * 9000
