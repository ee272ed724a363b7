"""The leaderboard table in a real browser, against a payload whose right order, ranks and sentences are known."""

import csv
import io
import json
import re
import socket
from types import SimpleNamespace
from xml.etree import ElementTree

import gradio
import numpy as np
import pytest
from conftest import write_camvid
from playwright.sync_api import expect

from evaluation.board import formats
from evaluation.board.caveats import splits
from evaluation.board.columns import table_facts
from evaluation.board.drill import Counted
from evaluation.board.pictures import DrillDown, Pictures
from evaluation.board.rows import Payload, published
from evaluation.counting.confusion import count_pairs
from evaluation.counting.content import image_digest
from evaluation.datasets import open_dataset
from zoo.checkpoints.alike import trained_alike
from zoo.labels import CAMVID
from zoo.page.components import component_files, component_texts
from zoo.page.drill import Drilled

CLASSES = ["sky", "pole", "bicyclist"]
WAIT = 60_000  # milliseconds; a training may share the machine
BEST, SECOND, THIRD, UNMEASURED = (
    "fcn8s-vgg16bn-w25-ce-camvid",
    "fcn16s-vgg16bn-w25-ce-camvid",
    "fcn32s-vgg16bn-w25-ce-camvid",
    "fcn8s-vgg16bn-w25-focal-camvid",
)
HOSTILE = '=<img src=x onerror="window.hacked=1">,"&_'


