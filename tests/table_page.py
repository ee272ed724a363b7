"""A page with the leaderboard table alone, payloads whose order, ranks and sentences are known, and ways to read it."""

import json
import socket
from contextlib import contextmanager
from types import SimpleNamespace

import gradio
import numpy as np
from conftest import write_camvid

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


@contextmanager
def serve(folder):
    """Address of a page that mounts the table as the app does: empty at first, filled by a load event."""
    drilled = drilled_site(folder / "camvid")

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
    try:
        yield url
    finally:
        blocks.close()


def heard_checkpoints(event: gradio.EventData):
    return json.dumps(event.checkpoints)


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


def select(page, *chosen):
    for name in chosen:
        page.get_by_role("checkbox", name=f"Select {name}").last.check()
    return page.locator(".pairs").inner_text()
