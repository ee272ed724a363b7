"""The images behind a figure of the leaderboard, drawn: photo, ground truth, masks, and where they are right or wrong.

Masks are made when they are asked for, of images that lie on this machine, and kept as those of the comparison are.
"""

import logging

import numpy as np
from PIL import Image

from zoo.images.encoding import encode_mask, jpeg_bytes, png_bytes
from zoo.labels import READABLE, LabelSet
from zoo.page.comparison import View, error_text
from zoo.page.offer import Offer
from zoo.page.values import data_url
from zoo.text import DEFAULT_LANGUAGE, Message, choose_language, class_titles, in_language

logger = logging.getLogger("zoo")

SIDES = (320, 1024)  # long side in pixels of what is sent: a thumbnail, and the image alone
ORANGE, BLUE, GREEN = READABLE[:3]
# What `where` tells apart, each with its colour: of one row, of one class, of one confusion, and of two rows.
WRONG = (("drill_wrong", ORANGE),)
CLASS = (("drill_hit", GREEN), ("drill_missed", ORANGE), ("drill_false", BLUE))
CONFUSED = (("drill_confused", ORANGE),)
PAIR = (("drill_first", GREEN), ("drill_second", BLUE), ("drill_neither", ORANGE))


class Drilled:
    """Lists and draws the images behind figures; answers are JSON-ready, {"problem": text} where there is none."""

    def __init__(self, offer: Offer, drill, count):
        self.offer, self.drill, self.count = offer, drill, count

    def images(self, asked: object) -> dict:
        """The images behind what was asked, as `drill.images` gives them."""
        return self._answer(asked, self.drill.images)

    def picture(self, asked: object) -> dict:
        """One of them: "photo", "truth", "masks", "where" as data URLs, or {"missing": True} where it is not here."""
        return self._answer(asked, self._picture)

    def _answer(self, asked: object, answer) -> dict:
        language = _language(asked)
        try:
            if not isinstance(asked, dict):
                raise ValueError(Message("drill_unknown"))
            return answer(asked)
        except ValueError as error:
            return {"problem": in_language(error_text(error), language)}

    def _picture(self, asked: dict) -> dict:
        measured, stored = self.drill.picture(asked)
        if measured is None:
            return {"missing": True}
        side = asked.get("side") if asked.get("side") in SIDES else SIDES[0]
        image = Image.fromarray(measured.image)
        masks = [self._mask(sha256, image, measured.labels) for sha256, _ in stored]
        width, height = _fitted(image.size, side)
        photo = image.resize((width, height), Image.Resampling.BOX if side < max(image.size) else None)
        return {
            "name": measured.name,
            "width": width,
            "height": height,
            "photo": data_url(jpeg_bytes(photo), "jpeg"),
            "truth": data_url(encode_mask(_nearest(measured.mask, (width, height)), measured.labels)),
            "masks": [
                None if mask is None else data_url(encode_mask(_nearest(mask, (width, height)), measured.labels))
                for mask in masks
            ],
            "otherwise": [
                None if mask is None else self._otherwise(mask, measured, matrix)
                for mask, (_, matrix) in zip(masks, stored, strict=True)
            ],
            "where": where_value(masks, measured, asked, (width, height)),
            "classes": classes_shown([measured.mask, *masks], measured.labels, _language(asked)),
        }

    def _mask(self, sha256: str, image: Image.Image, labels: LabelSet) -> np.ndarray | None:
        """The mask of the checkpoint with these weights, None where it is not on offer or fails."""
        info = next((info for info in self.offer.infos.values() if info.sha256 == sha256), None)
        if info is None or info.labels.classes != labels.classes:
            return None
        try:
            return self.offer.segmenter.segment(info, image, view=View(image.size, max(image.size))).mask
        except Exception:  # one checkpoint that fails leaves the list of names and scores, and the other masks
            logger.exception("checkpoint %s failed", info.offered_as)
            return None

    def _otherwise(self, mask: np.ndarray, measured, matrix: np.ndarray) -> int:
        """How many labelled pixels of a mask fall otherwise than they were counted when the row was measured."""
        classes = len(measured.labels.classes)
        now = self.count(mask, measured.mask)[:classes, :classes]
        return int(np.abs(now.astype(np.int64) - matrix.astype(np.int64)).sum() // 2)


def classes_shown(masks: list, labels: LabelSet, language: str) -> list[dict]:
    """Title and colour of each class that occurs in one of the masks, None among them or not."""
    there = {int(value) for mask in masks if mask is not None for value in np.unique(mask)}
    titles = class_titles(labels.classes, language)
    colours = ["#" + bytes(colour).hex() for colour in labels.palette]
    pairs = enumerate(zip(titles, colours, strict=True))
    return [{"title": title, "color": colour} for index, (title, colour) in pairs if index in there]


def where_value(masks: list, measured, asked: dict, size: tuple[int, int]) -> dict | None:
    """Where masks are right and wrong, as {"src": PNG, clear where there is nothing to say, "legend": [{"key", "color",
    "pixels"}, ...]}; None without all masks. What is told apart depends on what was asked: a class, two rows.
    """
    if any(mask is None for mask in masks):
        return None
    classes = measured.labels.classes
    wanted = asked.get("label"), asked.get("prediction")
    label, prediction = (classes.index(name) if name in classes else None for name in wanted)
    truth, labelled = measured.mask, measured.mask != measured.labels.void
    kinds, parts = _parts(masks, truth, label, prediction)
    ids = np.zeros(truth.shape, np.uint8)
    for index, part in enumerate(parts, 1):
        ids[part & labelled] = index
    legend = [
        {"key": key, "color": "#" + bytes(colour).hex(), "pixels": int((ids == index).sum())}
        for index, (key, colour) in enumerate(kinds, 1)
    ]
    picture = Image.fromarray(_nearest(ids, size)).convert("P")
    picture.putpalette([0, 0, 0, *(value for _, colour in kinds for value in colour)])
    picture.info["transparency"] = 0
    return {"src": data_url(png_bytes(picture)), "legend": legend}


def _parts(masks: list, truth: np.ndarray, label: int | None, prediction: int | None) -> tuple[tuple, list[np.ndarray]]:
    """The kinds of `where`, and (H, W) bool of the pixels of each."""
    first = masks[0]
    if len(masks) == 2:
        second, concerned = masks[1], np.ones(truth.shape, bool)
        if label is not None:
            concerned = (truth == label) | (first == label) | (second == label)
        right = first == truth, second == truth
        parts = [right[0] & ~right[1], right[1] & ~right[0], ~right[0] & ~right[1]]
        return PAIR, [part & concerned for part in parts]
    if label is None:
        return WRONG, [first != truth]
    if prediction is not None and prediction != label:
        return CONFUSED, [(truth == label) & (first == prediction)]
    hit = (truth == label) & (first == label)
    return CLASS, [hit, (truth == label) & ~hit, (first == label) & ~hit]


def _language(asked: object) -> str:
    return choose_language(str(asked.get("language"))) if isinstance(asked, dict) else DEFAULT_LANGUAGE


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(width, height) with a long side of at most `side` pixels."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _nearest(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Class ids (H, W) at another (width, height), none mixed with another."""
    return np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))