def row(name, variant, loss, **changes):
    """One leaderboard row with every field; a metric that is not given is null."""
    unmeasured = ("miou_interval", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice", "boundary_f")
    return {
        "name": name,
        "variant": variant,
        "loss": loss,
        "backbone": "vgg16bn-w25",
        "dataset": "camvid",
        "split": "val",
        "images": 101,
        "source": "bundled",
        "revision": None,
        "sha256": "ab" * 32,
        "rank": None,
        "miou": None,
        **dict.fromkeys(unmeasured),
        "boundary_f_interval": None,
        "trimap_miou": None,
        "class_iou": None,
        "sequences": {},
        "calibration": None,
        "parameters": 1_300_000,
        "gmacs": 5.125,
        "file_bytes": 2_600_000,
        "milliseconds": None,
        "device": "Some CPU",
        "threads": 2,
        "precision": "fp32",
        "peak_memory_bytes": None,
        "confusion_matrix": None,
        "classes": CLASSES,
        "command": f"python -m evaluation {name} --dataset camvid",
        "training": {"epochs": 400, "optimizer": {"name": "adamw"}},
        "trained_alike": trained_alike({"epochs": 400}, loss),
        "recipe": "training/recipes/camvid.toml",
        "git_commit": "0123456789abcdef",
        "versions": {"torch": "2.11.0"},
        "date": "2026-11-23",
        "protocol": {"void": "dropped"},
    } | changes


def measured(name, variant, miou, interval, rank, milliseconds, pixel_accuracy):
    """A row with all figures, derived from few numbers."""
    return row(
        name,
        variant,
        "ce",
        miou=miou,
        miou_interval=interval,
        rank=rank,
        milliseconds=milliseconds,
        pixel_accuracy=pixel_accuracy,
        boundary_f=miou - 0.1,
        boundary_f_interval=[miou - 0.12, miou - 0.08],
        trimap_miou={"1": miou - 0.3, "2": miou - 0.25, "4": miou - 0.2, "8": miou - 0.15, "16": miou - 0.1},
        class_iou={"sky": 0.9, "pole": 2 * miou - 0.9, "bicyclist": None},
        sequences={"0016E5": {"images": 101, "miou": miou, "pixel_accuracy": pixel_accuracy}},
        calibration={
            "expected_calibration_error": 0.0312,
            "bins": [
                {"low": 0.0, "high": 0.5, "pixels": 0, "confidence": None, "accuracy": None},
                {"low": 0.5, "high": 1.0, "pixels": 900, "confidence": 0.8, "accuracy": 0.75},
            ],
        },
        confusion_matrix=[[75, 25, 0], [10, 90, 0], [0, 0, 0]],
    )


def few():
    """Three measured checkpoints and one without scores, on the same images; rank 1 is shared."""
    rows = [
        measured(THIRD, "fcn32s", 0.50, [0.47, 0.53], 3, 60.0, 0.88),
        row(UNMEASURED, "fcn8s", "focal", pixel_accuracy=0.89, source="hub", provenance="community", recomputed=False),
        measured(SECOND, "fcn16s", 0.58, [0.55, 0.605], 1, 90.0, 0.91),
        measured(BEST, "fcn8s", 0.60, [0.57, 0.63], 1, 80.0, 0.90),
    ]
    pairs = {
        f"{BEST}|{THIRD}": {"difference": 0.1, "interval": [0.081, 0.119]},
        f"{SECOND}|{BEST}@camvid/val": {"difference": -0.02, "interval": [-0.045, 0.005]},
    }
    return {"rows": rows, "pairs": pairs, "published": published()}


def mixed():
    """Two data sets, two splits, and a stranger's checkpoint whose every text tries to be markup."""
    stranger = row(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        miou=0.3,
        miou_interval=[0.2, 0.4],
        rank=1,
        source=HOSTILE,
        backbone=HOSTILE,
        provenance=HOSTILE,
    )
    stranger |= {"dataset": "voc", "split": HOSTILE, "classes": [HOSTILE], "class_iou": {HOSTILE: 0.3}}
    stranger |= {"command": HOSTILE, "training": {HOSTILE: HOSTILE}, "device": HOSTILE, "milliseconds": 5.0}
    other = measured(BEST, "fcn8s", 0.40, [0.35, 0.45], 1, 80.0, 0.80) | {"split": "test", "images": 233}
    payload = few()
    return payload | {"rows": [stranger, *payload["rows"], other]}


def unlike():
    """Three losses of FCN-8s, of which one has averaged weights."""
    rows = [measured(f"fcn8s-{loss}", "fcn8s", 0.6, [0.5, 0.7], 1, 80.0, 0.9) for loss in ("ce", "dice", "ce+dice")]
    for one, loss in zip(rows, ("ce", "dice", "ce+dice"), strict=True):
        one["loss"] = loss
    rows[2]["training"] = rows[2]["training"] | {"ema": 0.999}
    for one in rows:
        one["trained_alike"] = trained_alike(one["training"], one["loss"])
    return {"rows": rows, "pairs": {}, "published": []}


def caveats():
    """Three losses of FCN-8s: one with three seeds and more effort; the others' order turns on the worst images."""
    rows = unlike()["rows"]
    facts = (("ce", 0.62, 0.50, 0.10), ("dice", 0.637, 0.517, 0.40), ("focal", 0.63, 0.529, 0.35))
    for one, (loss, miou, worst, pole) in zip(rows, facts, strict=True):
        one |= {"name": loss, "loss": loss, "miou": miou, "worst_miou": worst, "training": {"epochs": 45}}
        one["class_iou"] = {"sky": 0.9, "pole": pole, "bicyclist": None}
        one["trained_alike"] = trained_alike(one["training"], loss)
        stages = [
            {"name": "before", "epochs": 90, "dataset": "camvid"},
            {"name": None, "epochs": 45, "dataset": "camvid"},
        ]
        one["effort"] = {"epochs": 135, "complete": True, "stages": stages, "pretraining": None, "extra_dataset": None}
    stages = [{"name": "ce", "epochs": 135, "dataset": "camvid"}, {"name": None, "epochs": 220, "dataset": "camvid"}]
    rows[0]["effort"] = rows[0]["effort"] | {"epochs": 355, "stages": stages, "pretraining": "ImageNet; somebody's"}
    rows[0]["trained_alike"] = "otherwise"
    figures = {"boundary_f": 0.5, "boundary_f_interval": None, "class_intervals": {}}
    rows[0]["seeds"] = [
        {
            "seed": seed,
            "miou": miou,
            "miou_interval": [miou - 0.02, miou + 0.02],
            "class_iou": {"sky": 0.9, "pole": pole},
        }
        | figures
        for seed, (miou, pole) in enumerate(((0.62, 0.10), (0.60, 0.20), (0.61, 0.45)))
    ]
    rows[0]["seed_range"] = [0.60, 0.62]
    pairs = {"ce|dice": {"difference": -0.017, "interval": [-0.03, 0.0]}}
    return {"rows": rows, "pairs": pairs, "published": [], "splits": splits_of(rows)}


def seeds():
    """The same, trained alike."""
    payload = caveats()
    payload["rows"][0]["trained_alike"] = payload["rows"][1]["trained_alike"]
    return payload


def splits_of(rows):
    return splits([row | {"sequences": {"0016E5": {"images": 101}}} for row in rows])


PAYLOADS = {
    "caveats": caveats,
    "seeds": seeds,
    "unlike": unlike,
    "few": few,
    "mixed": mixed,
    "one": lambda: {"rows": few()["rows"][3:]},
    "empty": lambda: {"rows": [], "pairs": {}, "published": []},
    "portuguese": lambda: few() | {"strings": component_texts("table", "pt-BR"), "locale": "pt-BR"},
}


def wrong_mask(truth, columns):
    """A mask of `truth` whose first columns are of the class after the right one."""
    mask = np.where(truth == 11, 0, truth)
    mask[:, :columns] = (mask[:, :columns] + 1) % 11
    return mask.astype(np.uint8)


def drilled_site(folder):
    """What the page answers about images: of BEST the later are worse, of SECOND the earlier; the last one is gone."""
    dataset = open_dataset("camvid", write_camvid(folder), "val")
    truths, names = [dataset.mask(place) for place in range(4)], (BEST, SECOND)
    digests = [image_digest(dataset.image(place), truth, 11) for place, truth in enumerate(truths)]
    columns = {BEST: (0, 10, 20, 30), SECOND: (30, 20, 10, 0)}
    masks = {name: [wrong_mask(*one) for one in zip(truths, columns[name], strict=True)] for name in names}
    images = {dataset.image(place).tobytes(): place for place in range(4)}
    counted = {}
    for name in names:
        pairs = [count_pairs(*one)[:11, :11] for one in zip(masks[name], truths, strict=True)]
        parts = dataset.image_ids, dataset.sequences, tuple(digests), np.array(pairs)
        counted[f"{name}@camvid/val"] = Counted("camvid", "val", CAMVID.classes, *parts)
    rows = [one | {"sha256": one["name"]} for one in few()["rows"]]
    infos = {name: SimpleNamespace(sha256=name, labels=CAMVID, offered_as=name) for name in names}

    def segment(info, image, view):
        return SimpleNamespace(mask=masks[info.sha256][images[image.tobytes()]])

    offer = SimpleNamespace(infos=infos, segmenter=SimpleNamespace(segment=segment))
    dataset.image_paths[3].rename(folder / "elsewhere.png")
    dataset.mask_paths[3].rename(folder / "elsewhere.label.png")
    board = Payload({"rows": rows}, counted)
    return Drilled(offer, DrillDown(lambda: board, Pictures(folder)), count_pairs)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page that mounts the table as the app does: empty at first, filled by a load event."""
    drilled = drilled_site(tmp_path_factory.mktemp("drilled") / "camvid")

    def images_of(asked: dict) -> dict:
        return drilled.images(asked)

    def picture_of(asked: dict) -> dict:
        return drilled.picture(asked)

    def load(request: gradio.Request):
        payload = PAYLOADS[request.query_params["payload"]]()
        return payload | {"facts": table_facts(payload["rows"])}

    with gradio.Blocks(analytics_enabled=False) as blocks:
        functions = {"server_functions": [images_of, picture_of]}
        board = gradio.HTML(**component_files("table"), apply_default_css=False, **functions)
        heard = gradio.Textbox(label="heard")
        board.compare(heard_checkpoints, None, heard)
        blocks.load(load, None, board)
    with socket.socket() as probe:  # Gradio's own search for a free port leaves sockets open
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = blocks.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, server_port=port)[1]
    yield url
    blocks.close()


def heard_checkpoints(event: gradio.EventData):
    return json.dumps(event.checkpoints)


@pytest.fixture(scope="module")
def context(browser):
    """One browser profile for the module: Gradio's scripts come from its cache after the first page."""
    context = browser.new_context(accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def visit(context, address):
    """A function that opens a payload's page; afterwards no page may have logged an error."""
    pages, errors = [], []

    def open_page(payload="few", query="", width=1280, height=900, dark=False):
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{address}?payload={payload}&__theme={'dark' if dark else 'light'}{query}")
        page.locator(".board .ranking, .board .empty").first.wait_for()
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


def names(page):
    """Names of the ranked rows from top to bottom."""
    return page.locator(".ranking .opener span:last-child").all_inner_texts()


def cells(page, column):
    """What a column shows, top to bottom; for intervals the figure only."""
    texts = page.locator(f".ranking tbody td[data-column='{column}']").all_inner_texts()
    return [text.split()[0] for text in texts]


def header(page, column):
    return page.locator(f".ranking th[data-column='{column}']")


def saved(page, control):
    """Text of the file that clicking `control` downloads."""
    with page.expect_download() as download:
        control.click()
    return download.value.path().read_bytes()


def export(page, kind):
    if page.locator(".export").get_attribute("open") is None:
        page.locator(".export > summary").click()
    return saved(page, page.locator(f"[data-export='{kind}']")).decode()


# --- what ships ---


def test_published_figures_have_sources_and_known_values():
    figures = published()
    for figure in figures:
        assert figure["url"].startswith("https://") and figure["source"] and figure["split"]
        assert all(figure[name] is None or 0 < figure[name] < 1 for name in ("miou", "pixel_accuracy"))
    known = {(figure["name"], figure["source"][:12]): figure["miou"] for figure in figures}
    assert known["FCN8", "Jégou et al."] == 0.570
    assert known["FC-DenseNet103", "Jégou et al."] == 0.669
    assert known["FCN-8s", "Long et al.,"] in (0.627, 0.622)
    assert known["FCN-16s", "fcn.berkeley"] == 0.650


# --- order ---


def test_default_order_is_by_rank_then_miou_and_unranked_rows_come_last(visit):
    page = visit()
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]
    assert cells(page, "rank") == ["1", "1", "3", "–"]
    last = page.locator(".ranking tbody tr").last
    assert "community, as stated, not recomputed" in last.inner_text()
    assert cells(page, "miou") == ["60.0", "58.0", "50.0", "–"]
    assert header(page, "rank").get_attribute("aria-sort") == "ascending"
    assert page.locator(".ranking th[aria-sort]").count() == 1


def test_click_sorts_best_first_then_turns_round_with_nulls_last(visit):
    page = visit("few", "&lb_cols=cost")
    sorter = header(page, "milliseconds").get_by_role("button")
    sorter.click()
    assert names(page) == [THIRD, BEST, SECOND, UNMEASURED]
    assert header(page, "milliseconds").get_attribute("aria-sort") == "ascending"
    sorter.click()
    assert names(page) == [SECOND, BEST, THIRD, UNMEASURED]
    assert header(page, "milliseconds").get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_keyboard_sorts_and_keeps_the_focus(visit, key):
    page = visit()
    header(page, "pixel_accuracy").get_by_role("button").focus()
    page.keyboard.press(key)
    assert names(page) == [SECOND, BEST, UNMEASURED, THIRD]
    assert header(page, "pixel_accuracy").get_attribute("aria-sort") == "descending"
    assert page.evaluate("document.activeElement.closest('th').dataset.column") == "pixel_accuracy"
    page.keyboard.press(key)
    assert names(page) == [THIRD, UNMEASURED, BEST, SECOND]


def test_sets_of_images_never_share_a_view(visit):
    page = visit("mixed")
    choice = page.locator("[data-slot='images'] label")
    assert choice.all_inner_texts() == ["CamVid test 1", "CamVid val 4", f"PASCAL VOC {HOSTILE} 1"]
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]  # the set with the most rows
    assert page.locator("h3.images").inner_text() == "CamVid val · 101 images"
    assert page.locator(".ranking caption").inner_text().startswith("CamVid val · 101 images. ")
    assert all("CamVid val" in title for title in page.locator(".plot h4").all_inner_texts())
    assert "CamVid val · 101 images" in page.locator("[data-plot='cost'] .source").first.text_content()
    choice.first.click()
    assert names(page) == [BEST] and cells(page, "rank") == ["1"] and "lb_images=camvid%2Ftest" in page.url
    assert page.locator("h3.images").inner_text() == "CamVid test · 233 images"
    page.go_back()
    assert names(visit("mixed", "&lb_dataset=voc")) == [HOSTILE]  # a link from before, which filtered
    assert names(visit("mixed", f"&lb_open={BEST}%40camvid%2Ftest")) == [BEST]


