"""`python -m evaluation.seeds`: mIoU of every recipe that was trained with several seeds, mean and spread.

`training/seeds/SEED/` holds the checkpoints that differ from a released one by their seed, and beside them their
results.
"""

import argparse
import sys
from pathlib import Path

from evaluation.measuring.results import read_document, verify
from zoo.checkpoints.card import find_results, find_seeds
from zoo.checkpoints.folder import read_info
from zoo.checkpoints.information import CheckpointError
from zoo.checkpoints.seeds import spread
from zoo.places import RESULTS, SEEDS


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with what is wrong with a result."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.seeds", description=__doc__, allow_abbrev=False)
    parser.add_argument("--results", type=Path, default=RESULTS, help="results of released checkpoints")
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="folder of the other seeds' folders")
    options = parser.parse_args(arguments)
    problems = [line for path in sorted(options.seeds.glob("*/*.json")) for line in check(path)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    others = find_seeds(options.seeds)
    for document in find_results(options.results):
        if found := spread(document, others):
            dataset = document["dataset"]
            print(f"{document['checkpoint']['name']} on {dataset['title']} {dataset['split']}: {found}")
            print(f"  IoU of the classes that depend most on the seed: {found.least_certain()}")
    return 0


def check(path: Path) -> list[str]:
    """What is wrong with a seed's result: figures recomputed, weights compared with those beside it."""
    problems = verify(path)
    if problems:
        return problems
    checkpoint = read_document(path)["checkpoint"]
    try:
        sha256 = read_info(path.parent / checkpoint["name"]).sha256
    except (CheckpointError, OSError) as error:
        return [str(error)]
    return [] if sha256 == checkpoint["sha256"] else [f"{path}: measured other weights than those beside it"]


if __name__ == "__main__":
    sys.exit(main())
