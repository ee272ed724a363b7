"""`python -m evaluation.definitions PREDICTIONS TRUTH --dataset camvid --claimed 63.7`: which mIoU is it?

PREDICTIONS and TRUTH are folders or zips of label images; or name a stored result with --result, which needs no data.
Prints what the same masks score by every definition that goes by the name of mIoU, whose convention it is, and which of
them a claimed figure is. `python -m evaluation.compare-definitions` is the same command.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.counting.definitions import CONVENTIONS, GRID, OURS, Claim, Reading, mean_iou
from evaluation.datasets.classes import read_label_set
from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.mask_files import open_masks, pair_matrices
from evaluation.measuring.results import ResultError, read_result, result_paths
from zoo.images.archive import PAGE
from zoo.images.photo import ImageError
from zoo.images.workers import decode_mask
from zoo.labels import LABEL_SETS, LabelSet
from zoo.places import RESULTS
from zoo.text import DEFAULT_LANGUAGE, fill, number, texts

FORMATS = ("table", "csv", "json", "markdown")
BATCH = 8


def compare(
    matrices: np.ndarray,
    batch: int = BATCH,
    claim: Claim | None = None,
    *,
    void_known: bool = True,
    language: str = DEFAULT_LANGUAGE,
) -> dict:
    """What every definition makes of per-image matrices (n, C + 1, C + 1), JSON-ready; figures are fractions or None.

    Returns {"images", "batch", "definitions": [{"definition", "void", "absent", "pooled", "value", "conventions",
    "is_claimed"}]}, the conventions of libraries named where a definition is theirs. void_known: False leaves out the
    definitions that need to know what was predicted on void.
    """
    theirs: dict[Reading, list[str]] = {reading: [] for reading in (OURS, *GRID)}
    for one in CONVENTIONS:
        theirs.setdefault(one.reading, []).append(f"{one.library}: {one.call}")
    rows = []
    for reading, names in theirs.items():
        if reading.void != "dropped" and not void_known:
            continue
        value = mean_iou(matrices, reading, batch)
        rows.append(
            {
                "definition": words(reading, batch, language),
                "pooled": reading.pooled,
                "absent": reading.absent,
                "void": reading.void,
                "over_classes": reading.over_classes,
                "value": None if math.isnan(value) else value,
                "conventions": names,
                "is_claimed": bool(claim and claim.fits(value)),
            }
        )
    return {"images": len(matrices), "batch": batch, "definitions": rows}


def words(reading: Reading, batch: int, language: str = DEFAULT_LANGUAGE) -> str:
    """A definition as a reader sees it."""
    said = texts(language)
    pooled = reading.pooled if reading.over_classes else f"{reading.pooled}_pixels"
    parts = [fill(said[f"definition_{pooled}"], batch=batch), said[f"definition_void_{reading.void}"]]
    if reading.over_classes:
        parts.append(said[f"definition_absent_{reading.absent.replace(' ', '_')}"])
    return ", ".join(parts)


def distinct(found: dict, language: str = DEFAULT_LANGUAGE) -> list[dict]:
    """The definitions with a row for each figure: where no class is absent, what it would count makes no difference."""
    rows: list[dict] = []
    values: dict[tuple, set] = {}
    for row in found["definitions"]:
        if row["over_classes"]:
            values.setdefault((row["pooled"], row["void"]), set()).add(row["value"])
    for row in found["definitions"]:
        place = (row["pooled"], row["void"], row["over_classes"])
        same = next((one for one in rows if one["place"] == place), None)
        if same is None or len(values[place[:2]]) > 1:
            rows.append(row | {"place": place, "conventions": [*row["conventions"]]})
            continue
        without = row["definition"].rpartition(", ")[0]
        same["definition"] = f"{without}, {texts(language)['definition_absent_any']}"
        same["conventions"] += row["conventions"]
    return rows


def answer(found: dict, claimed: str, language: str = DEFAULT_LANGUAGE) -> str:
    """Which definitions a claimed figure is, as a sentence or two."""

    def percent(row: dict) -> str:
        return number(100 * row["value"], language, 2)

    said, rows = texts(language), [row for row in distinct(found, language) if row["value"] is not None]
    hits = [row for row in rows if row["is_claimed"]]
    if not hits:
        near = min(rows, key=lambda row: abs(row["value"] - Claim.read(claimed).value))
        return fill(said["definitions_none"], claimed=claimed, value=percent(near), name=near["definition"])
    sentence = fill(said["definitions_is"], claimed=claimed, names="; ".join(row["definition"] for row in hits))
    if not rows[0]["is_claimed"]:
        sentence += " " + fill(said["definitions_ours"], value=percent(rows[0]))
    return sentence


def frame(found: dict, language: str = DEFAULT_LANGUAGE) -> pd.DataFrame:
    """One row per definition, value in per cent."""
    said = texts(language)
    lines = [
        {
            said["definitions_value"]: "-" if row["value"] is None else number(100 * row["value"], language, 2),
            said["definitions_found"]: "✓" if row["is_claimed"] else "",
            said["definitions_definition"]: row["definition"],
            said["definitions_convention"]: "; ".join(row["conventions"]),
        }
        for row in distinct(found, language)
    ]
    return pd.DataFrame(lines, dtype=str)


def count_masks(predictions: str, truth: str, labels: LabelSet) -> np.ndarray:
    """(n, C + 1, C + 1) counts of two zips that a visitor brought; each mask is read apart from this process."""
    pairs = pair_matrices(open_masks(predictions, PAGE), open_masks(truth, PAGE), labels, decode_mask)
    return np.stack([counts for _, counts in pairs])


def as_markdown(matrices: np.ndarray, claimed: str, language: str) -> str:
    """Answer and table for the page. Raises ValueError for what is no figure."""
    claim = Claim.read(claimed) if claimed.strip() else None
    found = compare(matrices, BATCH, claim, language=language)
    table = frame(found, language).to_markdown(index=False, disable_numparse=True)
    return "\n\n".join([*([answer(found, claimed.strip(), language)] if claim else []), table])


def printed(found: dict, form: str) -> str:
    """The comparison in one of FORMATS, ending with a line feed."""
    if form == "json":
        return json.dumps(found, indent=2) + "\n"
    if form == "csv":
        rows = [row | {"conventions": "; ".join(row["conventions"])} for row in found["definitions"]]
        return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    style = {"tablefmt": "pipe" if form == "markdown" else "plain", "disable_numparse": True}
    return frame(found).to_markdown(index=False, **style) + "\n"


def label_set(dataset: str, classes: str) -> LabelSet:
    """The label set that --dataset or --classes names; DatasetError where neither does."""
    if classes:
        root = Path(classes)
        if not root.is_dir():
            raise DatasetError(f"{root}: no such folder; --classes names the folder that holds classes.txt")
        return read_label_set(root, root)[0]
    if dataset not in LABEL_SETS:
        raise DatasetError(f"--dataset: {dataset!r} is not one of {', '.join(LABEL_SETS)}; own classes: --classes DIR")
    return LABEL_SETS[dataset]


def of_result(name: str) -> np.ndarray:
    """(n, C + 1, C + 1) counts of a stored result, with nothing known of void; ResultError where there is none."""
    path = Path(name)
    if not path.is_file():
        other = path if path.suffix == ".json" else RESULTS / f"{name}.json"  # which read_result says is missing
        path = next((one for one in result_paths(RESULTS) if one.stem.split("__")[0] == name), other)
    return np.pad(read_result(path).counts.matrices, ((0, 0), (0, 1), (0, 1)))


def parse(arguments: list[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and what it found."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.definitions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("predictions", nargs="?", metavar="PREDICTIONS", help="folder or zip of predicted masks")
    parser.add_argument("truth", nargs="?", metavar="TRUTH", help="folder or zip of the annotated masks")
    parser.add_argument("--dataset", default="camvid", help=f"{', '.join(LABEL_SETS)} (default: camvid)")
    parser.add_argument("--classes", default="", metavar="DIR", help="folder with classes.txt or labelmap.txt instead")
    parser.add_argument(
        "--result", default="", metavar="NAME", help="a stored result instead of masks: its file or name"
    )
    parser.add_argument("--batch", type=int, default=BATCH, help=f"images of a batch (default: {BATCH})")
    parser.add_argument("--claimed", default="", metavar="FIGURE", help="a figure to find, such as 63.7 or 0.637")
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print it")
    return parser, parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with a message on standard error, or where a claim is none of the figures."""
    parser, options = parse(arguments)
    if bool(options.result) == bool(options.predictions) or bool(options.predictions) != bool(options.truth):
        parser.error("name PREDICTIONS and TRUTH, or a stored result with --result")
    if options.batch < 1:
        parser.error("--batch must be at least 1")
    try:
        claim = Claim.read(options.claimed) if options.claimed else None
        if options.result:
            matrices = of_result(options.result)
        else:
            labels = label_set(options.dataset, options.classes)
            pairs = pair_matrices(open_masks(options.predictions), open_masks(options.truth), labels)
            matrices = np.stack([counts for _, counts in pairs])
    except (DatasetError, ResultError, ImageError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = compare(matrices, options.batch, claim, void_known=not options.result)
    print(printed(found, options.format), end="")
    if claim:
        print(answer(found, options.claimed), file=sys.stderr if options.format in ("csv", "json") else sys.stdout)
    return int(bool(claim) and not any(row["is_claimed"] for row in found["definitions"]))


if __name__ == "__main__":
    sys.exit(main())