def test_the_table_says_what_flatters_what_seeds_do_and_what_differs(visit):
    page = visit("caveats")
    said = page.locator(".caveats li").all_inner_texts()
    assert said[0].startswith(
        "All 101 images of CamVid val come from the video 0016E5, which also gives 204 of the 367"
    )
    assert "3 seeds of ce give mIoU 60.0 – 62.0 and pole 10.0 – 45.0" in said[1]
    assert "135 to 355 epochs in total; ImageNet in 1 of 3" in said[2]
    turns = "dice leads focal on mIoU (63.7 against 63.0) and trails it on the worst 5 % of the images"
    assert f"{turns} (51.7 against 52.9)" in said[3]
    assert cells(page, "epochs") == ["135", "135", "355"] and cells(page, "worst_miou") == ["51.7", "52.9", "50.0"]
    assert page.locator("td[data-column='elsewhere']").last.inner_text() == "ImageNet"
    assert page.locator("td[data-column='epochs']").last.get_attribute("title") == "135 + 220"
    page.get_by_role("radio", name="Per class").check()
    pole = page.locator("td[data-column='class_pole']").last
    assert pole.inner_text().split("\n") == ["10.0", "3 seeds: 10.0 – 45.0"]
    assert page.locator("td[data-column='class_pole'] strong").count() == 0  # a seed of ce gives 45, above the 40
    words = select(page, "dice", "ce")
    assert "ce 355" in words and "Seeds measured: dice 1, ce 3." in words
    heat = page.locator("[data-plot='classes']")
    assert "10–45" in heat.locator(".heat").all_text_contents()
    assert "over 3 seeds of FCN-8s cross-entropy" in heat.locator("svg").get_attribute("aria-label")


