"""Choosing, running and remembering checkpoints, and the forms in which a comparison leaves the page."""

import io
import json
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from page_server import FOCAL, LADDER, make_page, write_checkpoints
from PIL import Image

from zoo.hub import background as waiting
from zoo.hub.catalog import Snapshot
from zoo.hub.once import Once
from zoo.hub.requests import HubUnreachable
from zoo.images.examples import examples
from zoo.images.photo import ImageError, decode_image
from zoo.labels import CAMVID
from zoo.models.segmentation import Segmentation
from zoo.models.torch_engine import TorchEngine
from zoo.page.comparison import Comparison, Memory, Segmenter, Truth, View, choose, presets, version
from zoo.page.controls import picker_value, strip_value
from zoo.page.offer import scores_of
from zoo.page.values import hub_progress, iou_value, summary, viewer_value, zip_bytes


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    write_checkpoints(root)
    return make_page(root)


@pytest.fixture
def work(page):
    example = examples()[0]
    comparison = Comparison("street", decode_image(example.photo), [page.infos[name] for name in LADDER])
    for _ in comparison.advance(page.segmenter):
        pass
    return comparison


def test_a_value_that_many_want_at_once_is_made_once():
    once, made, start = Once(2), [], threading.Barrier(8)

    def make():
        made.append(threading.current_thread())
        return object()

    def ask():
        start.wait()
        found.append(once.get("key", make))

    found = []
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(set(map(id, found))) == 1 and len(found) == 8


def test_the_values_last_used_are_kept_and_errors_are_not():
    once = Once(2)
    for key in ("a", "b", "a", "c"):
        once.get(key, lambda key=key: key.upper())
    assert "a" in once and "c" in once and "b" not in once
    with pytest.raises(ZeroDivisionError):
        once.get("d", lambda: 1 / 0)
    assert "d" not in once and once.get("d", lambda: 4) == 4
    assert len(once.slots) == 2


def test_models_are_kept_under_a_budget_of_bytes_and_one_always_stays(page):
    def load(info, progress):
        return SimpleNamespace(nbytes=sizes[info.variant])

    sizes = {"fcn32s": 400, "fcn16s": 600, "fcn8s": 4000}
    segmenter = Segmenter(load, memory=Memory(model_bytes=1000))
    infos = {page.infos[name].variant: page.infos[name] for name in LADDER}
    held = []
    for variant in ("fcn32s", "fcn16s", "fcn32s", "fcn8s", "fcn16s"):
        segmenter.model(infos[variant])
        held.append({name for name, info in infos.items() if version(info) in segmenter.models})
    assert held == [{"fcn32s"}, {"fcn32s", "fcn16s"}, {"fcn32s", "fcn16s"}, {"fcn8s"}, {"fcn16s"}]
    engine = TorchEngine(torch.nn.BatchNorm1d(3), "fp32")
    assert engine.nbytes == 4 * 3 * 4 + 8  # two parameters, two buffers, a 64-bit counter


def test_equal_work_is_done_once(page):
    calls = []

    def run(model, image, **view):
        calls.append(view)
        return Segmentation(np.zeros((2, 3), np.uint8), np.ones((2, 3), np.float32), 1.0, "fp32", (3, 2))

    loads = []
    segmenter = Segmenter(lambda info, progress: loads.append(info) or SimpleNamespace(nbytes=1), run)
    info, other = page.infos[LADDER[0]], page.infos[LADDER[1]]
    red, blue = Image.new("RGB", (3, 2), "red"), Image.new("RGB", (3, 2), "blue")
    first = segmenter.segment(info, red)
    assert segmenter.segment(info, red.copy()) is first and len(calls) == 1
    assert segmenter.segment(info, blue) is not first and segmenter.segment(other, red) is not first
    assert len(calls) == 3 and len(loads) == 2 and calls[0] == {"mask_size": (3, 2), "size": "trained"}
    assert segmenter.segment(info, red, view=View((3, 2), "full")) is not first and calls[3]["size"] == "full"
    assert segmenter.segment(info, red, view=View((6, 4))) is not first and calls.pop()["mask_size"] == (6, 4)
    calls.pop()
    few = Segmenter(segmenter.load, run, memory=Memory(result_bytes=1))
    assert few.segment(info, red) is few.segment(info, red) and few.segment(info, blue) is not few.segment(info, red)
    assert len(calls) == 6  # the last result is kept, whatever it weighs


