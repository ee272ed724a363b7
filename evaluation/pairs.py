"""`python -m evaluation.pairs [A B]`: every two results on the same images, from their stored counts.

For each pair: the difference of mIoU with its interval, and how few images must go before the order turns. With two
names, or --classes, also the difference of each class; those intervals hold all at once (max-t over everything that is
printed), so that none is a find by chance.
"""

import argparse
import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.board.rows import aligned, read_results
from evaluation.counting.bootstrap import paired_difference
from evaluation.counting.confusion import none_if_nan, totals
from evaluation.counting.content import images_of
from evaluation.counting.differences import class_differences, difference, flip
from evaluation.measuring.results import Result
from zoo.places import RESULTS

FORMATS = ("table", "markdown", "csv", "json")


def compare(results: list[Result], *, classes: bool) -> list[dict]:
    """One JSON-ready entry per pair of results on the same images; fractions in [0, 1], None where undefined."""
    first = results[0]
    bootstrap = first.document["protocol"]["bootstrap"]
    settings = {name: bootstrap[name] for name in ("resamples", "seed")} | {"block": bootstrap["block_frames"]}
    matrices, couples = [aligned(one, first) for one in results], list(combinations(range(len(results)), 2))
    found = [pair_entry(results, matrices, couple, settings) for couple in couples]
    if classes and couples:
        values, intervals = class_differences(matrices, couples, first.sequences, **settings)
        names = first.document["dataset"]["classes"]
        for entry, row, low, high in zip(found, values, *intervals, strict=True):
            entry["classes"] = {
                name: {
                    "difference": none_if_nan(value),
                    "interval": None if np.isnan(ends).any() else [float(end) for end in ends],
                }
                for name, value, *ends in zip(names, row, low, high, strict=True)
            }
            entry["comparisons"] = len(couples) * len(names)
    return found


def pair_entry(results: list[Result], matrices: list[np.ndarray], couple: tuple[int, int], settings: dict) -> dict:
    """The figures of one pair of results, by their places."""
    dataset = results[0].document["dataset"]
    both = np.stack([totals(matrices[index]).sum(0) for index in couple])
    low, high = paired_difference(*(matrices[index] for index in couple), results[0].sequences, **settings)
    turned = flip(*(matrices[index] for index in couple))
    return {
        "dataset": f"{dataset['name']} {dataset['split']}",
        "a": results[couple[0]].name,
        "b": results[couple[1]].name,
        "difference": none_if_nan(float(difference(both))),
        "interval": None if np.isnan([low, high]).any() else [low, high],
        "images": dataset["images"],
        "flip": None
        if turned is None
        else {
            "images": len(turned.images),
            "exact": turned.exact,
            "names": [results[0].image_ids[index] for index in turned.images],
        },
    }


def points(value: float | None) -> str:
    """A difference in points of per cent, with its sign."""
    return "-" if value is None else f"{100 * value:+.1f}"


def ends(interval: list[float] | None) -> str:
    """An interval in points."""
    return "-" if interval is None else f"{points(interval[0])} to {points(interval[1])}"


def flips(entry: dict) -> str:
    """How few images must go, as a reader sees it; 'at most' where fewer might do."""
    found = entry["flip"]
    if found is None:
        return "no set found"
    return f"{'' if found['exact'] else 'at most '}{found['images']} of {entry['images']}"


def pair_frame(entries: list[dict]) -> pd.DataFrame:
    """One row per pair."""
    lines = [
        {
            "dataset": entry["dataset"],
            "A": entry["a"],
            "B": entry["b"],
            "mIoU A - B": points(entry["difference"]),
            "95 % interval": ends(entry["interval"]),
            "order turns without": flips(entry),
        }
        for entry in entries
    ]
    return pd.DataFrame(lines, dtype=str)


def class_frame(entries: list[dict]) -> pd.DataFrame:
    """One row per pair and class, IoU in points; '*' where the interval leaves out zero."""
    lines = [
        {
            "A": entry["a"],
            "B": entry["b"],
            "class": name,
            "IoU A - B": points(found["difference"]),
            "simultaneous 95 % interval": ends(found["interval"]),
            "differs": "*" if found["interval"] and found["interval"][0] * found["interval"][1] > 0 else "",
        }
        for entry in entries
        for name, found in entry.get("classes", {}).items()
    ]
    return pd.DataFrame(lines, dtype=str)


def flat(entries: list[dict]) -> pd.DataFrame:
    """For CSV: a row per pair for mIoU, and one per class where classes were compared; fractions."""
    lines = []
    for entry in entries:
        base = {name: entry[name] for name in ("dataset", "a", "b")}
        turned = entry["flip"] or {"images": None, "exact": None}
        whole = {"difference": entry["difference"], "interval": entry["interval"]}
        for name, found in {"mIoU": whole, **entry.get("classes", {})}.items():
            low, high = found["interval"] or (None, None)
            line = base | {"of": name, "difference": found["difference"], "low": low, "high": high}
            line |= {"simultaneous": name != "mIoU"}
            if name == "mIoU":
                line |= {"turns_without": turned["images"], "turns_without_exact": turned["exact"]}
            lines.append(line)
    return pd.DataFrame(lines, dtype=object)


def printed(entries: list[dict], form: str) -> str:
    """The pairs in one of FORMATS, ending with a line feed."""
    if form == "json":
        return json.dumps(entries, indent=2) + "\n"
    if form == "csv":
        return flat(entries).to_csv(index=False, lineterminator="\n")
    style = {"tablefmt": "pipe" if form == "markdown" else "plain", "disable_numparse": True}
    parts = [
        frame.to_markdown(index=False, **style) for frame in (pair_frame(entries), class_frame(entries)) if len(frame)
    ]
    return "\n\n".join(parts) + "\n"


def chosen(results: list[Result], names: list[str]) -> list[Result]:
    """The results of these checkpoints, or all; ValueError naming what there is where a name is unknown."""
    known = {result.name for result in results}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no result of {unknown[0]}; there are: {', '.join(sorted(known))}")
    return [result for result in results if not names or result.name in names]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.pairs", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="CHECKPOINT", help="two checkpoints or more (default: all)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: the shipped ones")
    parser.add_argument("--classes", action="store_true", help="also the differences of each class, of all pairs")
    parser.add_argument("--format", choices=FORMATS, default="table")
    options = parser.parse_args(arguments)
    if not options.results.is_dir():
        print(f"error: {options.results}: no such folder", file=sys.stderr)
        return 1
    results, problems = read_results(options.results)
    for problem in problems:
        print(problem, file=sys.stderr)
    try:
        wanted = chosen([one for one in results if one.counts is not None], options.names)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    alike: dict[tuple, list[Result]] = {}
    for result in wanted:
        alike.setdefault(images_of(result.document), []).append(result)
    classes = options.classes or len(options.names) == 2
    entries = [entry for those in alike.values() for entry in compare(those, classes=classes)]
    if not entries:
        print("error: no two of these results are on the same images", file=sys.stderr)
        return 1
    print(printed(entries, options.format), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