def test_losses_are_drawn_with_every_seed(visit):
    page = visit("seeds")
    plot = page.locator("[data-plot='losses']")
    dots = plot.locator(".mark title").all_text_contents()
    assert len([dot for dot in dots if dot.startswith("ce") and "pole" in dot]) == 3
    label = plot.locator("svg").get_attribute("aria-label")
    assert "The seed alone moves pole 10.0 – 45.0 (cross-entropy)" in label
    assert "cross-entropy (3 seeds)" in plot.inner_text() and "Dice (1 seed)" in plot.inner_text()
    assert page.locator("[data-plot='cost'] circle.seed").count() == 3


def test_best_of_a_column_is_bold_only_where_there_is_a_choice(visit):
    page = visit("mixed")
    assert page.locator(".ranking td[data-column='miou'] strong").all_inner_texts() == ["60.0"]
    assert page.locator(".ranking td[data-column='pixel_accuracy'] strong").all_inner_texts() == ["91.0"]
    page.locator("[data-slot='images'] label").first.click()
    assert page.locator(".ranking td strong").count() == 0  # one row on CamVid test: nothing to be best of


# --- filters and the address ---


def test_search_takes_alternatives_and_words(visit):
    page = visit()
    page.get_by_role("searchbox").fill("fcn32s; focal 8s")
    assert names(page) == [THIRD, UNMEASURED]
    assert page.locator(".count").inner_text() == "2 of 4 checkpoints shown"
    page.get_by_role("searchbox").fill("nothing like this")
    assert page.locator(".empty").first.inner_text().startswith("No checkpoint fits")