def test_panels_say_how_much_of_a_download_has_come(page, monkeypatch):
    monkeypatch.setattr(waiting, "TICK_SECONDS", 0.01)
    steps = {amount: threading.Event() for amount in (3_000_000, 41_000_000)}

    def load(info, progress):
        for amount, seen in steps.items():
            progress(amount, 58_000_000)
            assert seen.wait(10)
        return page.catalog.load_engine(info)

    comparison = Comparison("x", decode_image(examples()[0].photo), [page.infos[name] for name in LADDER[:2]])
    segmenter, messages = Segmenter(load), []
    for _ in comparison.advance(segmenter):
        panels = viewer_value(comparison, page.scores, "pt-BR")["panels"]
        messages.append([(panel["status"], panel["message"]) for panel in panels])
        for amount in comparison.amounts.values():
            steps[amount[0]].set()
    coming = [[("running", f"{part} de 58 MB"), ("waiting", "")] for part in (3, 41)]
    assert messages[:3] == [*coming, [("done", ""), ("running", "")]]
    assert messages[-1] == [("done", "")] * 2 and not segmenter.amounts
    assert len(list(Comparison("x", comparison.decoded, comparison.infos).advance(segmenter))) == 2  # all at hand


def test_a_download_is_given_up_only_where_nobody_wants_it_any_more(page, monkeypatch):
    monkeypatch.setattr(waiting, "TICK_SECONDS", 0.01)
    info, view, begun, left = page.infos[LADDER[0]], View((8, 8)), threading.Event(), threading.Event()

    def failing(info, progress):
        progress(1, 2)
        raise HubUnreachable("away")

    def loaded(info, progress):
        begun.set()
        progress(1, 2)
        assert left.wait(10)
        progress(2, 2)
        return SimpleNamespace(nbytes=1)

    segmenter = Segmenter(failing)
    with pytest.raises(HubUnreachable, match="away"):
        list(segmenter.coming(info, "digest", view))
    segmenter.load = loaded
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(segmenter.model, info)  # of a photo of a batch, to which nobody's leaving is of concern
        assert begun.wait(10)
        visitor = segmenter.coming(info, "digest", view)
        assert next(visitor) == (1, 2)
        visitor.close()
        left.set()
        assert batch.result(10).nbytes == 1
    assert not segmenter.waiting and not segmenter.amounts
    segmenter.models = Once(1)  # it had to go for others
    assert segmenter.model(info).nbytes == 1


def test_one_broken_checkpoint_spoils_no_other(page):
    def load(info, progress):
        if info.variant == "fcn16s":
            raise OSError("weights are gone")
        return page.catalog.load_engine(info)

    comparison = Comparison("x", decode_image(examples()[0].photo), [page.infos[name] for name in LADDER])
    states = [(len(comparison.results), len(comparison.errors)) for _ in comparison.advance(Segmenter(load))]
    assert states == [(1, 0), (1, 1), (2, 1)]
    panels = viewer_value(comparison, page.scores, "en")["panels"]
    assert [panel["status"] for panel in panels] == ["done", "failed", "done"]
    assert panels[1]["message"] == "This did not work. The program says: “weights are gone”" and "mask" not in panels[1]


def test_choose_speaks_to_the_person(page):
    assert [info.name for info in choose(page.infos, [LADDER[1], LADDER[0], LADDER[1]])] == [LADDER[1], LADDER[0]]
    for names, message in ((None, "Tick at least one"), ([], "Tick at least one"), (["../x"], "no checkpoint '../x'")):
        with pytest.raises(ImageError, match=message):
            choose(page.infos, names)
    many = {str(index): None for index in range(10)}
    with pytest.raises(ImageError, match="At most 9"):
        choose(many, list(many))


