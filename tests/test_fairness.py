"""A crowd on one machine: shares and turns of sessions, light work at once, downloads that hold up nobody, limits."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from page_server import GRADIO_WARNINGS, LADDER, tiny_site
from PIL import Image
from test_queue import Gate

from zoo.hub.background import watched
from zoo.hub.requests import HubUnreachable
from zoo.images.examples import examples
from zoo.page import comparison
from zoo.page.comparison import Comparison
from zoo.page.fairness import MOST_WAITING, SHARE, SHARE_WITHOUT_SESSION
from zoo.page.last_resort import WordedBlocks

pytestmark = GRADIO_WARNINGS


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with tiny_site(tmp_path_factory.mktemp("checkpoints")) as site:
        yield site


@pytest.fixture
def gate(site):
    """Forward passes one by one; at the end everything that waits is let go, and what was kept is forgotten."""
    page, gate = site[0], Gate()
    free, page.segmenter.run = page.segmenter.run, gate.run
    page.segmenter.results.slots.clear()
    yield gate
    gate.let(999)
    page.segmenter.run = free
    end = time.monotonic() + 60
    while page.turns.events():  # what they still compute would be at hand for the next test
        assert time.monotonic() < end
        time.sleep(0.01)
    page.segmenter.results.slots.clear()


def upload(address: str, number: int) -> dict:
    photo = examples()[number].photo
    path = httpx.post(f"{address}gradio_api/upload", files={"files": (photo.name, photo.read_bytes())}).json()[0]
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def call(address: str, number: int, session: str | None, names=LADDER[:1], language: str = "en") -> httpx.Response:
    """Ask for masks of an example; the answer has the event's id."""
    body = {"data": [upload(address, number), list(names)]} | ({"session_hash": session} if session else {})
    return httpx.post(f"{address}gradio_api/call/segment", json=body, headers={"accept-language": language})


def answer(address: str, started: httpx.Response) -> str:
    return httpx.get(f"{address}gradio_api/call/segment/{started.json()['event_id']}", timeout=60).text


def test_a_session_has_a_share_and_the_next_session_comes_before_its_second_call(site, gate):
    address, count = site[1], len(examples())
    greedy = [call(address, number % (count - 1), "greedy") for number in range(SHARE)]
    assert {started.status_code for started in greedy} == {200}
    gate.wait_for(1)
    refused = call(address, 0, "greedy", language="pt-BR")
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    assert f"Você já tem {SHARE} pedidos" in refused.json()["detail"]
    other = call(address, count - 1, "other")
    assert other.status_code == 200
    gate.let(1)
    gate.wait_for(2)
    assert [photo for _, photo in gate.begun] == [0, count - 1]
    gate.let(999)
    assert "complete" in answer(address, other)
    gate.wait_for(min(SHARE, count - 1) + 1)


def test_others_have_their_turn_between_two_passes_of_one_call(site, gate):
    address = site[1]
    begin = len(examples()) - 3
    greedy = call(address, begin, "much", LADDER)
    gate.wait_for(1)
    again = call(address, begin, "much", LADDER[::-1])  # waits until the session's first call is done
    other, third = (call(address, begin + index, f"visitor {index}", LADDER[:2]) for index in (1, 2))
    assert {started.status_code for started in (greedy, again, other, third)} == {200}
    for passes in range(1, 8):  # 3 of the first call, none of the second, whose results are at hand, 2 of each visitor
        gate.let(passes)
        gate.wait_for(min(passes + 1, 7))
    told = [answer(address, started) for started in (greedy, other, third)]  # the first tells of its session's second
    assert [said.count("event: complete") for said in told] == [2, 1, 1]
    assert [photo - begin for _, photo in gate.begun] == [0, 1, 2, 0, 1, 2, 0]
    queue = site[0].turns
    assert not queue.paused and queue.event_queue_per_concurrency_id["inference"].current_concurrency == 0


def test_a_paused_call_ends_with_its_client(site, gate):
    address, queue = site[1], site[0].turns
    call(address, 0, "gone", LADDER)
    gate.wait_for(1)
    stays = call(address, 1, "stays", LADDER[:2])
    gate.let(1)
    gate.wait_for(2)
    assert [event.session_hash for event in queue.paused] == ["gone"]
    queue.paused[0].alive = False  # as Gradio marks the calls of a client that has gone
    gate.let(999)
    assert "complete" in answer(address, stays)
    assert [photo for _, photo in gate.begun] == [0, 1, 1]


def test_calls_without_a_session_share_one_share_and_a_full_queue_says_so(site, gate, monkeypatch):
    address = site[1]
    nameless = [call(address, 0, None) for _ in range(SHARE_WITHOUT_SESSION)]
    assert {started.status_code for started in nameless} == {200}
    assert call(address, 0, None).status_code == 429
    monkeypatch.setattr("zoo.page.fairness.MOST_WAITING", 3)
    full = call(address, 0, "late")
    assert full.status_code == 429 and "This page is busy" in full.json()["detail"]
    assert MOST_WAITING > SHARE_WITHOUT_SESSION > SHARE


def test_the_page_itself_loads_while_every_place_is_taken(site, gate, monkeypatch):
    address = site[1]
    call(address, 0, "someone")
    gate.wait_for(1)
    monkeypatch.setattr("zoo.page.fairness.MOST_WAITING", 0)
    config = httpx.get(f"{address}config").json()
    light = {entry["api_name"]: entry for entry in config["dependencies"]}
    assert not light["restore"]["queue"] and light["compare"]["queue"]
    body = {"fn_index": light["restore"]["id"], "data": [""], "session_hash": "visitor"}
    shown = httpx.post(f"{address}gradio_api/run/predict", json=body, timeout=30)
    assert shown.status_code == 200 and LADDER[0] in shown.text


