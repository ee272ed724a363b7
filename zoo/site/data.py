"""What the static page knows, as JSON values: networks, examples, scores, and every text in each language."""

import hashlib
import json
from pathlib import Path

from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.terms import terms_of
from zoo.images.examples import examples
from zoo.images.photo import LONG_SIDE, MAXIMUM_PIXELS, MAXIMUM_SIDE, NEAR_ENOUGH, SMALL_SIDE, UPLOAD_MEGABYTES
from zoo.images.truth import colour_ids
from zoo.labels import LABEL_SETS, LabelSet, class_palette, is_background, spread_palette
from zoo.models.labelling import grid_offset
from zoo.models.score_maps import ladder
from zoo.page.address import row_key
from zoo.page.brought import MAXIMUM_IMAGES
from zoo.page.comparison import presets
from zoo.page.components import component_texts
from zoo.page.controls import exported_value, language_value, picker_value, strip_value
from zoo.page.links import links
from zoo.page.offer import scores_of
from zoo.page.values import hexadecimal, labels_value, ladder_steps, panel_facts
from zoo.text import dataset_named, document, in_language, texts

LIMITS = {
    "images": MAXIMUM_IMAGES,
    "bytes": UPLOAD_MEGABYTES * 2**20,
    "pixels": MAXIMUM_PIXELS,
    "side": MAXIMUM_SIDE,
    "shown": LONG_SIDE,
    "near": NEAR_ENOUGH,
    "small": SMALL_SIDE,
}


def page_data(infos: list[CheckpointInfo], files: dict[str, dict], board: dict, language: str) -> dict:
    """Everything that the page shows in one language; `files` has the 'file' and 'bytes' of each network by name."""
    scores, strings, selected = scores_of(board["rows"]), texts(language), ticked_first(infos, board)
    return {
        "tag": language,
        "strings": strings,
        "viewer": texts(language, "viewer"),
        "table": component_texts("table", language),
        "headline": strings["headline"],
        "links": links(language, served=False),
        "measure": document("how_we_measure", language),
        "language": language_value(),
        "picker": picker_value(infos, scores, selected, language),
        "strip": strip_value(None, language),
        "code": static_code(infos, selected, language),
        "labels": {name: labels_data(info, language) for name, info in label_sets(infos).items()},
        "networks": {
            info.name: files[info.name] | network_data(info, board, scores.get(info.sha256, {}), language)
            for info in infos
        },
        "ladders": {info.variant: ladder_steps(ladder(info.config), language) for info in infos},
        "examples": {example.name: example_data(example, infos) for example in examples()},
    }


def ticked_first(infos: list[CheckpointInfo], board: dict) -> list[str]:
    """The networks that are ticked at first: the ladder, or the first one there is."""
    return presets(infos, scores_of(board["rows"])).get("ladder") or [infos[0].name]


def static_code(infos: list[CheckpointInfo], selected: list[str], language: str) -> dict:
    """The value of the snippets, under a title that speaks of files in place of a server."""
    value = exported_value({info.name: info for info in infos}, selected, language)
    strings = value["strings"]
    said = {"code_title": strings["site_files"], "code_intro": strings["site_files_help"]}
    return value | {"strings": strings | said}


def labels_key(info: CheckpointInfo) -> str:
    """A name for the label set of a checkpoint; checkpoints of equal classes share it."""
    return f"{info.labels.name} {len(info.labels.classes)} {hash_of(info.labels.classes)}"


def hash_of(names: tuple[str, ...]) -> str:
    """A few digits that tell lists of names apart."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]


def label_sets(infos: list[CheckpointInfo]) -> dict[str, CheckpointInfo]:
    """One checkpoint for each label set, by `labels_key`."""
    return {labels_key(info): info for info in infos}


def labels_data(info: CheckpointInfo, language: str) -> dict:
    """A label set as the viewer takes it, with what masks and their scores need besides."""
    labels = info.labels
    return labels_value(labels, language) | {
        "title": in_language(dataset_named(labels.title), language),
        "palette": [list(colour) for colour in labels.palette],
        "colours": [hexadecimal(colour) for colour in labels.palette],
        "codes": {hexadecimal(colour): index for colour, index in colour_ids(labels).items()},
        "backgrounds": [name for name in labels.classes if is_background(name)],
        "made_up": made_up(labels),
        "foreign": [
            {"title": other.title, "colours": [hexadecimal(colour) for colour in other.palette]}
            for other in LABEL_SETS.values()
            if labels.name in LABEL_SETS and other.classes != LABEL_SETS[labels.name].classes
        ],
    }


def made_up(labels: LabelSet) -> list[str]:
    """The VOC colour map where the colours of a label set are made up here, so that a palette of it is no other's."""
    own = labels.palette == class_palette(labels.classes)
    return [hexadecimal(colour) for colour in spread_palette(256)] if own else []


def network_data(info: CheckpointInfo, board: dict, score: dict, language: str) -> dict:
    """What is shown of a network, and what its worker needs."""
    return panel_facts(info, score, language) | {
        "ladder": info.variant,
        "grids": {
            name: {"stride": stride, "offset": grid_offset(info.config, stride)}
            for name, stride in ladder(info.config)[:-1]
        },
        "labels": labels_key(info),
        "palette": [list(colour) for colour in info.labels.palette],
        "side": info.working_size,
        "miou": score.get("miou"),
        "miou_interval": score.get("miou_interval"),
        "row": row_key(board["rows"], score) if score else None,
        "terms": terms_of(info).sentence,
    }


def example_data(example, infos: list[CheckpointInfo]) -> dict:
    """Where an example's photo and ground truth lie, and which label set that has; no truth where no network has it."""
    known = {info.labels.classes: key for key, info in label_sets(infos).items()}
    labels = known.get(example.labels.classes)
    truth = example_path(example.truth) if example.truth and labels else None
    return {"photo": example_path(example.photo), "truth": truth, "labels": labels}


def example_path(path: Path) -> str:
    """Where a file of the examples lies in the folder."""
    return f"examples/{path.name}"


def write_json(path: Path, value: object) -> None:
    """JSON without spaces."""
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
