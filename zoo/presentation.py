"""The forms in which the page shows and hands out a comparison: values of its components, JSON summary, zip.

Values are JSON; images travel in them as data: URLs, so that nothing of a visitor's is written to disk for display.
"""

import base64
import io
import json
import zipfile

import numpy as np
from PIL import Image

from zoo.catalog import name_of
from zoo.checkpoint_info import CheckpointInfo
from zoo.comparison import Comparison, Result, Rung
from zoo.config import FCNConfig
from zoo.download import amount
from zoo.labels import LabelSet
from zoo.page import texts, translate, viewer_texts
from zoo.segment import encode_mask, png_bytes
from zoo.titles import arrange, rank, subtitle, title

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold: equal content gives equal files


def labels_value(labels: LabelSet) -> dict:
    """A label set as the viewer takes it."""
    classes = [
        {"id": index, "name": name, "color": "#{:02x}{:02x}{:02x}".format(*colour)}
        for index, (name, colour) in enumerate(zip(labels.classes, labels.palette, strict=True))
    ]
    return {"name": labels.name, "void": labels.void, "classes": classes}


def data_url(content: bytes, kind: str = "png") -> str:
    """File content as a data: URL, so that nothing of a visitor's is written to disk."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def viewer_value(comparison: Comparison, scores: dict[str, dict], language: str) -> dict:
    """The value of the viewer; `scores` gives 'miou' and 'miou_interval' by weights sha256, if known."""
    waiting = [info for info in comparison.infos if name_of(info) not in comparison.results | comparison.errors]
    return scene_value(comparison, language) | {
        "panels": [panel_value(comparison, info, info in waiting[:1], scores, language) for info in comparison.infos],
        "columns": columns(comparison.infos),
        "notes": [translate(note, language) for note in comparison.decoded.notes],
        "leaderboard_links": True,
    }


def columns(infos: list[CheckpointInfo]) -> int | None:
    """How many panels stand in a row where variants and losses make a full table in this order; else None."""
    grid = arrange(infos)
    return len(grid.losses) if grid and grid.complete and infos == sorted(infos, key=rank) else None


def scene_value(comparison: Comparison, language: str) -> dict:
    """What every viewer of a comparison shows besides its panels: photo, ground truth if known, strings."""
    image, truth = comparison.decoded.image, comparison.truth
    photo = {"src": data_url(comparison.decoded.jpeg, "jpeg"), "width": image.width, "height": image.height}
    return {
        "photo": photo | {"name": comparison.name},
        "truth": truth
        and {"mask": data_url(encode_mask(truth.mask, truth.labels)), "labels": labels_value(truth.labels)},
        "panels": [],
        "notes": [],
        "strings": viewer_texts(language),
        "locale": language,
    }


def inside_value(
    comparison: Comparison, info: CheckpointInfo, rungs: list[Rung], mious: dict[str, float | None], language: str
) -> dict:
    """The value of the viewer that shows the score maps inside one checkpoint; `mious` on this image, by rung."""
    strings, labels = texts(language), labels_value(info.labels)
    panels = []
    for rung in rungs:
        kind = rung.name.split()[0]
        explanation = "inside_first" if rung is rungs[0] else f"inside_{kind}"
        counts = np.bincount(rung.mask.ravel(), minlength=len(info.labels.classes))
        panels.append(
            {
                "name": rung.name,
                "title": strings[f"inside_{kind}_title"].format(stride=rung.stride),
                "subtitle": strings[explanation].format(stride=rung.stride, coarser=2 * rung.stride),
                "status": "done",
                "message": "",
                "labels": labels,
                "mask": data_url(rung.mask_png),
                "confidence": data_url(rung.confidence_png),
                "mean_confidence": rung.mean_confidence,
                "shares": [int(count) / rung.mask.size for count in counts],
                "miou": mious.get(rung.name),
            }
        )
    return scene_value(comparison, language) | {"panels": panels}


def inside_choices(comparison: Comparison) -> list[tuple[str, str]]:
    """(shown text, name) of each FCN compared, for the choice of whose inside is shown."""
    return [(f"{title(info)} · {subtitle(info)}", name_of(info)) for info in comparison.infos if has_ladder(info)]


def has_ladder(info: CheckpointInfo) -> bool:
    """Whether a checkpoint is an FCN, whose score maps can be shown one by one."""
    return isinstance(info.config, FCNConfig)


def panel_value(
    comparison: Comparison, info: CheckpointInfo, running: bool, scores: dict[str, dict], language: str
) -> dict:
    """One panel of the viewer: 'done', 'failed', 'running' or 'waiting'."""
    name, score = name_of(info), scores.get(info.sha256, {})
    panel = {
        "name": name,
        "title": title(info),
        "subtitle": subtitle(info),
        "status": "running" if running else "waiting",
        "message": "",
        "labels": labels_value(info.labels),
        "miou": score.get("miou"),
        "miou_interval": score.get("miou_interval"),
    }
    if name in comparison.errors:
        return panel | {"status": "failed", "message": translate(comparison.errors[name], language)}
    result = comparison.results.get(name)
    if result is None and name in comparison.amounts:
        return panel | {"message": hub_progress(*comparison.amounts[name], language)}
    if result is None:
        return panel
    return panel | {
        "status": "done",
        "mask": data_url(result.mask_png),
        "confidence": data_url(result.confidence_png),
        "milliseconds": result.milliseconds,
        "mean_confidence": result.mean_confidence,
        "shares": [count / result.mask.size for count in result.pixels],
    }


def hub_progress(done: int, total: int, language: str) -> str:
    """'41 of 58 MB'."""
    number, _, whole, unit = amount(done, total).split()
    return texts(language)["hub_progress"].format(done=number, total=whole, unit=unit)


def summary(comparison: Comparison) -> dict:
    """JSON-ready facts of a comparison: the image, and per checkpoint its exact version, areas and timing."""
    width, height = comparison.decoded.image.size
    return {
        "image": {
            "name": comparison.name,
            "width": width,
            "height": height,
            "original_size": list(comparison.decoded.original_size),
            "notes": [str(note) for note in comparison.decoded.notes],
        },
        "checkpoints": [checkpoint_summary(result) for result in comparison.results.values()],
        "errors": {name: str(message) for name, message in comparison.errors.items()},
    }


def checkpoint_summary(result: Result) -> dict:
    """Facts of one result: checkpoint with weights sha256 and revision, milliseconds, confidence, share per class."""
    return describe(result.info) | {
        "milliseconds": round(result.milliseconds, 2),
        "precision": result.precision,
        "mean_confidence": round(result.mean_confidence, 4),
        "classes": [
            entry | {"pixels": count, "share": round(count / result.mask.size, 6)}
            for entry, count in zip(labels_value(result.info.labels)["classes"], result.pixels, strict=True)
        ],
    }


def describe(info: CheckpointInfo, scores: dict[str, dict] | None = None) -> dict:
    """JSON-ready facts of a checkpoint, exact enough to find it again, with its mIoU where `scores` has it."""
    facts = {
        "name": name_of(info),
        "variant": info.variant,
        "backbone": info.backbone_label,
        "loss": info.loss,
        "dataset": info.dataset,
        "source": info.source,
        "repository": info.location if info.source == "hub" else None,
        "revision": info.revision,
        "sha256": info.sha256,
        "parameters": info.parameters,
        "file_bytes": info.file_bytes,
    }
    if scores is not None:
        facts |= {key: scores.get(info.sha256, {}).get(key) for key in ("miou", "miou_interval")}
    return facts


def overlay(image: Image.Image, result: Result, opacity: float = 0.5) -> Image.Image:
    """The photo with the mask's colours laid over it."""
    with Image.open(io.BytesIO(result.mask_png)) as mask:
        return Image.blend(image, mask.convert("RGB"), opacity)


