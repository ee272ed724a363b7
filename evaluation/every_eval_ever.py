"""`python -m evaluation.every_eval_ever --organization NAME --out DIR`: results in the Every Eval Ever format.

Writes DIR/data/DATASET_SPLIT/DEVELOPER/MODEL/UUID.json, the layout of that collection, one file for each stored result,
with our 95 % intervals. `FCN_ZOO_BENCHMARK` names the dataset repository that the records point to.
"""

import argparse
import json
import re
import sys
import uuid
from pathlib import Path

from evaluation.board.every_eval_ever import record
from evaluation.board.rows import read_results
from zoo.atomic import write_text
from zoo.hub.settings import HubSettings
from zoo.places import RESULTS


def path_of(found: dict, sha256: str) -> Path:
    """Where a record belongs; the same result has the same name."""
    place, model = found["evaluation_id"].split("/", 1)
    developer, _, name = model.rsplit("/", 1)[0].rpartition("/")
    unique = uuid.uuid5(uuid.NAMESPACE_URL, f"{found['evaluation_id']}#{sha256}")
    developer = developer or found["source_metadata"]["source_organization_name"]
    safe = (re.sub(r"[^\w.+-]+", "-", part).lstrip(".") or "-" for part in (place, developer, name))
    return Path("data", *safe, f"{unique}.json")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.every_eval_ever", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--organization", required=True, metavar="NAME", help="who measured, as the records name it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder that gets data/...")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: the shipped ones")
    options = parser.parse_args(arguments)
    if not options.results.is_dir():
        print(f"error: {options.results}: no such folder", file=sys.stderr)
        return 1
    try:
        benchmark = HubSettings.from_environment().benchmark
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    results, problems = read_results(options.results)
    for problem in problems:
        print(problem, file=sys.stderr)
    for result in results:
        found = record(result.document, organization=options.organization, benchmark=benchmark)
        path = options.out / path_of(found, result.document["counts"]["sha256"])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(found, indent=2, allow_nan=False) + "\n")
        print(path)
    return int(bool(problems) or not results)


if __name__ == "__main__":
    sys.exit(main())