def test_typing_keeps_the_focus_in_the_search(visit):
    page = visit()
    page.get_by_role("searchbox").press_sequentially("16s")
    assert page.get_by_role("searchbox").input_value() == "16s"
    assert names(page) == [SECOND]


def test_facets_combine_and_clear(visit):
    page = visit()
    page.locator(".filters > summary").click()
    page.get_by_role("checkbox", name="FCN-8s").check()
    assert names(page) == [BEST, UNMEASURED]
    page.locator(".filters").get_by_role("checkbox", name="focal").check()
    assert names(page) == [UNMEASURED]
    assert page.locator(".filters > summary").inner_text().startswith("Filters (2 on)")
    page.get_by_role("button", name="Remove filter Loss: focal").click()
    assert names(page) == [BEST, UNMEASURED]
    page.get_by_role("button", name="Clear all").click()
    assert len(names(page)) == 4


def test_focus_moves_on_when_its_control_disappears(visit):
    page = visit("few", "&lb_variant=fcn8s&lb_loss=focal")
    page.get_by_role("button", name="Remove filter Loss: focal").press("Enter")
    assert names(page) == [BEST, UNMEASURED]
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_address_restores_rows_columns_sort_and_selection(visit):
    page = visit("few", "&keep=me")
    page.get_by_role("searchbox").fill("ce")
    page.get_by_role("radio", name="Boundaries").check()
    header(page, "boundary_f").get_by_role("button").click()
    header(page, "boundary_f").get_by_role("button").click()
    page.get_by_role("checkbox", name=f"Select {THIRD}").check()
    page.get_by_role("button", name=SECOND).click()
    assert names(page) == [THIRD, SECOND, BEST]
    assert "keep=me" in page.url and "payload=few" in page.url
    page.reload()
    page.locator(".ranking").wait_for()
    assert names(page) == [THIRD, SECOND, BEST]
    assert page.get_by_role("searchbox").input_value() == "ce"
    assert page.get_by_role("radio", name="Boundaries").is_checked()
    assert header(page, "boundary_f").get_attribute("aria-sort") == "ascending"
    assert page.get_by_role("checkbox", name=f"Select {THIRD}").is_checked()
    assert page.locator(".detail h3").inner_text() == SECOND


def test_address_that_names_nothing_known_shows_everything(visit):
    page = visit("few", "&lb_variant=gone&lb_sort=gone.desc&lb_cols=gone&lb_pick=gone&lb_open=gone&lb_sort=x")
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]


def test_presets_show_their_columns(visit):
    page = visit()
    shown = {}
    for preset in ("Accuracy", "Boundaries", "Per class", "Cost", "Reproduce"):
        page.get_by_role("radio", name=preset, exact=True).check()
        shown[preset] = [
            head.get_attribute("data-column") for head in page.locator(".ranking thead th[data-column]").all()
        ][2:]
    assert "dice" in shown["Accuracy"] and "calibration" in shown["Accuracy"]
    assert shown["Boundaries"] == ["miou", "boundary_f", *(f"trimap_{width}" for width in (1, 2, 4, 8, 16))]
    assert shown["Per class"] == ["miou", *(f"class_{name}" for name in CLASSES)]
    assert {"parameters", "gmacs", "file_bytes", "milliseconds", "device"} <= set(shown["Cost"])
    assert {"revision", "sha256", "git_commit", "recipe", "date"} <= set(shown["Reproduce"])


# --- words ---


def test_rank_is_told_in_words(visit):
    page = visit()
    page.get_by_role("button", name=THIRD).click()
    assert (
        "Rank 3 of 3 on CamVid val. The intervals of 2 checkpoints lie wholly above."
        in page.locator(".standing").inner_text()
    )
    page.get_by_role("button", name=SECOND).click()
    assert (
        "Rank 1 of 3 on CamVid val. No other checkpoint's interval lies wholly above."
        in page.locator(".standing").first.inner_text()
    )


def select(page, *chosen):
    for name in chosen:
        page.get_by_role("checkbox", name=f"Select {name}").last.check()
    return page.locator(".pairs").inner_text()


def test_pair_with_a_clear_difference(visit):
    words = select(visit(), THIRD, BEST)
    assert f"{BEST} is 10.0 points of mIoU above {THIRD} (95 % interval of the difference 8.1 to 11.9" in words
    assert "leaves out zero" in words


def test_pair_stated_the_other_way_round_and_unclear(visit):
    words = select(visit(), BEST, SECOND)
    assert f"{BEST} is 2.0 points of mIoU above {SECOND} (95 % interval of the difference -0.5 to 4.5" in words
    assert "contains zero" in words


