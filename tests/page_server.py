"""A page with tiny checkpoints for the tests: three variants, one more loss, and a made-up leaderboard."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import app
from evaluation.board.merging import Additions
from evaluation.board.rows import payload
from zoo.checkpoints import folder as checkpoint
from zoo.hub.catalog import Catalog
from zoo.hub.settings import HubSettings
from zoo.labels import CAMVID
from zoo.models.fcn import FCN, FCNConfig
from zoo.page.handlers import Page

LADDER = ["fcn32s-vgg16bn-w6-ce-camvid", "fcn16s-vgg16bn-w6-ce-camvid", "fcn8s-vgg16bn-w6-ce-camvid"]
FOCAL = "fcn8s-vgg16bn-w6-focal-camvid"
SCORES = {LADDER[0]: 0.52, LADDER[1]: 0.59, LADDER[2]: 0.62, FOCAL: 0.57}

# Gradio leaves its event loops to the garbage collector, and its queue uses two options that pandas has deprecated.
GRADIO_WARNINGS = [
    pytest.mark.filterwarnings("ignore:unclosed (event loop|<socket):ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]


def write_checkpoints(root: Path) -> None:
    """Four tiny checkpoint folders whose masks differ from one another."""
    for seed, (variant, loss) in enumerate([("fcn32s", "ce"), ("fcn16s", "ce"), ("fcn8s", "ce"), ("fcn8s", "focal")]):
        torch.manual_seed(seed)
        tiny = {"backbone": "vgg16_bn", "width": 0.0625, "head_channels": 16, "head_kernel": 3}
        model = FCN(FCNConfig(variant=variant, classes=CAMVID.classes, **tiny)).eval()
        for layer in model.score.values():  # zero-initialised: give every class its own answer
            torch.nn.init.normal_(layer.weight, std=0.5)
        name = checkpoint.checkpoint_name(model.config, loss, "camvid")
        checkpoint.save(model, root / name, labels=CAMVID, loss=loss, training={"epochs": 1})


def board(infos) -> dict:
    """A leaderboard payload with a row for each checkpoint, best first; only fields that the page needs."""
    rows = []
    for info in infos:
        score = SCORES[info.name]
        rows.append(
            {
                "name": info.name,
                "variant": info.variant,
                "loss": info.loss,
                "backbone": info.backbone_label,
                "dataset": info.dataset,
                "split": "val",
                "images": 101,
                "source": info.source,
                "revision": None,
                "sha256": info.sha256,
                "miou": score,
                "miou_interval": [score - 0.02, score + 0.02],
                "pixel_accuracy": 0.9 - score / 10,  # the other way round than mIoU, so that sorting shows
                "mean_accuracy": 0.7,
                "frequency_weighted_iou": 0.8,
                "dice": 0.7,
                "class_iou": {"sky": 0.9},
                "parameters": info.parameters,
                "gmacs": 0.5,
                "file_bytes": info.file_bytes,
                "milliseconds": 60.0,
                "device": "test",
                "threads": 1,
                "precision": "fp32",
                "classes": list(info.labels.classes),
                "training": {},
                "versions": {},
                "protocol": {},
            }
        )
    rows.sort(key=lambda row: -row["miou"])
    return {
        "rows": [row | {"rank": rank} for rank, row in enumerate(rows, 1)],
        "pairs": {},
        "published": [],
        "problems": [],
    }


def make_page(root: Path, settings: HubSettings | None = None) -> Page:
    """The page's functions over the checkpoints in `root`, and those of the Hub that `settings` name."""
    catalog = Catalog(settings or HubSettings(baselines="off"), root=root)
    return page_of(catalog, lambda: board(catalog.snapshot().checkpoints))


def page_of(catalog: Catalog, board: Callable[[], dict]) -> Page:
    """The page's functions with `board()` and, unranked beside it, the rows that the Hub adds."""

    def assemble(additions: Additions | None = None) -> dict:
        own, found = board(), payload(catalog.settings.cache / "none", additions)
        return own | {"rows": own["rows"] + found["rows"]}

    return app.make_page(catalog, assemble)


@contextmanager
def serve(page: Page):
    """Serve the page on a free port of the loopback; gives its address."""
    blocks = app.launch(page, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        yield blocks.local_url
    finally:
        blocks.close()


@contextmanager
def tiny_site(root: Path):
    """The page over tiny checkpoints that are written to `root`, warmed up, and its address."""
    write_checkpoints(root)
    page = make_page(root)
    page.warm_up()
    with serve(page) as address:
        yield page, address
