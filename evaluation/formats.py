"""The leaderboard as text: aligned table, CSV, JSON, Markdown (the README's table) and LaTeX, written by pandas."""

import json
import math

import pandas as pd

COLUMNS = ("rank", "checkpoint", "dataset", "images", "mIoU", "95 % interval", "pixel acc.", "mean acc.", "f.w. IoU")
COLUMNS += ("boundary F", "parameters", "GMACs", "ms")
NUMERIC = {"rank", "images", "mIoU", "pixel acc.", "mean acc.", "f.w. IoU", "boundary F", "parameters", "GMACs", "ms"}
CSV_FIELDS = ("rank", "name", "variant", "loss", "backbone", "dataset", "split", "images", "source", "provenance")
CSV_FIELDS += ("revision", "miou", "miou_low", "miou_high", "pixel_accuracy", "mean_accuracy")
CSV_FIELDS += ("frequency_weighted_iou", "dice")
CSV_FIELDS += ("boundary_f", "expected_calibration_error", "parameters", "gmacs", "file_bytes", "milliseconds")
CSV_FIELDS += ("device", "threads", "precision", "peak_memory_bytes", "sha256", "git_commit", "date", "command")
ALIGNED = {"disable_numparse": True, "colalign": ["right" if name in NUMERIC else "left" for name in COLUMNS]}


def _cells(row: dict) -> tuple[str, ...]:
    interval = row["miou_interval"]
    shares = [
        percent(row[name]) for name in ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "boundary_f")
    ]
    return (
        "-" if row["rank"] is None else str(row["rank"]),
        row["name"],
        f"{row['dataset']} {row['split']}",
        str(row["images"] or "-"),
        percent(row["miou"]),
        "-" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}",
        *shares,
        f"{row['parameters'] / 1e6:.2f} M",
        "-" if row["gmacs"] is None else f"{row['gmacs']:.2f}",
        "-" if row["milliseconds"] is None else f"{row['milliseconds']:.0f}",
    )


def percent(value: float | None) -> str:
    """A score in [0, 1] as per cent with one digit; '-' where it is None or NaN."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def summary(payload: dict) -> pd.DataFrame:
    """One row per checkpoint with the columns that a reader sees, as text; scores in per cent."""
    return pd.DataFrame([_cells(row) for row in payload["rows"]], columns=list(COLUMNS), dtype=str)


def full(payload: dict) -> pd.DataFrame:
    """One row per checkpoint: scores as fractions, IoU per class in columns `iou: CLASS`; None where undefined."""
    classes = list(dict.fromkeys(name for row in payload["rows"] for name in row["classes"]))
    lines = []
    for row in payload["rows"]:
        low, high = row["miou_interval"] or (None, None)
        error = row["calibration"]["expected_calibration_error"]
        flat = row | {"miou_low": low, "miou_high": high, "expected_calibration_error": error}
        line = {name: flat[name] for name in CSV_FIELDS}
        lines.append(line | {f"iou: {name}": row["class_iou"].get(name) for name in classes})
    return pd.DataFrame(lines, columns=[*CSV_FIELDS, *(f"iou: {name}" for name in classes)], dtype=object)


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
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def comma_separated(payload: dict) -> str:
    """`full` as CSV; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return full(payload).map(_no_formula).to_csv(index=False, lineterminator="\n")


def as_json(payload: dict) -> str:
    """The whole payload."""
    return json.dumps(payload, indent=2) + "\n"


FORMATS = {"table": table, "csv": comma_separated, "json": as_json, "markdown": markdown, "latex": latex}
