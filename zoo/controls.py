"""The values of the page's controls: checkpoint list, strip of examples, snippets, progress of a download."""

from collections import Counter

from PIL import Image

from zoo.catalog import name_of
from zoo.checkpoint_info import CheckpointInfo
from zoo.comparison import MAXIMUM_PANELS, group_by, presets
from zoo.examples import examples
from zoo.page import snippets, texts
from zoo.presentation import data_url, describe
from zoo.segment import jpeg_bytes
from zoo.titles import arrange, loss_rank, loss_title, rank, subtitle, title, variant_title

SNIPPETS = {"python": "Python", "javascript": "JavaScript", "curl": "curl", "mcp": "MCP"}
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
                        name_of(info) if (info := grid.cells.get((variant, loss))) else None for loss in grid.losses
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
            title = strings["example_title"].format(number=number)
            items.append({"name": example.name, "title": title, "src": data_url(jpeg_bytes(photo), "jpeg")})
    return {"items": items, "selected": selected, "strings": strings}


def code_value(offered: list[str], ticked: list[str], mcp: bool, language: str) -> dict:
    """The value of 'Use it from code'; `offered` names what every client may use, `ticked` what the snippets name."""
    keys = [key for key in SNIPPETS if mcp or key != "mcp"]
    endpoints = {"/segment": "code_segment", "/checkpoints": "code_checkpoints", "/leaderboard": "code_leaderboard"}
    return {
        "snippets": [{"key": key, "title": SNIPPETS[key], "text": text} for key, text in snippets(tuple(keys)).items()],
        "endpoints": [{"name": name, "key": key} for name, key in endpoints.items()],
        "checkpoints": [name for name in ticked if name in offered] or offered[:1],
        "offered": offered,
        "strings": texts(language),
    }
