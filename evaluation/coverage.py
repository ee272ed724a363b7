"""`python -m evaluation.coverage`: how often the leaderboard's 95 % intervals hold the true value, by simulation.

The stored per-image matrices of each result are taken for a world whose mIoU is known; samples are drawn from it in
several ways and given the intervals that a result gets. What it prints stands in 'How we measure'.
"""

import argparse
import json
import sys
from itertools import combinations
from pathlib import Path

import pandas as pd

from evaluation.board.rows import aligned, read_results
from evaluation.counting.content import images_of
from evaluation.counting.coverage import WORLDS, Coverage, coverage, pooled, seed_coverage
from evaluation.measuring.results import Result
from zoo.checkpoints.seeds import spread
from zoo.places import RESULTS, SEEDS

PAIRS = 10  # so many times fewer samples for each pair than for each result, of which there are fewer


def groups(results: list[Result]) -> list[list[Result]]:
    """The results on the same images, in order."""
    found: dict[tuple, list[Result]] = {}
    for result in results:
        if result.counts is not None:
            found.setdefault(images_of(result.document), []).append(result)
    return list(found.values())


def simulate(results: list[Result], samples: int, resamples: int) -> list[dict]:
    """Rows of the results on the same images: one per world for mIoU, one for the paired difference."""
    first, rows = results[0], []
    matrices = [aligned(result, first) for result in results]
    worlds = [world for world in WORLDS if any(first.sequences) or not (world.run or world.stretch)]
    block = first.document["protocol"]["bootstrap"]["block_frames"]
    settings = {"resamples": resamples, "block": block}
    for world in worlds:
        parts = [
            coverage(one, first.sequences, world, samples=samples, seed=number, **settings)
            for number, one in enumerate(matrices)
        ]
        rows.append(row(first, "mIoU", world.title, pooled(parts)))
    for world in worlds if len(matrices) > 1 else ():
        few = max(2, samples // PAIRS)
        parts = [
            coverage(one, first.sequences, world, other=other, samples=few, seed=number, **settings)
            for number, (one, other) in enumerate(combinations(matrices, 2))
        ]
        rows.append(row(first, "paired difference", world.title, pooled(parts)))
    return rows


def simulate_seeds(results: list[Result], seeds: list[Result], samples: int, resamples: int) -> list[dict]:
    """Rows of every recipe that was trained with several seeds: what one training's interval leaves out."""
    rows, others = [], [one.document for one in seeds]
    for result in results:
        if not spread(result.document, others):
            continue
        runs = [result, *(one for one in seeds if spread(result.document, [one.document]))]
        block = result.document["protocol"]["bootstrap"]["block_frames"]
        found = seed_coverage(
            [aligned(one, result) for one in runs],
            result.sequences,
            samples=samples * len(WORLDS),
            resamples=resamples,
            block=block,
        )
        title = f"another training of {result.name}"
        called = {"images": "one training, images alone"}
        called["images and seeds"] = f"{len(runs)} trainings, images and seeds"
        rows += [row(result, called[name], title, one) for name, one in found.items()]
    return rows


def row(result: Result, of: str, world: str, found: Coverage) -> dict:
    """One line of the table; shares and widths are fractions."""
    dataset = result.document["dataset"]
    return {
        "dataset": f"{dataset['name']} {dataset['split']}",
        "interval": of,
        "world": world,
        "samples": found.samples,
        **{f"held_{kind}": found.held.get(kind) for kind in ("images", "blocks", "shown")},
        "width": found.width["shown"],
        "needed_width": found.spread,
    }


def frame(rows: list[dict]) -> pd.DataFrame:
    """The rows as a reader sees them: per cent, widths in points of mIoU."""

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f}"

    lines = [
        {
            "dataset": one["dataset"],
            "interval of": one["interval"],
            "images arise as": one["world"],
            "samples": str(one["samples"]),
            "images %": percent(one["held_images"]),
            "blocks %": percent(one["held_blocks"]),
            "shown %": percent(one["held_shown"]),
            "width": percent(one["width"]),
            "needed": percent(one["needed_width"]),
        }
        for one in rows
    ]
    return pd.DataFrame(lines, dtype=str)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 where there is no result with counts."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.coverage", description=__doc__, allow_abbrev=False)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: the shipped ones")
    parser.add_argument("--seeds", type=Path, default=SEEDS, metavar="DIR", help="folder of the other seeds' folders")
    parser.add_argument("--samples", type=int, default=200, help="samples of each result and world (default: 200)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples of each (default: 1000)")
    parser.add_argument("--format", choices=("table", "markdown", "csv", "json"), default="table")
    options = parser.parse_args(arguments)
    if options.samples < 2 or options.resamples < 100:
        parser.error("--samples must be at least 2, --resamples at least 100")
    if not options.results.is_dir():
        print(f"error: {options.results}: no such folder", file=sys.stderr)
        return 1
    results, problems = read_results(options.results)
    seeds = [one for folder in sorted(options.seeds.glob("*/")) for one in read_results(folder)[0]]
    for problem in problems:
        print(problem, file=sys.stderr)
    rows = [line for those in groups(results) for line in simulate(those, options.samples, options.resamples)]
    rows += simulate_seeds(results, seeds, options.samples, options.resamples)
    if not rows:
        print(f"error: no result with counts in {options.results}", file=sys.stderr)
        return 1
    print(printed(rows, options.format), end="")
    return 0


def printed(rows: list[dict], form: str) -> str:
    """The rows in one of the formats, ending with a line feed."""
    if form == "json":
        return json.dumps(rows, indent=2) + "\n"
    if form == "csv":
        return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    style = {"tablefmt": "pipe" if form == "markdown" else "plain", "disable_numparse": True}
    return frame(rows).to_markdown(index=False, **style) + "\n"


if __name__ == "__main__":
    sys.exit(main())