def test_presets(page):
    infos = list(page.infos.values())
    found = presets(infos, page.scores)
    assert found["ladder"] == LADDER
    assert found["losses"] == [LADDER[2], FOCAL]
    assert found["best"] == [LADDER[2]] and found["all"] == [*LADDER, FOCAL]
    longer = replace(page.infos[FOCAL], name="longer", training={"epochs": 220})
    assert presets([*infos, longer], page.scores)["losses"] == found["losses"]
    # Scores on other data are not compared with these, however high they are.
    others = [
        replace(page.infos[name], name=name, dataset="cracks", sha256=f"{index}") for index, name in enumerate(LADDER)
    ]
    scores = page.scores | {f"{index}": {"miou": 0.99} for index in range(3)}
    assert presets([*others, *infos], scores) | {"all": found["all"]} == found
    alone = presets([page.infos[LADDER[0]]], {})
    assert alone == {"all": [LADDER[0]]}


def test_scores_on_different_images_are_not_compared(page):
    """A checkpoint goes by its row on the data that it was trained for; the best is so on one set of images."""
    infos = [page.infos[name] for name in LADDER]
    own = {"source": "bundled", "training": {"dataset": "camvid"}, "split": "val", "dataset": "camvid"}
    rows = [
        own | {"sha256": infos[0].sha256, "dataset": "street", "miou": 0.9},
        own | {"sha256": infos[0].sha256, "split": "train", "miou": 0.8},
        own | {"sha256": infos[0].sha256, "miou": 0.4},
        own | {"sha256": infos[1].sha256, "miou": 0.5},
        own | {"sha256": infos[2].sha256, "training": {"dataset": "cracks"}, "dataset": "cracks", "miou": 0.99},
    ]
    scores = scores_of(rows)
    assert [scores[info.sha256]["miou"] for info in infos] == [0.4, 0.5, 0.99]
    assert presets(infos, scores)["best"] == [LADDER[1]]


def test_ground_truth_that_nobody_agrees_with_is_questioned(page):
    """Ids of another data set score like noise with every checkpoint."""
    work = page.prepare(str(examples()[0].photo), LADDER)
    for _ in work.advance(page.segmenter):
        pass
    score = {"class_iou": dict.fromkeys(CAMVID.classes, 0.1), "miou": 0.1}
    by_chance, not_all = ({LADDER[0]: score | {"by_chance": True}, LADDER[1]: score | {"by_chance": last}}
                          for last in (True, False))  # fmt: skip
    texts = [iou_value(work, scores, "en")["strings"]["iou_explanation"] for scores in (by_chance, not_all)]
    assert "more than chance" in texts[0] and "CamVid" in texts[0] and "more than chance" not in texts[1]


def test_viewer_value_follows_the_work(page, work):
    begun = Comparison("street", work.decoded, work.infos)
    assert [panel["status"] for panel in viewer_value(begun, {}, "en")["panels"]] == ["running", "waiting", "waiting"]
    value = viewer_value(work, page.scores, "en")
    json.dumps(value, allow_nan=False)
    assert value["photo"]["width"] == 480 and value["truth"] is None and value["columns"] is None
    for panel, result in zip(value["panels"], work.results.values(), strict=True):
        shares = [(result.mask == index).mean() for index in range(11)]
        assert panel["shares"] == pytest.approx(shares) and sum(panel["shares"]) == pytest.approx(1)
        assert panel["status"] == "done" and panel["subtitle"].startswith("trained on CamVid · ")
        assert panel["subtitle"].endswith("0.50 GMACs") and "milliseconds" not in panel  # no verdict by one pass
        assert "miou" not in panel  # a visitor's own picture: the figure of CamVid's val says nothing of it
    example = Comparison("0016E5_08159", work.decoded, work.infos, example="0016E5_08159")
    example.results = work.results
    for panel, result in zip(viewer_value(example, page.scores, "pt-BR")["panels"], work.results.values(), strict=True):
        assert panel["miou"] == page.scores[result.info.sha256]["miou"] and "treinado com CamVid" in panel["subtitle"]
    work.errors.clear()
    begun.stop("Stopped.")
    assert {panel["message"] for panel in viewer_value(begun, {}, "en")["panels"]} == {"Stopped."}


