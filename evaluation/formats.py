"""The leaderboard as text: aligned table, CSV, JSON, Markdown (the README's table) and LaTeX."""

import csv
import io
import json

COLUMNS = ("rank", "checkpoint", "dataset", "images", "mIoU", "95 % interval", "pixel acc.", "mean acc.", "f.w. IoU")
COLUMNS += ("boundary F", "parameters", "GMACs", "ms")
NUMERIC = {"rank", "images", "mIoU", "pixel acc.", "mean acc.", "f.w. IoU", "boundary F", "parameters", "GMACs", "ms"}
CSV_FIELDS = ("rank", "name", "variant", "loss", "backbone", "dataset", "split", "images", "source", "revision")
CSV_FIELDS += ("miou", "miou_low", "miou_high", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice")
CSV_FIELDS += ("boundary_f", "expected_calibration_error", "parameters", "gmacs", "file_bytes", "milliseconds")
CSV_FIELDS += ("device", "threads", "precision", "peak_memory_bytes", "sha256", "git_commit", "date", "command")


def _cells(row: dict) -> tuple[str, ...]:
    interval = row["miou_interval"]
    shares = [
        _percent(row[name]) for name in ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "boundary_f")
    ]
    return (
        "-" if row["rank"] is None else str(row["rank"]),
        row["name"],
        f"{row['dataset']} {row['split']}",
        str(row["images"]),
        _percent(row["miou"]),
        "-" if interval is None else f"{_percent(interval[0])} to {_percent(interval[1])}",
        *shares,
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['gmacs']:.2f}",
        f"{row['milliseconds']:.0f}",
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def table(payload: dict) -> str:
    """Aligned columns for a terminal; scores in per cent."""
    lines = [COLUMNS, *(_cells(row) for row in payload["rows"])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    rows = []
    for line in lines:
        cells = zip(COLUMNS, line, widths, strict=True)
        rows.append("  ".join(text.rjust(wide) if name in NUMERIC else text.ljust(wide) for name, text, wide in cells))
    return "".join(f"{row.rstrip()}\n" for row in rows)


def markdown(payload: dict) -> str:
    """A Markdown table; scores in per cent."""
    rule = ["---:" if name in NUMERIC else "---" for name in COLUMNS]
    lines = [COLUMNS, rule, *(_cells(row) for row in payload["rows"])]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def latex(payload: dict) -> str:
    """A booktabs tabular; scores in per cent."""
    columns = "".join("r" if name in NUMERIC else "l" for name in COLUMNS)
    head, *rows = [" & ".join(_escape(cell) for cell in line) for line in [COLUMNS, *map(_cells, payload["rows"])]]
    body = "".join(f"{row} \\\\\n" for row in rows)
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"


def _escape(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, f"\\{letter}" if letter in "&%$#_{}" else letter) for letter in text)


def comma_separated(payload: dict) -> str:
    """CSV with one line per checkpoint: scores as fractions, IoU per class in columns `iou: CLASS`."""
    classes = list(dict.fromkeys(name for row in payload["rows"] for name in row["classes"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*CSV_FIELDS, *(f"iou: {name}" for name in classes)], lineterminator="\n")
    writer.writeheader()
    for row in payload["rows"]:
        low, high = row["miou_interval"] or (None, None)
        error = row["calibration"]["expected_calibration_error"]
        flat = row | {"miou_low": low, "miou_high": high, "expected_calibration_error": error}
        line = {name: flat[name] for name in CSV_FIELDS}
        writer.writerow(line | {f"iou: {name}": row["class_iou"].get(name) for name in classes})
    return text.getvalue()


def as_json(payload: dict) -> str:
    """The whole payload."""
    return json.dumps(payload, indent=2) + "\n"


FORMATS = {"table": table, "csv": comma_separated, "json": as_json, "markdown": markdown, "latex": latex}
