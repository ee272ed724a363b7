"""`python -m evaluation.seeds`: mIoU of every recipe that was trained with several seeds, mean and spread.

The results of other seeds than the released one lie beside their checkpoints in `training/seeds/`.
"""

import argparse
import sys
from pathlib import Path

from evaluation.leaderboard import results_path
from evaluation.results import verify
from zoo.card import find_results
from zoo.seeds import spread


def seeds_path() -> Path:
    """The folder of the checkpoints that differ from a released one by their seed, and of their results."""
    return Path(__file__).parent.parent / "training" / "seeds"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with what is wrong with a result."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.seeds", description=__doc__, allow_abbrev=False)
    parser.add_argument("--results", type=Path, default=results_path(), help="results of released checkpoints")
    parser.add_argument("--seeds", type=Path, default=seeds_path(), help="results of the same recipes, other seeds")
    options = parser.parse_args(arguments)
    problems = [line for path in sorted(options.seeds.glob("*.json")) for line in verify(path)]
    others = [] if problems else find_results(options.seeds)
    for document in find_results(options.results):
        if found := spread(document, others):
            dataset = document["dataset"]
            print(f"{document['checkpoint']['name']} on {dataset['title']} {dataset['split']}: {found}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
