"""The values of the page's controls: checkpoint list, strip of examples, snippets, progress of a download."""

from collections import Counter

from PIL import Image

from zoo.checkpoints.export import snippet
from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.titles import arrange, loss_rank, loss_title, rank, subtitle, title, variant_title
from zoo.config import MAXIMUM_PANELS, FCNConfig
from zoo.images.encoding import jpeg_bytes
from zoo.images.examples import examples
from zoo.images.photo import LONG_SIDE
from zoo.page.comparison import group_by, presets
from zoo.page.components import snippets
from zoo.page.values import data_url, describe
from zoo.text import fill, language_name, languages, texts

SNIPPETS = {"python": "Python", "javascript": "JavaScript", "curl": "curl", "mcp": "MCP"}
WORKS = ("image", "batch", "video")  # for each of which there is a snippet, but for MCP's, whose settings serve all
EXPORTED = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "browser": "ONNX Runtime Web"}
ENDPOINTS = {"/segment": "code_segment", "/segment_batch": "code_batch", "/segment_video": "code_video"}
ENDPOINTS |= {"/checkpoints": "code_checkpoints", "/leaderboard": "code_leaderboard"}
EXAMPLE_TITLES = {"val": "example_title", "train": "example_title_train", None: "example_title_other"}
THUMBNAIL = (160, 120)
MAXIMUM_COLUMNS = 3  # of a table that stands beside the masks


def picker_value(infos: list[CheckpointInfo], scores: dict[str, dict], selected: list[str], language: str) -> dict:
    """The value of the checkpoint list: its items in order, and the grids into which some of them fit."""
    infos = sorted(infos, key=rank)
    items = [
        describe(info, scores)
        | {"title": title(info), "subtitle": subtitle(info), "variant_title": variant_title(info.variant)}
        | {"loss_title": loss_title(info.loss)}
        for info in infos
    ]
    return {
        "items": items,
        "grids": grids(infos),
        "selected": selected,
        "presets": [{"key": key, "names": names} for key, names in presets(infos, scores).items()],
        "maximum": MAXIMUM_PANELS,
        "strings": texts(language),
    }


def grids(infos: list[CheckpointInfo]) -> list[dict]:
    """Tables of checkpoint names, variants down and losses across, for bundled and folder checkpoints that fill one.

    A table has the `MAXIMUM_COLUMNS` losses with the most variants; checkpoints of other losses stand on cards below.
    """
    local = [info for info in infos if info.source != "hub"]
    found = []
    for group in group_by(local, lambda info: (info.dataset, info.backbone_label)):
        variants = Counter(info.loss for info in group)
        shown = sorted(variants, key=lambda loss, variants=variants: (-variants[loss], loss_rank(loss)))
        if grid := arrange([info for info in group if info.loss in shown[:MAXIMUM_COLUMNS]]):
            rows = [
                {
                    "title": variant_title(variant),
                    "names": [
                        info.offered_as if (info := grid.cells.get((variant, loss))) else None for loss in grid.losses
                    ],
                }
                for variant in grid.variants
            ]
            found.append(
                {"title": subtitle(group[0]), "columns": [loss_title(loss) for loss in grid.losses], "rows": rows}
            )
    return found


def strip_value(selected: str | None, language: str) -> dict:
    """The value of the strip of examples."""
    strings = texts(language)
    items = []
    for number, example in enumerate(examples(), 1):
        with Image.open(example.photo) as photo:
            photo.thumbnail(THUMBNAIL)
            title = fill(strings[EXAMPLE_TITLES[example.split]], number=number)
            items.append({"name": example.name, "title": title, "src": data_url(jpeg_bytes(photo), "jpeg")})
    return {"items": items, "selected": selected, "strings": strings}


def language_value() -> dict:
    """The value of the switch of languages: each under the name that it calls itself, with what it says around it."""
    label = " · ".join(texts(language)["language_switch"] for language in languages())
    found = [
        {"tag": tag, "title": language_name(tag), "page": texts(tag)["page_title"], "skip": texts(tag)["skip_link"]}
        | {"gradio": texts(tag, "gradio")}
        for tag in languages()
    ]
    return {"label": label, "languages": found}


def code_value(infos: dict[str, CheckpointInfo], ticked: list[str], mcp: bool, language: str) -> dict:
    """The value of 'Use it from code'; `infos` is what every client may use, `ticked` names what the snippets name."""
    keys = [key for key in SNIPPETS if mcp or key != "mcp"]
    calls = [{"key": key, "title": SNIPPETS[key], "texts": snippets(key, WORKS)} for key in keys]
    value = exported_value(infos, ticked, language)
    return value | {
        "snippets": [*calls, *value["snippets"]],
        "endpoints": [{"name": name, "key": key} for name, key in ENDPOINTS.items()],
    }


def exported_value(infos: dict[str, CheckpointInfo], ticked: list[str], language: str) -> dict:
    """The value where there is no server to call: the programs that use an exported file, without this page."""
    exportable = {name: info for name, info in infos.items() if isinstance(info.config, FCNConfig)}
    programs = [{"key": key, "title": title, "texts": {WORKS[0]: snippet(key)}} for key, title in EXPORTED.items()]
    return {
        "snippets": programs if exportable else [],
        "works": list(WORKS),
        "endpoints": [],
        "checkpoints": [name for name in ticked if name in infos] or list(infos)[:1],
        "offered": list(infos),
        "sides": {name: info.working_size or LONG_SIDE for name, info in exportable.items()},
        "strings": texts(language),
    }