def zip_bytes(comparison: Comparison, facts: dict) -> bytes:
    """A zip of the photo, indexed masks, overlays, ground truth if there is any, and `facts` as summary.json."""
    image = comparison.decoded.image
    files = {"photo.png": png_bytes(image), "summary.json": json.dumps(facts, indent=2, ensure_ascii=False).encode()}
    for key, result in comparison.results.items():
        name = key.replace("/", "--")
        files[f"masks/{name}.png"] = result.mask_png
        files[f"overlays/{name}.png"] = png_bytes(overlay(image, result))
    if comparison.truth:
        files["truth.png"] = encode_mask(comparison.truth.mask, comparison.truth.labels)
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:  # PNGs are compressed already
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), content)
        return buffer.getvalue()


def iou_value(comparison: Comparison, scores: dict[str, dict], language: str) -> dict | None:
    """The value of the IoU table; `scores` gives 'class_iou' and 'miou' on this image of checkpoints by name.

    One row per class that occurs, the mean last; None where there is nothing to show.
    """
    if not scores:
        return None
    rows = []
    for entry in labels_value(comparison.truth.labels)["classes"]:
        values = [score["class_iou"][entry["name"]] for score in scores.values()]
        if any(value is not None for value in values):
            rows.append({"name": entry["name"], "color": entry["color"], "values": values})
    strings = texts(language)
    rows.append({"name": strings["iou_mean"], "color": None, "values": [score["miou"] for score in scores.values()]})
    infos = [comparison.results[name].info for name in scores]
    return {"columns": [title(info) for info in infos], "rows": rows, "strings": strings}