def test_pair_that_was_not_computed_or_has_other_images(visit):
    assert "No paired difference was computed" in select(visit(), SECOND, THIRD)
    page = visit("mixed")
    select(page, BEST)
    page.locator("[data-slot='images'] label").last.click()
    assert "measured on different images" in select(page, HOSTILE)


def test_compare_event_carries_the_names(visit):
    page = visit()
    select(page, THIRD, BEST)
    page.get_by_role("button", name="Compare the selected on an image").click()
    page.wait_for_function("name => document.querySelector('textarea')?.value.includes(name)", arg=BEST)
    assert json.loads(page.get_by_label("heard").input_value()) == [THIRD, BEST]


# --- details and plots ---


def test_details_show_classes_matrix_calibration_and_command(visit):
    page = visit()
    page.get_by_role("button", name=BEST).click()
    detail = page.locator(".detail")
    assert detail.locator(".classes .figure").all_inner_texts() == ["90.0", "30.0", "–"]
    assert detail.locator(".command code").inner_text() == f"python -m evaluation {BEST} --dataset camvid"
    assert "Expected calibration error 3.1 %" in detail.locator(".reliability").inner_text()
    assert detail.locator(".reliability .column").count() == 1  # the empty bin has no bar
    assert detail.locator(".sequences td").all_inner_texts() == ["101", "60.0", "90.0"]
    assert "adamw" in detail.locator(".training").inner_text()
    assert page.get_by_role("button", name=BEST).first.get_attribute("aria-expanded") == "true"


def test_confusion_matrix_is_read_with_the_keyboard(visit):
    page = visit()
    page.get_by_role("button", name=BEST).click()
    grid = page.get_by_role("grid", name="Confusion matrix")
    grid.locator("td[tabindex='0']").focus()
    assert page.locator(".readout").inner_text() == "label sky, predicted sky: 75.0 % (75 pixels)"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.locator(".readout").inner_text() == "label pole, predicted pole: 90.0 % (90 pixels)"
    page.keyboard.press("ArrowDown")
    assert page.locator(".readout").inner_text() == "label bicyclist, predicted pole: no pixel carries this label"
    assert grid.locator("td[tabindex='0']").count() == 1


def test_no_line_through_times_that_noise_may_order(visit):
    page = visit()
    plot = page.locator("[data-plot='cost']")
    assert plot.locator("svg").count() == 1 and plot.locator(".front").count() == 0
    assert "GMACs" in plot.locator(".mark title").first.text_content()
    assert page.locator("[data-plot='cost'] .mark title").count() == 3
    assert "1 left out" in page.locator("[data-plot='cost'] figcaption").inner_text()


def test_plots_draw_ladder_heat_map_and_losses(visit):
    page = visit()
    assert page.locator("[data-plot='ladder'] .line").count() == 2  # mIoU and boundary F
    assert page.locator("[data-plot='classes'] .heat").all_text_contents()[:2] == ["90.0", "30.0"]
    assert page.locator("[data-plot='losses'] .mark title").count() == 2  # sky and pole; bicyclist is null
    page.get_by_role("searchbox").fill("fcn8s")
    assert "at least two of the variants" in page.locator("[data-plot='ladder']").inner_text()


def test_losses_are_compared_where_they_were_trained_alike(visit):
    plot = visit("unlike").locator("[data-plot='losses']")
    titles = plot.locator(".mark title").all_text_contents()
    assert len(titles) == 4 and not [text for text in titles if "+" in text]  # two losses, two classes
    assert "trained alike" in plot.inner_text()


def test_plots_are_saved_as_svg_and_png(visit):
    page = visit("few", dark=True)
    figure = page.locator("[data-plot='cost']")
    drawing = saved(page, figure.get_by_role("button", name="as SVG"))
    root = ElementTree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"var(" not in drawing and b"color(" not in drawing  # readable by programs that know plain SVG only
    assert saved(page, figure.get_by_role("button", name="as PNG"))[:8] == b"\x89PNG\r\n\x1a\n"


# --- from a figure to its images ---


def drilled_names(page):
    page.locator("dialog .cards li").first.wait_for()
    return [name.split(". ")[1] for name in page.locator("dialog .cards strong").all_inner_texts()]


def test_a_figure_leads_to_its_images_and_the_address_restores_them(visit):
    page = visit()
    page.locator("td[data-column='miou'] button.drill").first.click()
    assert page.evaluate("document.querySelector('dialog.drill').matches(':modal')")
    assert "All classes" in page.locator("dialog h3").inner_text()
    assert "CamVid val · 101 images" in page.locator("dialog header .note").inner_text()
    page.get_by_role("radio", name="Worst first").check()
    page.wait_for_function("document.querySelectorAll('dialog .cards .pictures img').length")
    order = drilled_names(page)
    assert [name[-1] for name in order] == ["2", "0", "3", "1"]  # 30, 20, 10 and 0 wrong columns
    assert page.locator("dialog .cards li").first.get_attribute("class") == "plain"  # its file is gone
    assert "3 can be shown here" in page.locator("dialog .body .note").inner_text()
    page.locator("dialog .cards button").first.click()
    page.locator("dialog .panels[aria-busy=false]").wait_for()
    assert f"2 of 4: {order[1]}" in page.locator("dialog .turn").inner_text()
    assert [text.split("\n")[0] for text in page.locator("dialog figcaption strong").all_inner_texts()] == [
        "Where it is right and wrong",
        BEST,
        "Ground truth",
        "Photo",
    ]
    page.keyboard.press("ArrowRight")
    expect(page.locator("dialog .turn strong")).to_have_text(f"3 of 4: {order[2]}")
    page.reload()
    expect(page.locator("dialog .turn strong")).to_have_text(f"3 of 4: {order[2]}")
    page.keyboard.press("Escape")
    assert drilled_names(page) == order
    page.keyboard.press("Escape")
    expect(page.locator("dialog.drill")).to_have_count(0)
    assert "lb_of" not in page.url and names(page)[0] == BEST


