"""What the tab 'Learn' shows: its script and sheet, its texts, and figures of one bundled network and of the results.

Made when the first visitor opens the tab, and kept. Figures of networks and results leave from here; the scripts count
nothing that Python has counted.
"""

import base64
import threading
from typing import cast

import gradio as gr
import numpy as np

from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.titles import title
from zoo.config import VGG_BACKBONES, FCNConfig
from zoo.images.encoding import encode_mask
from zoo.images.examples import examples
from zoo.models.engine import Engine
from zoo.models.labelling import Ladder
from zoo.models.score_maps import receptive_fields, summands
from zoo.page.comparison import Comparison
from zoo.page.components import component_texts, lesson_files
from zoo.page.handlers import Page
from zoo.page.lesson_results import rare_value, split_value, vessels_value
from zoo.page.refusal import language_of
from zoo.page.values import data_url, labels_value, scene_value

NETWORK = "fcn8s-vgg16bn-w25-ce-camvid"  # where it is on offer; else the finest that is ticked at first
SCALE = 1 / 256  # scores travel as whole numbers of 16 bits; this is what one is worth


class Lesson:
    """The lesson of a page."""

    def __init__(self, page: Page):
        self.page, self.lock = page, threading.Lock()
        self.kept: dict[str, dict] = {}

    def open(self, request: gr.Request) -> dict:
        """The value of the tab in the visitor's language."""
        language = language_of(request)
        with self.lock:
            if language not in self.kept:
                self.kept[language] = self.value(language)
            return self.kept[language]

    def value(self, language: str) -> dict:
        """Script, sheet, strings, and what the parts are about; `network` is None where no FCN-8s is on offer."""
        value = lesson_files() | {"strings": component_texts("learn", language), "locale": language}
        value |= {
            "rare": rare_value(self.page.board["rows"]),
            "vessels": vessels_value(),
            "split": split_value(language),
        }
        info = self.network()
        if info is None:
            return value | {"network": None}
        work = self.page.prepare(str(examples()[0].photo), [info.offered_as])
        scene = {key: part for key, part in scene_value(work, language).items() if key in ("photo", "truth")}
        compared = {"example": examples()[0].name, "checkpoints": self.page.default_names()}
        return value | scene | {"compared": compared, "network": self.network_value(info, work, language)}

    def network(self) -> CheckpointInfo | None:
        """The FCN-8s that the lesson looks into."""
        infos, classes = self.page.infos, examples()[0].labels.classes
        names = [NETWORK, *reversed(self.page.default_names())]
        offered = [infos[name] for name in names if name in infos]
        return next((info for info in offered if is_fcn8s_on_vgg(info) and info.labels.classes == classes), None)

    def network_value(self, info: CheckpointInfo, work: Comparison, language: str) -> dict:
        """Scores by stride, masks of their running sums with their mIoU on this photo, classes."""
        engine, image = self.page.segmenter.model(info), work.decoded.image
        with self.page.segmenter.turn:
            found = summands(engine, image)
        coarse = found.own[32]
        rows, columns = next(iter(found.carried.values())).shape[1:]
        mious = {
            str(stride): (self.page.mask_scores(mask, info.labels, work.truth) or {}).get("miou")
            for stride, mask in found.masks.items()
        }
        return {
            "name": info.offered_as,
            "title": title(info),
            **{key: part for key, part in labels_value(info.labels, language).items() if key != "name"},
            "grid": {"rows": rows, "columns": columns, "stride": found.stride, "offset": found.offset},
            "scale": SCALE,
            "maps": {str(stride): whole_numbers(scores) for stride, scores in found.carried.items()},
            "masks": {str(stride): data_url(encode_mask(mask, info.labels)) for stride, mask in found.masks.items()},
            "mious": mious,
            "coarse": {"rows": coarse.shape[1], "columns": coarse.shape[2], "map": whole_numbers(coarse)},
            "head_kernel": info.config.head_kernel,
            "fields": receptive_fields(info.config),
            "ceilings": {str(stride): self.ceiling(work, stride) for stride in (32, 16, 8)},
            "kernels": {str(stride): upsampling_kernels(engine, stride) for stride in (32, 16)},
        }

    def ceiling(self, work: Comparison, stride: int) -> dict:
        """IoU by class, and mIoU, of a mask whose cells of `stride` pixels name their most frequent class each."""
        truth = work.truth
        scores = self.page.mask_scores(
            most_frequent(truth.mask, stride, len(truth.labels.classes)), truth.labels, truth
        )
        return {"miou": scores["miou"], "classes": scores["class_iou"]}


def is_fcn8s_on_vgg(info: CheckpointInfo) -> bool:
    """Whether a checkpoint is the network that the lesson is about."""
    return isinstance(info.config, FCNConfig) and info.variant == "fcn8s" and info.config.backbone in VGG_BACKBONES


def most_frequent(mask: np.ndarray, stride: int, classes: int) -> np.ndarray:
    """(H, W) uint8 ids in which each cell of `stride` pixels has its most frequent class; void is not counted."""
    found = np.empty_like(mask)
    for top in range(0, mask.shape[0], stride):
        for left in range(0, mask.shape[1], stride):
            cell = (slice(top, top + stride), slice(left, left + stride))
            found[cell] = np.bincount(mask[cell].ravel(), minlength=256)[:classes].argmax()
    return found


def upsampling_kernels(engine: Engine, stride: int) -> list[list[list[float]]]:
    """The kernels (4, 4) with which the upsampling after `stride` carries each class to itself."""
    return np.round(cast("Ladder", engine.output).own_kernels(stride).astype(float), 4).tolist()


def whole_numbers(values: np.ndarray) -> str:
    """Numbers as base64 of little-endian 16-bit integers, in units of `SCALE`."""
    limits = np.iinfo(np.int16)
    return base64.b64encode(np.clip(np.rint(values / SCALE), limits.min, limits.max).astype("<i2").tobytes()).decode(
        "ascii"
    )
