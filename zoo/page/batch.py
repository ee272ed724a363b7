"""Many photos at once: one row of facts per photo, and one zip of masks back.

Nothing here knows the page's framework. `zoo.page.brought` reads what the visitor brings.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from zoo.checkpoints.information import CheckpointError, CheckpointInfo
from zoo.images.encoding import jpeg_bytes
from zoo.images.names import composed
from zoo.images.photo import Decoded, ImageError
from zoo.labels import LabelSet
from zoo.page.brought import Photo
from zoo.page.comparison import error_text
from zoo.text import Message

logger = logging.getLogger("zoo")

NAMED = 5  # masks without a photo that the page names; the summary names all
THUMBNAIL = (112, 84)


@dataclass
class Row:
    """What became of one photo: its thumbnail as JPEG, facts per checkpoint, or why there are none.

    disagreement: share of pixels on which the checkpoints of one label set do not all say the same class, in [0, 1];
    None where fewer than two can be compared.
    """

    name: str
    size: tuple[int, int] | None = None
    thumbnail: bytes | None = None
    error: str | None = None
    refused: str | None = None
    disagreement: float | None = None
    checkpoints: dict[str, dict] = field(default_factory=dict)


@dataclass
class Batch:
    """Photos, checkpoints, and what has become of them so far; `advance` works through them.

    decode: content of a photo to the image that is worked on; segment: (info, decoded) to a result; truth: content of a
    mask, label set and decoded photo to a mask (H, W); count and score: pairs of mask and truth to counts that add up,
    and counts to scores; stopped: set from outside; forgotten: that the visitor wants nothing of it kept; files: what
    the visitor brought and gets back; masks_alone: names of masks that no photo has.
    """

    photos: list[Photo]
    infos: list[CheckpointInfo]
    decode: Callable[[bytes], Decoded]
    segment: Callable
    truth: Callable[[bytes, LabelSet, Decoded], np.ndarray]
    count: Callable[[np.ndarray, np.ndarray], np.ndarray]
    score: Callable[[np.ndarray, tuple[str, ...], int], dict]
    rows: list[Row] = field(default_factory=list)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    scored: int = 0
    stopped: bool = False
    forgotten: bool = False
    files: list[str] = field(default_factory=list)
    masks_alone: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.names = mask_names([photo.name for photo in self.photos])

    def stop(self) -> None:
        """End the work after the photo that is being worked on."""
        self.stopped = True

    def advance(self, archive: zipfile.ZipFile) -> Iterator[Row]:
        """Work through the photos, writing masks into `archive`; gives each row once it is finished.

        A photo or a mask of no use has its reason in its row and holds up no other.
        """
        for photo in self.photos:
            if self.stopped:
                return
            row = Row(photo.name)
            try:
                self.work(photo, row, archive)
            except (ImageError, CheckpointError) as error:
                row.error = error_text(error)
            except Exception:
                logger.exception("photo of a batch failed")
                row.error = Message("error_batch_photo")
            self.rows.append(row)
            yield row

    def work(self, photo: Photo, row: Row, archive: zipfile.ZipFile) -> None:
        """Segment one photo with every checkpoint and fill its row."""
        decoded = self.decode(photo.read())
        row.size, row.thumbnail = decoded.display.size, thumbnail(decoded.display)
        truth = self.read_truth(photo, row, decoded)
        masks: dict[tuple[str, ...], list[np.ndarray]] = {}
        for info in self.infos:
            result = self.segment(info, decoded)
            name, labels = info.offered_as, info.labels
            masks.setdefault(labels.classes, []).append(result.mask)
            shares = {
                title: count / result.mask.size for title, count in zip(labels.classes, result.pixels, strict=True)
            }
            row.checkpoints[name] = {"shares": shares, "mean_confidence": result.mean_confidence}
            row.checkpoints[name]["distance_from_training"] = result.distance
            if truth is not None and labels.classes == self.infos[0].labels.classes:
                pairs = self.count(result.mask, truth)
                self.counts[name] = self.counts.get(name, 0) + pairs
                row.checkpoints[name]["miou"] = self.score(pairs, labels.classes, labels.void)["miou"]
            row.checkpoints[name]["mask"] = path = mask_path(name, self.names[photo.name])
            archive.writestr(path, result.mask_png)
        row.disagreement = disagreement(max(masks.values(), key=len))
        self.scored += truth is not None

    def read_truth(self, photo: Photo, row: Row, decoded: Decoded) -> np.ndarray | None:
        """The ground truth that came with a photo; one of no use is told in the row."""
        row.refused = photo.refused
        if photo.read_truth is None:
            return None
        try:
            return self.truth(photo.read_truth(), self.infos[0].labels, decoded)
        except ImageError as error:
            row.refused = error.args[0]
            return None

    def totals(self) -> dict[str, dict]:
        """Scores over all photos whose masks came with them, by checkpoint: one count of pixels, no mean of means."""
        labels = self.infos[0].labels
        return {name: self.score(counts, labels.classes, labels.void) for name, counts in self.counts.items()}


def thumbnail(image: Image.Image) -> bytes:
    """A small JPEG of an image."""
    small = image.copy()
    small.thumbnail(THUMBNAIL)
    return jpeg_bytes(small)


def mask_names(photos: list[str]) -> dict[str, str]:
    """{photo: its mask's name}, numbered where photos differ in ending alone.

    Or in what many disks do not tell apart: case, and the Unicode form of accents.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for photo in photos:
        plain = PurePosixPath(photo).with_suffix(".png")
        name, number = str(plain), 2
        while composed(name).casefold() in taken:
            name, number = str(plain.with_stem(f"{plain.stem} ({number})")), number + 1
        taken.add(composed(name).casefold())
        names[photo] = name
    return names


def mask_path(checkpoint: str, name: str) -> str:
    """Where the mask of this name lies in the zip."""
    return f"masks/{checkpoint.replace('/', '--')}/{name}"


def disagreement(masks: list[np.ndarray]) -> float | None:
    """Share of pixels on which masks (H, W) of one label set are not all equal; None for fewer than two."""
    if len(masks) < 2:
        return None
    return float(np.any([mask != masks[0] for mask in masks[1:]], axis=0).mean())


def notes(batch: Batch) -> list[Message]:
    """What whoever brought the batch should know of all of it: which masks were left out."""
    alone = batch.masks_alone
    if not alone:
        return []
    named = ", ".join(alone[:NAMED]) + (", …" if len(alone) > NAMED else "")
    return [Message("batch_masks_alone", number=len(alone), names=named)]


def facts(batch: Batch) -> dict:
    """JSON-ready facts of a batch: per image, and the scores over all images whose masks came with them."""
    images = [
        {
            "name": row.name,
            "width": row.size and row.size[0],
            "height": row.size and row.size[1],
            "error": row.error and str(row.error),
            "truth_refused": row.refused and str(row.refused),
            "disagreement": row.disagreement,
            "checkpoints": row.checkpoints,
        }
        for row in batch.rows
    ]
    versions = {info.offered_as: {"revision": info.revision, "sha256": info.sha256} for info in batch.infos}
    return {
        "images": images,
        "checkpoints": versions,
        "images_with_truth": batch.scored,
        "masks_without_image": batch.masks_alone,
        "scores_over_images_with_truth": batch.totals(),
        "not_reached": [photo.name for photo in batch.photos[len(batch.rows) :]],
    }


def table_csv(batch: Batch) -> str:
    """One line per image and checkpoint: the mask's file, class shares in [0, 1], disagreement, mIoU, distance."""
    classes = list(dict.fromkeys(name for info in batch.infos for name in info.labels.classes))
    with io.StringIO(newline="") as text:
        table = csv.writer(text)
        numbers = ("miou", "mean_confidence", "distance_from_training")
        table.writerow(["image", "checkpoint", "mask", "error", "disagreement", *numbers, *classes])
        for row in batch.rows:
            if row.error:
                table.writerow([guarded(row.name), "", "", str(row.error)])
            for name, entry in row.checkpoints.items():
                shares = [entry["shares"].get(title, "") for title in classes]
                values = [row.disagreement, *map(entry.get, numbers), *shares]
                table.writerow([guarded(row.name), name, entry.get("mask", ""), "", *values])
        return text.getvalue()


def guarded(text: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text


def write_summary(archive: zipfile.ZipFile, batch: Batch) -> None:
    """Add table.csv and summary.json to the zip."""
    archive.writestr("table.csv", table_csv(batch))
    archive.writestr("summary.json", json.dumps(facts(batch), indent=2, ensure_ascii=False))
