"""The leaderboard as text: aligned table, CSV, JSON, Markdown (the README's table) and LaTeX, written by pandas."""

import json
import math
from pathlib import Path

import pandas as pd

from evaluation.board.columns import csv_columns, value_at
from zoo.atomic import write_text

COLUMNS = ("rank", "checkpoint", "dataset", "images", "mIoU", "95 % interval", "seeds", "per image", "worst 5 %")
COLUMNS += ("pixel acc.", "mean acc.", "f.w. IoU", "boundary F", "epochs", "from elsewhere")
COLUMNS += ("parameters", "GMACs", "ms")
WORDS = {"checkpoint", "dataset", "95 % interval", "seeds", "from elsewhere"}
NUMERIC = {name for name in COLUMNS if name not in WORDS}
ALIGNED = {"disable_numparse": True, "colalign": ["right" if name in NUMERIC else "left" for name in COLUMNS]}


def _cells(row: dict) -> tuple[str, ...]:
    interval = row["miou_interval"]
    effort = row.get("effort") or {}
    elsewhere = [effort.get(name) for name in ("pretraining", "extra_dataset")]
    elsewhere += [f"taught by {effort['teacher']}"] if effort.get("teacher") else []
    shares = [percent(row.get(name)) for name in ("per_image_miou", "worst_miou")]
    shares += [
        percent(row[name]) for name in ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "boundary_f")
    ]
    return (
        "-" if row["rank"] is None else str(row["rank"]),
        row["name"],
        f"{row['dataset']} {row['split']}",
        str(row["images"] or "-"),
        percent(row["miou"]),
        "-" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}",
        _seeds(row),
        *shares,
        "-" if not effort.get("epochs") else f"{'' if effort['complete'] else '>='}{effort['epochs']}",
        ", ".join(one.split(";")[0] for one in elsewhere if one) or "-",
        f"{row['parameters'] / 1e6:.2f} M",
        "-" if row["gmacs"] is None else f"{row['gmacs']:.2f}",
        "-" if row["milliseconds"] is None else f"{row['milliseconds']:.0f}",
    )


def _seeds(row: dict) -> str:
    """How many seeds of the row's recipe were measured, and the mIoU that they span."""
    if not row.get("seed_range"):
        return "1"
    low, high = map(percent, row["seed_range"])
    return f"{len(row['seeds'])}: {low} to {high}"


def percent(value: float | None) -> str:
    """A score in [0, 1] as per cent with one digit; '-' where it is None or NaN."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def summary(payload: dict) -> pd.DataFrame:
    """One row per checkpoint with the columns that a reader sees, as text; scores in per cent."""
    return pd.DataFrame([_cells(row) for row in payload["rows"]], columns=list(COLUMNS), dtype=str)


def full(payload: dict) -> pd.DataFrame:
    """One row per checkpoint: scores as fractions, IoU per class in columns `iou_CLASS`; None where undefined."""
    columns = csv_columns(payload["rows"])
    lines = [[value_at(row, path) for path in columns.values()] for row in payload["rows"]]
    return pd.DataFrame(lines, columns=list(columns), dtype=object)


def table(payload: dict) -> str:
    """Aligned columns for a terminal; scores in per cent."""
    return summary(payload).to_markdown(index=False, tablefmt="plain", **ALIGNED) + "\n"


def markdown(payload: dict) -> str:
    """A Markdown table; scores in per cent."""
    frame = summary(payload).map(lambda cell: cell.replace("|", r"\|"))
    return frame.to_markdown(index=False, tablefmt="pipe", **ALIGNED) + "\n"


def latex(payload: dict) -> str:
    """A booktabs tabular; scores in per cent."""
    columns = "".join("r" if name in NUMERIC else "l" for name in COLUMNS)
    style = summary(payload).style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    return style.to_latex(hrules=True, column_format=columns)


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def comma_separated(payload: dict) -> str:
    """`full` as CSV; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return full(payload).map(_no_formula).to_csv(index=False, lineterminator="\n")


def as_json(payload: dict) -> str:
    """The whole payload."""
    return json.dumps(payload, indent=2) + "\n"


FORMATS = {"table": table, "csv": comma_separated, "json": as_json, "markdown": markdown, "latex": latex}


def put_table(path: Path, text: str, name: str = "leaderboard") -> None:
    """Replace what stands between the marks of a Markdown file, in one step; ValueError if it has no such marks."""
    first, last = f"<!-- {name}", f"<!-- /{name} -->"
    content = path.read_text(encoding="utf-8")
    head, begin, rest = content.partition(first)
    mark, arrow, rest = rest.partition("-->\n")
    _, end, tail = rest.partition(last)
    if not (begin and arrow and end):
        raise ValueError(f"{path}: has no lines {first} ... --> and {last}; add them where the table belongs")
    write_text(path, f"{head}{begin}{mark}{arrow}\n{text}\n{end}{tail}")


def between(path: Path, name: str) -> str:
    """What stands between the marks of a Markdown file; nothing where there are none."""
    _, _, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name}")
    return rest.partition("-->\n")[2].partition(f"<!-- /{name} -->")[0].strip()
