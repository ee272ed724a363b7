"""The forms in which the page shows and hands out a comparison: values of its components, JSON summary, zip.

Values are JSON; images travel in them as data: URLs, so that nothing of a visitor's is written to disk for display.
"""

import base64
import io
import json
import zipfile
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image

from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.titles import arrange, rank, subtitle, title
from zoo.config import FCNConfig
from zoo.hub.download import amount
from zoo.images.encoding import png_bytes
from zoo.labels import Colour, LabelSet
from zoo.page.comparison import Comparison, Result, Rung
from zoo.text import Message, class_titles, dataset_named, fill, in_language, number, texts

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold: equal content gives equal files


def hexadecimal(colour: Colour) -> str:
    """'#804000' for (128, 64, 0)."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def classes_value(labels: LabelSet) -> list[dict]:
    """The classes of a label set, by the names that the API gives them."""
    return [
        {"id": index, "name": name, "color": hexadecimal(colour)}
        for index, (name, colour) in enumerate(zip(labels.classes, labels.palette, strict=True))
    ]


def labels_value(labels: LabelSet, language: str) -> dict:
    """A label set as the viewer takes it; `title` of a class is its name for people, `distinct` its other colour.

    The ground of one's own classes is `clear`: nothing is painted over the photo there.
    """
    titles, others = class_titles(labels.classes, language), map(hexadecimal, labels.distinct_palette)
    classes = [
        entry | {"title": title, "distinct": distinct}
        for entry, title, distinct in zip(classes_value(labels), titles, others, strict=True)
    ]
    if labels.clear_ground:
        classes[0]["clear"] = True
    return {"name": labels.name, "void": labels.void, "classes": classes}


def data_url(content: bytes, kind: str = "png") -> str:
    """File content as a data: URL, so that nothing of a visitor's is written to disk."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def viewer_value(comparison: Comparison, scores: dict[str, dict], language: str) -> dict:
    """The value of the viewer; `scores` gives 'miou' and 'miou_interval' by weights sha256, if known."""
    if language not in comparison.frames:
        comparison.frames[language] = frame(comparison, language)
    same = comparison.frames[language]
    waiting = [name for name in same["panels"] if name not in comparison.results | comparison.errors]
    panels = [
        panel_value(comparison, info, same["panels"][info.offered_as], info.offered_as in waiting[:1], scores, language)
        for info in comparison.infos
    ]
    unlike = [in_language(note, language) for note in comparison.unlike]
    return same["scene"] | {"panels": panels, "warnings": unlike}


def frame(comparison: Comparison, language: str) -> dict:
    """What stays the same while a comparison runs: the scene around the panels, and of each panel its title and so on.

    Both are made once, since the page shows the viewer anew after every mask.
    """
    labels = {info.labels: None for info in comparison.infos}
    labels = {known: labels_value(known, language) for known in labels}
    panels = {
        info.offered_as: {
            "name": info.offered_as,
            "title": title(info),
            "subtitle": told(info, language),
            "message": "",
            "labels": labels[info.labels],
        }
        for info in comparison.infos
    }
    scene = scene_value(comparison, language) | {
        "columns": columns(comparison.infos),
        "notes": [in_language(note, language) for note in comparison.notes],
        "leaderboard_links": True,
        "example": comparison.example,
        "kept": kept_value(comparison),
        "comes_into_view": True,
    }
    return {"panels": panels, "scene": scene}


def told(info: CheckpointInfo, language: str) -> str:
    """A panel's second line: in words what a checkpoint was trained on, and what tells it from others of its title."""
    others = [part for part in subtitle(info).split(" · ") if part != info.trained_on]
    _, *more = info.trained_on.split("+")
    return " · ".join([trained_on((info.labels.title, *more), language), *others])


@lru_cache(maxsize=256)
def trained_on(datasets: tuple[str, ...], language: str) -> str:
    """In words what a checkpoint was trained on."""
    named = "+".join(str(in_language(dataset_named(name), language)) for name in datasets)
    return fill(texts(language)["trained_on"], dataset=named)


def kept_value(comparison: Comparison) -> dict:
    """Files of the visitor's that lead back to this comparison; none for an example, which its name leads back to."""
    asked = comparison.asked
    return {"photo": None if comparison.example else asked.photo, "truth": asked.truth} if asked else {}


def columns(infos: list[CheckpointInfo]) -> int | None:
    """How many panels stand in a row where variants and losses make a full table in this order; else None."""
    grid = arrange(infos)
    return len(grid.losses) if grid and grid.complete and infos == sorted(infos, key=rank) else None