def test_classes_confusions_and_pairs_lead_to_their_images(visit):
    page = visit()
    select(page, BEST, SECOND)
    page.get_by_role("button", name="The images that decide it").click()
    page.get_by_role("radio", name=re.compile("^FCN-8s .* better$")).check()
    assert drilled_names(page)[0][-1] == "1" and "difference" in page.locator("dialog .cards").inner_text()
    page.get_by_role("radio", name=re.compile("^FCN-16s .* better$")).check()
    page.wait_for_function("document.querySelector('dialog .cards strong')?.textContent.endsWith('2')")
    page.go_back()
    expect(page.locator("dialog.drill")).to_have_count(0)
    page.get_by_role("button", name=BEST).click()
    page.locator(".detail .classes button.drill", has_text="pole").click()
    assert page.locator("dialog h3").inner_text() == "pole" and drilled_names(page)
    page.get_by_role("button", name="Close").click()
    grid = page.get_by_role("grid", name="Confusion matrix")
    grid.locator("td[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("dialog h3")).to_have_text("sky, predicted as pole")
    page.get_by_role("button", name="Close").click()
    assert "sky, predicted pole" in page.evaluate("document.activeElement.getAttribute('aria-label')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_images_behind_a_figure_fit_a_phone_and_are_accessible(visit, dark):
    from axe_playwright_python.sync_playwright import Axe

    pair = f"&lb_of={BEST}%40camvid%2Fval&lb_of={SECOND}%40camvid%2Fval"
    page = visit("few", pair, width=390, height=844, dark=dark)
    for at in ("", page.locator("dialog .cards button strong").first):
        if at:
            at.click()
            page.locator("dialog .panels[aria-busy=false]").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("dialog .body").evaluate("node => node.scrollWidth <= node.clientWidth")
        found = Axe().run(page, context="dialog.drill").response["violations"]
        assert [issue["id"] for issue in found if issue["impact"] in ("serious", "critical")] == []


# --- exports ---


def test_csv_has_the_columns_and_values_of_the_command_line(visit):
    page = visit()
    shown, printed = (
        list(csv.DictReader(io.StringIO(text))) for text in (export(page, "csv"), formats.comma_separated(few()))
    )
    assert list(shown[0]) == list(printed[0])
    by_name = {line["name"]: line for line in printed}
    assert [line["name"] for line in shown] == names(page) and len(shown) == len(by_name)
    for line in shown:
        for field, value in line.items():
            other = by_name[line["name"]][field]
            assert value == other or float(value) == float(other), field


def test_csv_holds_the_payload(visit):
    page = visit()
    lines = list(csv.DictReader(io.StringIO(export(page, "csv"))))
    assert [line["name"] for line in lines] == names(page)
    rows = {entry["name"]: entry for entry in few()["rows"]}
    for line in lines:
        source = rows[line["name"]]
        for field in ("miou", "pixel_accuracy", "parameters", "gmacs", "milliseconds", "rank"):
            assert line[field] == ("" if source[field] is None else line[field])
            assert source[field] is None or float(line[field]) == source[field]
        assert [line["miou_low"], line["miou_high"]] == [str(end) for end in source["miou_interval"] or ("", "")]
        assert line["iou_pole"] == ("" if source["class_iou"] is None else repr(source["class_iou"]["pole"]))
        assert line["sha256"] == source["sha256"] and line["command"] == source["command"]


def test_json_is_the_payload_of_the_rows_shown(visit):
    page = visit()
    page.get_by_role("searchbox").fill("16s; 32s")
    rows = {entry["name"]: entry for entry in few()["rows"]}
    images = {"dataset": "camvid", "split": "val"}
    assert json.loads(export(page, "json")) == {"images": images, "rows": [rows[SECOND], rows[THIRD]]}


def test_latex_and_bibtex_say_of_which_images_they_are(visit):
    page = visit("caveats")
    latex = export(page, "latex").splitlines()
    assert latex[0].startswith("% CamVid val · 101 images. All 101 images") and latex[1].startswith("% Rank")
    assert len(latex) == 5 and "63.7 {\\scriptsize [50.0, 70.0]}" in latex[2]
    bibtex = export(page, "bibtex")
    assert "@misc{dice-val," in bibtex and "CamVid val" in bibtex
    assert "brostow2009semantic" in bibtex and "@article{shelhamer2017fully," in bibtex


def test_exports_escape_what_strangers_wrote(visit):
    page = visit("mixed", "&lb_dataset=voc")
    latex = export(page, "latex").splitlines()
    assert len(latex) == 3 and '"\\&\\_' in latex[-1] and latex[-1].endswith("\\\\")
    bibtex = export(page, "bibtex")
    assert "everingham2010pascal" in bibtex and "brostow" not in bibtex
    assert bibtex.count("{") - bibtex.count("\\{") == bibtex.count("}") - bibtex.count("\\}")
    (line,) = csv.DictReader(io.StringIO(export(page, "csv")))
    assert line["name"] == f"'{HOSTILE}"
    page.locator(".export > summary").click()
    page.locator(".export > summary").click()
    with page.expect_download() as download:
        page.locator("[data-export='csv']").click()
    assert download.value.suggested_filename.startswith("leaderboard-voc-")


# --- strangers, languages, little data ---


def test_hostile_texts_stay_text(visit):
    page = visit("mixed", "&lb_cols=classes&lb_dataset=voc")
    page.locator(".opener").last.click()
    select(page, HOSTILE)
    page.locator(".filters > summary").click()
    assert page.locator(".board img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert HOSTILE in page.locator(".detail .command code").inner_text()
    assert page.locator(".published a[href^='http']").count() == len(published())


def test_portuguese_texts_and_numbers(visit):
    page = visit("portuguese")
    assert cells(page, "miou") == ["60,0", "58,0", "50,0", "–"]
    assert page.locator(".count").inner_text() == "4 de 4 checkpoints mostrados"
    for name in (BEST, THIRD):
        page.get_by_role("checkbox", name=f"Selecionar {name}").check()
    assert "10,0 pontos de mIoU acima" in page.locator(".pairs").inner_text()


def test_empty_and_single_payloads_explain_themselves(visit):
    assert "No results yet" in visit("empty").locator(".empty").inner_text()
    page = visit("one")
    assert names(page) == [BEST]
    assert page.locator(".ranking td strong").count() == 0
    page.get_by_role("button", name=BEST).click()
    assert "Rank 1 of 1" in page.locator(".standing").inner_text()


def test_published_figures_stand_apart(visit):
    page = visit()
    page.locator(".published > summary").click()
    shown = page.locator(".literature tbody tr")
    assert shown.count() == len(published())
    assert "FC-DenseNet103" not in page.locator(".ranking").inner_text()
    assert page.locator(".literature input, .literature button").count() == 0


# --- access and layout ---


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit, dark):
    from axe_playwright_python.sync_playwright import Axe

    page = visit("mixed", dark=dark)
    page.get_by_role("button", name=SECOND).click()
    select(page, THIRD, SECOND)
    for summary in (".filters", ".export", ".published"):
        page.locator(f"{summary} > summary").click()
    found = Axe().run(page, context=".board").response["violations"]
    serious = [
        (issue["id"], [node["html"][:200] for node in issue["nodes"]][:3])
        for issue in found
        if issue["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("preset", ["accuracy", "classes", "reproduce"])
def test_phone_scrolls_the_table_and_not_the_page(visit, preset):
    page = visit("mixed", f"&lb_cols={preset}", width=390, height=844)
    page.get_by_role("button", name=SECOND).click()
    page.locator(".published > summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    region = page.get_by_role("region", name="Leaderboard table")
    assert region.evaluate("node => node.scrollWidth > node.clientWidth && node.tabIndex === 0")
    region.evaluate("node => node.scrollTo(300, 0)")
    left = region.bounding_box()["x"]
    assert page.locator(".ranking tbody th.name").first.bounding_box()["x"] == pytest.approx(left, abs=3)


def test_redraw_keeps_where_the_table_is_scrolled_to(visit):
    page = visit("few", "&lb_cols=cost", width=390, height=844)
    region = page.get_by_role("region", name="Leaderboard table")
    region.evaluate("node => node.scrollTo(250, 0)")
    header(page, "gmacs").get_by_role("button").click()
    assert header(page, "gmacs").get_attribute("aria-sort") == "ascending"
    assert region.evaluate("node => node.scrollLeft") > 150


def test_header_stays_when_the_table_scrolls(visit):
    page = visit("mixed", height=420)
    region = page.get_by_role("region", name="Leaderboard table")
    region.evaluate("node => node.scrollTo(0, node.scrollHeight)")
    assert header(page, "miou").bounding_box()["y"] == pytest.approx(region.bounding_box()["y"], abs=3)


def test_table_has_caption_and_scopes(visit):
    page = visit()
    assert page.locator(".ranking caption").count() == 1
    assert page.locator(".ranking thead th:not([scope='col'])").count() == 0
    assert page.locator(".ranking tbody th.name:not([scope='row'])").count() == 0