def test_a_download_holds_up_nobody_else(site, monkeypatch):
    page, address = site
    monkeypatch.setattr(comparison, "REMOTE", ("bundled",))
    begun, go, load = threading.Event(), threading.Event(), page.segmenter.load
    slow = page.infos[LADDER[2]]

    def dripping(info, progress):
        if info.name == slow.name:
            begun.set()
            while not go.wait(0.05):
                progress(1, 10)
        return load(info, progress)

    monkeypatch.setattr(page.segmenter, "load", dripping)
    page.segmenter.models.slots.clear()
    page.segmenter.results.slots.clear()
    waiting = call(address, 0, "patient", [slow.name])
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(answer, address, waiting)
        assert begun.wait(20)
        assert "complete" in answer(address, call(address, 1, "quick", LADDER[:1]))
        assert not told.done()
        go.set()
        assert "complete" in told.result(30)


def test_a_download_ends_when_nobody_waits_for_it(site, monkeypatch):
    page = site[0]
    info, ended = page.infos[LADDER[1]], threading.Event()

    def endless(info, progress):
        try:
            for done in range(10_000):
                progress(done, 10_000)
                time.sleep(0.01)
        except HubUnreachable:
            ended.set()
            raise

    monkeypatch.setattr(page.segmenter, "load", endless)
    page.segmenter.models.slots.clear()
    first, second = (page.segmenter.coming(info, f"digest {number}", comparison.View((8, 8))) for number in range(2))
    assert next(first) and next(second)
    first.close()
    time.sleep(0.2)
    assert not ended.is_set()
    second.close()
    assert ended.wait(5)


def test_whoever_waits_is_told_again_and_again_so_that_leaving_is_noticed(monkeypatch):
    monkeypatch.setattr("zoo.hub.background.TICK_SECONDS", 0.01)
    monkeypatch.setattr("zoo.hub.background.BEAT_SECONDS", 0.02)
    done = threading.Event()
    steps = watched(lambda: done.wait(10), lambda: (1, 10))
    assert [next(steps) for _ in range(3)] == [(1, 10)] * 3
    done.set()
    assert len(list(steps)) <= 1


def test_a_call_that_takes_too_long_begins_no_further_pass(site):
    page = site[0]
    infos = [page.infos[name] for name in LADDER]
    with Image.open(examples()[3].photo) as photo:
        decoded = comparison.Decoded(photo.convert("RGB"), (), photo.size)
    work = Comparison("x", decoded, infos)
    for _ in work.advance(page.segmenter, seconds=1e-9):
        pass
    assert list(work.results) == LADDER[:1] and list(work.errors) == LADDER[1:]
    assert "one request may take" in work.errors[LADDER[1]]


@pytest.mark.parametrize(
    "data",
    [[5, LADDER], [None, 5], ["a path", LADDER], [{"path": 5}, LADDER], [{"path": "a\0b"}, LADDER], ["photo", "name"]]
    + [["photo", names] for names in ({}, [5], [[]], [None], {"a": 1}, "fcn8s")],
)
def test_wrong_types_are_answered_with_a_sentence(site, data, caplog):
    address = site[1]
    body = {"data": [upload(address, 0) if data[0] == "photo" else data[0], data[1]]}
    started = httpx.post(f"{address}gradio_api/call/segment", json=body)
    told = answer(address, started) if started.status_code == 200 else started.text
    assert "complete" not in told and "null" not in told.rpartition("data:")[2], told
    assert len(json.loads(told.rpartition("data: ")[2])["error"]) > 20 if "data: " in told else len(told) > 20
    assert "Traceback" not in caplog.text


def test_what_nobody_foresaw_is_answered_in_words_and_logged_without_what_was_sent(site, caplog, capfd):
    page, address = site
    asked = [("gradio_api/call/segment", {"data": ["ana-souza"]}, 422), ("gradio_api/call/none", {"data": []}, 404)]
    asked += [("gradio_api/queue/join", {"fn_index": 9999, "data": [], "session_hash": "x"}, 404)]
    for path, body, status in asked:
        answered = httpx.post(f"{address}{path}", json=body)
        assert answered.status_code == status and len(answered.json()["detail"].split()) > 5
    assert httpx.get(f"{address}gradio_api/call/segment/none").status_code in (200, 404)  # a stream that just ends
    config = httpx.get(f"{address}config").json()
    restore = next(entry["id"] for entry in config["dependencies"] if entry["api_name"] == "bring")
    body = {"fn_index": restore, "data": ["ana-souza"] * 4, "session_hash": "x"}
    assert "could not be worked on" in httpx.post(f"{address}gradio_api/run/predict", json=body).json()["error"]
    body = {"data": [5, LADDER[:1]]}
    told = httpx.post(f"{address}gradio_api/call/segment_batch", json=body).json()["event_id"]
    assert "must be an uploaded file" in httpx.get(f"{address}gradio_api/call/segment_batch/{told}", timeout=60).text
    said = caplog.text + "".join(capfd.readouterr())
    assert "A request failed" in said and "ana-souza" not in said and "Traceback" not in said
    assert isinstance(page.turns.blocks, WordedBlocks)