def scene_value(comparison: Comparison, language: str) -> dict:
    """What every viewer of a comparison shows besides its panels: photo, ground truth if known, strings."""
    image, truth = comparison.decoded.display, comparison.truth
    photo = {"src": data_url(comparison.decoded.jpeg, "jpeg"), "width": image.width, "height": image.height}
    return {
        "photo": photo | {"name": comparison.name},
        "truth": truth and {"mask": data_url(truth.png), "labels": labels_value(truth.labels, language)},
        "panels": [],
        "notes": [],
        "strings": texts(language, "viewer"),
        "locale": language,
    }


def inside_value(
    comparison: Comparison, info: CheckpointInfo, rungs: list[Rung], mious: dict[str, float | None], language: str
) -> dict:
    """The value of the viewer that shows the score maps inside one checkpoint; `mious` on this image, by rung."""
    strings, labels = texts(language), labels_value(info.labels, language)
    panels = []
    for rung in rungs:
        heading, told = rung_words(rung.name, rung.stride, strings)
        counts = np.bincount(rung.mask.ravel(), minlength=len(info.labels.classes))
        panels.append(
            {
                "name": rung.name,
                "title": heading,
                "subtitle": told,
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
    return scene_value(comparison, language) | {"panels": panels, "label": strings["inside"]}


def rungs_value(info: CheckpointInfo, rungs: list[Rung], mious: dict[str, float | None], language: str) -> dict:
    """The strip of score maps: pictures of `rungs` with +, = and how far they are enlarged between them."""
    strings = texts(language)
    shown = {rung.name: {"src": data_url(rung.mask_png), "miou": mious.get(rung.name)} for rung in rungs}
    steps = ladder_steps([(rung.name, rung.stride) for rung in rungs], language)
    steps = [step | shown[step["name"]] if "name" in step else step for step in steps]
    heading = fill(strings["rungs_title"], title=title(info))
    return {"title": heading, "steps": steps, "strings": strings, "locale": language}


def ladder_steps(rungs: Sequence[tuple[str, int]], language: str) -> list[dict]:
    """Score maps by (name, stride) as a sum: each with its name and words, and the signs between them."""
    strings, steps = texts(language), []
    for before, (name, stride) in zip([None, *rungs], rungs, strict=False):
        if before and name.startswith("score"):
            steps += [times(2, strings), {"sign": "+", "told": strings["rungs_plus"]}]
        elif before:
            steps += [times(before[1], strings)] if name == "output" else []
            steps.append({"sign": "=", "told": strings["rungs_equals"]})
        heading, told = rung_words(name, stride, strings)
        steps.append({"name": name, "title": heading, "told": told})
    return steps


def rung_words(name: str, stride: int, strings: dict[str, str]) -> tuple[str, str]:
    """Title and explanation of one score map; every network's first one is 'score 32'."""
    kind = name.split()[0]
    explanation = "inside_first" if name == "score 32" else f"inside_{kind}"
    heading = fill(strings[f"inside_{kind}_title"], stride=stride)
    return heading, fill(strings[explanation], stride=stride, coarser=2 * stride)


def times(factor: int, strings: dict[str, str]) -> dict:
    """The sign between two score maps of which the first is enlarged."""
    return {"sign": f"×{factor}", "told": fill(strings["rungs_times"], factor=factor)}


def inside_choices(comparison: Comparison) -> list[tuple[str, str]]:
    """(shown text, name) of each FCN compared, for the choice of whose inside is shown."""
    return [(f"{title(info)} · {subtitle(info)}", info.offered_as) for info in comparison.infos if has_ladder(info)]


def has_ladder(info: CheckpointInfo) -> bool:
    """Whether a checkpoint is an FCN, whose score maps can be shown one by one."""
    return isinstance(info.config, FCNConfig)


def panel_value(
    comparison: Comparison,
    info: CheckpointInfo,
    same: dict,
    running: bool,
    scores: dict[str, dict],
    language: str,
) -> dict:
    """One panel of the viewer, 'done', 'failed', 'running' or 'waiting'; `same` is what `frame` has of it."""
    name, score = same["name"], scores.get(info.sha256, {})
    panel = same | {"status": "running" if running else "waiting"}
    if comparison.example:  # a figure of the validation images says nothing of a visitor's own picture
        panel |= {"miou": score.get("miou"), "miou_interval": score.get("miou_interval")}
    panel["subtitle"] += told_cost(score, language)
    if name in comparison.errors:
        return panel | {"status": "failed", "message": in_language(comparison.errors[name], language)}
    result = comparison.results.get(name)
    if result is None and name in comparison.amounts:
        return panel | {"message": hub_progress(*comparison.amounts[name], language)}
    if result is None:
        return panel
    return panel | {
        "status": "done",
        "mask": data_url(result.mask_png),
        "confidence": data_url(result.confidence_png),
        "mean_confidence": result.mean_confidence,
        "shares": [count / result.mask.size for count in result.pixels],
    }


def told_cost(score: dict, language: str) -> str:
    """' · 1.20 GMACs' where that is known: equal for equal networks; the time of one pass stands in the summary."""
    return f" · {number(score['gmacs'], language, 2)} GMACs" if score.get("gmacs") else ""


def panel_facts(info: CheckpointInfo, score: dict, language: str) -> dict:
    """A panel's heading where no comparison is at hand: `title` and `subtitle`."""
    subtitle = told(info, language) + told_cost(score, language)
    return {"title": title(info), "subtitle": subtitle}


def hub_progress(done: int, total: int, language: str) -> str:
    """'41 of 58 MB'."""
    came, _, whole, unit = amount(done, total).split()
    return Message("hub_progress", done=int(came), total=int(whole), unit=unit).in_language(language)


def summary(comparison: Comparison, language: str | None = None) -> dict:
    """JSON-ready facts of a comparison: the image, and per checkpoint its exact version, areas and timing.

    With a language, each class has its `title` there beside the name that the API knows.
    """
    width, height = comparison.view.mask_size
    return {
        "image": {
            "name": comparison.name,
            "width": width,
            "height": height,
            "original_size": list(comparison.decoded.original_size),
            "notes": [str(note) for note in (*comparison.unlike, *comparison.notes)],
        },
        "checkpoints": [checkpoint_summary(result, language) for result in comparison.results.values()],
        "errors": {name: str(message) for name, message in comparison.errors.items()},
    }


def checkpoint_summary(result: Result, language: str | None = None) -> dict:
    """Facts of one result: checkpoint with weights sha256 and revision, milliseconds, confidence, share per class."""
    labels = result.info.labels
    classes = labels_value(labels, language)["classes"] if language else classes_value(labels)
    return describe(result.info) | {
        "milliseconds": round(result.milliseconds, 2),
        "precision": result.precision,
        "working_size": list(result.working_size),
        "distance_from_training": None if result.distance is None else round(result.distance, 3),
        "unlike_training": None if result.distance is None else result.distance > 1,
        "mean_confidence": round(result.mean_confidence, 4),
        "classes": [
            entry | {"pixels": count, "share": round(count / result.mask.size, 6)}
            for entry, count in zip(classes, result.pixels, strict=True)
        ],
    }


def describe(info: CheckpointInfo, scores: dict[str, dict] | None = None) -> dict:
    """JSON-ready facts of a checkpoint, exact enough to find it again, with its mIoU where `scores` has it."""
    facts = {
        "name": info.offered_as,
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
        "working_size": info.working_size,
    }
    if scores is not None:
        facts |= {key: scores.get(info.sha256, {}).get(key) for key in ("miou", "miou_interval")}
    return facts


def overlay(image: Image.Image, result: Result, opacity: float = 0.5) -> Image.Image:
    """The photo with the mask's colours laid over it."""
    with Image.open(io.BytesIO(result.mask_png)) as mask:
        return Image.blend(image, mask.convert("RGB"), opacity)


def zip_bytes(comparison: Comparison, facts: dict, masks: dict[str, bytes] | None = None) -> bytes:
    """A zip of the photo, indexed masks, overlays, ground truth if there is any, and `facts` as summary.json.

    `masks` are PNGs at the photo's own size by name, if that is another than the displayed size; photo, overlays and
    ground truth are as large as displayed.
    """
    image = comparison.decoded.display
    files = {"photo.png": png_bytes(image), "summary.json": json.dumps(facts, indent=2, ensure_ascii=False).encode()}
    for key, result in comparison.results.items():
        name = key.replace("/", "--")
        files[f"masks/{name}.png"] = (masks or {}).get(key, result.mask_png)
        files[f"overlays/{name}.png"] = png_bytes(overlay(image, result))
    if comparison.truth:
        files["truth.png"] = comparison.truth.png
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
    for entry in labels_value(comparison.truth.labels, language)["classes"]:
        values = [score["class_iou"][entry["name"]] for score in scores.values()]
        if any(value is not None for value in values):
            colours = {key: entry[key] for key in ("color", "distinct")}
            rows.append({"name": entry["title"], "values": values} | colours)
    strings = texts(language)
    if all(score.get("by_chance") for score in scores.values()):
        dataset = in_language(dataset_named(comparison.truth.labels.title), language)
        strings = strings | {"iou_explanation": fill(strings["iou_chance"], dataset=dataset)}
    rows.append({"name": strings["iou_mean"], "color": None, "values": [score["miou"] for score in scores.values()]})
    infos = [comparison.results[name].info for name in scores]
    return {"columns": [title(info) for info in infos], "rows": rows, "strings": strings}
