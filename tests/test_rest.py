"""Memory given back while nobody wants a mask, and taken again."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.hub.catalog import Catalog
from zoo.hub.once import Once
from zoo.hub.settings import HubSettings
from zoo.models.segmentation import segment
from zoo.page import rest
from zoo.page.rest import Resting


class Segmenter:
    """Counts its rests; `used` as the page's."""

    def __init__(self):
        self.used, self.rests, self.rested = threading.Event(), 0, threading.Event()

    def rest(self):
        self.rests += 1
        self.rested.set()
        if self.rests == 1:
            raise RuntimeError("of the library")


@pytest.fixture
def resting(monkeypatch):
    monkeypatch.setattr(rest, "give_back_freed_memory", lambda: None)
    thread = Resting(Segmenter(), quiet=0.3)
    thread.start()
    yield thread
    thread.ended.set()
    thread.segmenter.used.set()
    thread.join(10)
    assert not thread.is_alive()


def test_it_rests_once_after_each_time_of_use_and_survives_an_error(resting, caplog):
    segmenter = resting.segmenter
    time.sleep(0.5)
    assert segmenter.rests == 0  # nothing was used
    segmenter.used.set()
    assert segmenter.rested.wait(10)
    time.sleep(0.7)
    assert segmenter.rests == 1 and "memory was not given back (RuntimeError)" in caplog.text
    segmenter.rested.clear()
    segmenter.used.set()
    assert segmenter.rested.wait(10) and segmenter.rests == 2


def test_a_network_that_rested_answers_as_before(monkeypatch):
    catalog, released = Catalog(HubSettings()), []
    engine = catalog.load_engine(catalog.find("fcn8s-vgg16bn-w25-ce-camvid"))
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    first = segment(engine, image)
    with monkeypatch.context() as patched:
        for half in ("fine", "coarse"):
            network = getattr(engine, half)
            spy = SimpleNamespace(release_memory=lambda network=network: released.append(network.release_memory()))
            patched.setattr(engine, half, spy)
        engine.rest()
    assert len(released) == 2
    again = segment(engine, image)
    assert np.array_equal(first.mask, again.mask) and np.array_equal(first.confidence, again.confidence)


def test_values_at_hand_are_those_that_were_put():
    once = Once(budget=2)
    for name in "abc":
        once.get(name, lambda name=name: name.upper())
    with once.at("d"):
        assert once.values() == ["B", "C"]
