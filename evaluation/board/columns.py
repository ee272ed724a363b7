"""What whoever shows the leaderboard must agree on: columns of the CSV, orders, widths of bands, citations.

The command line uses it here, the page's table gets it with the rows.
"""

from collections.abc import Sequence

from evaluation.counting.boundary import BAND_WIDTHS
from evaluation.counting.images import WORST_SHARE
from zoo.checkpoints.terms import METHOD_CITATION, TERMS
from zoo.checkpoints.titles import LOSSES, loss_rank
from zoo.config import VARIANTS

SPLITS = ("test", "val", "train")  # in the order in which a reader meets them

# Names of CSV columns, and where a row has their value.
FIELDS = {
    **{name: (name,) for name in ("rank", "name", "variant", "loss", "backbone", "dataset", "split", "images")},
    **{name: (name,) for name in ("source", "provenance", "revision")},
    "miou": ("miou",),
    "miou_low": ("miou_interval", 0),
    "miou_high": ("miou_interval", 1),
    "miou_seed_low": ("seed_range", 0),
    "miou_seed_high": ("seed_range", 1),
    **{name: (name,) for name in ("per_image_miou", "worst_miou", "corrupted_miou", "corrupted_images")},
    **{name: (name,) for name in ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice")},
    "boundary_f": ("boundary_f",),
    "boundary_f_low": ("boundary_f_interval", 0),
    "boundary_f_high": ("boundary_f_interval", 1),
    "expected_calibration_error": ("calibration", "expected_calibration_error"),
    **{name: ("effort", name) for name in ("epochs", "pretraining", "extra_dataset", "teacher")},
    **{name: (name,) for name in ("parameters", "gmacs", "file_bytes", "milliseconds", "device", "threads")},
    **{name: (name,) for name in ("precision", "peak_memory_bytes", "sha256", "recipe", "git_commit", "date")},
    "command": ("command",),
    **{f"trimap_miou_{width}": ("trimap_miou", str(width)) for width in BAND_WIDTHS},
}


def csv_columns(rows: Sequence[dict]) -> dict[str, tuple]:
    """Every column of the rows as CSV with the path to its value in a row; classes come last as `iou_CLASS`."""
    classes = dict.fromkeys(name for row in rows for name in row["classes"])
    return FIELDS | {f"iou_{name}": ("class_iou", name) for name in classes}


def value_at(row: dict, path: Sequence[str | int]) -> object:
    """The value at a path of keys and places in a row; None where the way ends early."""
    found = row
    for step in path:
        if not isinstance(found, dict | list | tuple):
            return None
        found = found.get(step) if isinstance(found, dict) else found[step]
    return found


def table_facts(rows: Sequence[dict]) -> dict:
    """What the table in the browser is told besides its rows."""
    return {
        "variants": list(VARIANTS),
        "losses": sorted({*LOSSES, *(row["loss"] for row in rows)}, key=loss_rank),
        "splits": list(SPLITS),
        "worst_share": WORST_SHARE,
        "trimap_widths": [str(width) for width in BAND_WIDTHS],
        "csv": list(csv_columns(rows).items()),
        "citations": {"method": METHOD_CITATION, "datasets": {name: terms.citation for name, terms in TERMS.items()}},
    }