def test_picker_and_strip_values(page):
    value = picker_value(list(page.infos.values()), page.scores, LADDER, "pt-BR")
    assert [item["variant"] for item in value["items"]] == ["fcn32s", "fcn16s", "fcn8s", "fcn8s"]
    assert value["strings"]["preset_ladder"] == "Escada"
    (grid,) = value["grids"]
    assert grid["title"] == "vgg16bn-w6 · camvid" and grid["columns"] == ["CE", "Focal"]
    assert [row["names"] for row in grid["rows"]] == [[LADDER[0], None], [LADDER[1], None], [LADDER[2], FOCAL]]
    strip = strip_value("0016E5_08041", "en")
    assert strip["selected"] == "0016E5_08041" and len({item["title"] for item in strip["items"]}) == 8
    json.dumps([value, strip], allow_nan=False)


def test_the_note_on_the_hub_says_age_and_failure():
    def note(hub, age=None, **facts):
        return Snapshot((), (), hub, None if age is None else time.time() - age, **facts).note()

    assert note("off") == "" and note("waiting") == "Asking the Hub for its checkpoints …"
    assert note("listed", 30).endswith("listed just now.")
    assert note("listed", 301).endswith("listed 5 min ago.") and note("listed", 90_000).endswith("25 h ago.")
    assert "3 days ago, the last request failed. Timeout." in note("failed", 3 * 86400, reason="Timeout")
    assert note("failed", reason="Timeout").endswith("none shown, the request failed. Timeout.")
    assert hub_progress(41_000_000, 58_000_000, "pt-BR") == "41 de 58 MB"


def test_summary_names_exact_versions(page, work):
    facts = summary(work)
    for entry, name in zip(facts["checkpoints"], LADDER, strict=True):
        assert entry["name"] == name and entry["sha256"] == page.infos[name].sha256
        assert sum(one["pixels"] for one in entry["classes"]) == 480 * 360
        assert [one["name"] for one in entry["classes"]] == list(CAMVID.classes)
        assert "title" not in entry["classes"][0]
    titled = summary(work, "pt-BR")["checkpoints"][0]["classes"][0]
    assert (titled["name"], titled["title"]) == ("sky", "céu")


def test_zip_holds_exact_masks_overlays_and_facts(work):
    work.truth = Truth(np.full((360, 480), 11, np.uint8), CAMVID)
    content = zip_bytes(work, summary(work))
    assert content == zip_bytes(work, summary(work))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = {"photo.png", "truth.png", "summary.json"}
        names |= {f"{folder}/{name}.png" for folder in ("masks", "overlays") for name in LADDER}
        assert set(archive.namelist()) == names
        photo = np.array(Image.open(archive.open("photo.png")), dtype=int)
        for name in LADDER:
            mask = np.array(Image.open(archive.open(f"masks/{name}.png")))
            assert np.array_equal(mask, work.results[name].mask)
            blended = (photo + np.array(CAMVID.palette)[mask]) / 2
            assert np.abs(np.array(Image.open(archive.open(f"overlays/{name}.png"))) - blended).max() <= 1
        assert json.loads(archive.read("summary.json"))["checkpoints"][0]["name"] == LADDER[0]


def test_iou_table_lists_classes_that_occur(work):
    work.truth = Truth(work.results[LADDER[0]].mask, CAMVID)
    scores = {
        LADDER[0]: {"miou": 1.0, "class_iou": dict.fromkeys(CAMVID.classes) | {"sky": 1.0, "road": None}},
        LADDER[1]: {"miou": 0.5, "class_iou": dict.fromkeys(CAMVID.classes) | {"sky": 0.5, "car": 0.0}},
    }
    value = iou_value(work, scores, "en")
    assert value["columns"] == ["FCN-32s · CE", "FCN-16s · CE"]
    assert [(row["name"], row["values"]) for row in value["rows"]] == [
        ("sky", [1.0, 0.5]),
        ("car", [None, 0.0]),
        ("Mean of the classes (mIoU)", [1.0, 0.5]),
    ]
    assert iou_value(work, {}, "en") is None
