"""Results that the lesson shows and the leaderboard does not hold: of networks that were trained for it alone.

`measured/` holds them as `python -m training.fold` and `python -m training.compare` wrote them with `--out`;
training/README.md has the commands.
"""

import json
import math
from pathlib import Path

from zoo.checkpoints.titles import loss_rank, loss_title
from zoo.labels import CAMVID
from zoo.text import class_titles

MEASURED = Path(__file__).with_name("measured")
BY_VIDEO, BY_FRAME = 0, 1  # places in split.json
RARE = ("cracks", "val", "crack")  # data set, split and class that show what a loss does to rare pixels


def read_measured(name: str) -> dict:
    """A document of `measured/`."""
    return json.loads((MEASURED / f"{name}.json").read_text(encoding="utf-8"))


def split_value(language: str) -> dict:
    """Two networks on the same frames of a video: one had never seen it, the other was trained on its other frames."""
    document = read_measured("split")
    dataset, runs = document["dataset"], document["runs"]
    scored = set(dataset["scored"])
    near = set(runs[BY_FRAME]["trained_on"]) - set(runs[BY_VIDEO]["trained_on"])
    frames = sorted(scored | near)
    titles = dict(zip(CAMVID.classes, class_titles(CAMVID.classes, language), strict=True))
    classes = [
        {"title": titles[name], "ious": [run["class_iou"][name] for run in runs]}
        for name in CAMVID.classes
        if any(run["class_iou"][name] is not None for run in runs)
    ]
    return {
        "frames": [frame in scored for frame in frames],
        "trained_on": len(runs[BY_VIDEO]["trained_on"]),
        "runs": {
            name: {field: run[field] for field in ("miou", "interval", "seeds")}
            for name, run in zip(("video", "frame"), runs, strict=True)
        },
        "gap": runs[BY_FRAME]["difference"],
        "gap_interval": runs[BY_FRAME]["difference_interval"],
        "epochs": runs[BY_VIDEO]["recipe"]["epochs"],
        "classes": classes,
    }


def rare_value(rows: list[dict]) -> dict | None:
    """Measured FCN-8s that differ by their loss, on the data set whose rare class the lesson is about, by loss."""
    rows = [row for row in rows if (row["dataset"], row["split"], row["variant"]) == (*RARE[:2], "fcn8s")]
    if not rows:
        return None
    found = [
        {
            "loss": row["loss"],
            "title": loss_title(row["loss"]),
            "iou": row["class_iou"][RARE[2]],
            "interval": row["intervals"]["class_iou"][RARE[2]]["shown"],
            "miou": row["miou"],
        }
        for row in sorted(rows, key=lambda row: loss_rank(row["loss"]))
    ]
    return {"images": rows[0]["images"], "rows": found}


def vessels_value() -> dict:
    """Figures of the vessel by loss, each the mean of its seeds, and of a second person (`loss` None) at the end.

    `share` is that of the labelled pixels that are vessel.
    """
    document = read_measured("vessels")
    dataset, rows = document["dataset"], document["rows"]
    place = dataset["classes"].index(dataset["rare"])
    labelled = [image[1] for image in rows[0]["counts"][0]]
    found = [
        {
            "loss": row["loss"],
            "title": loss_title(row["loss"]) if row["loss"] else None,
            "seeds": len(row["counts"]),
            "figures": {
                name: {field: figure[field] for field in ("value", "interval", "spread")}
                for name, figure in row["figures"].items()
            },
        }
        for row in rows
    ]
    found.sort(key=lambda row: (math.inf,) if row["loss"] is None else loss_rank(row["loss"]))
    share = sum(image[place] for image in labelled) / sum(map(sum, labelled))
    return {"images": len(dataset["images"]), "share": share, "steps": rows[0]["steps"], "rows": found}
