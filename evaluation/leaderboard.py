"""The leaderboard's command line: print it, verify it, check and submit results. See --help."""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from evaluation.board import formats
from evaluation.board.live import LiveBoard
from evaluation.board.rows import payload, read_results
from evaluation.board.submission import (
    NEEDS_MORE,
    benchmark_file,
    check_submission,
    recomputable,
    recomputed_report,
    submit,
    verify_all,
)
from evaluation.measuring.record import schema
from evaluation.measuring.results import ResultError, read_document
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import Catalog
from zoo.hub.publish import push_report
from zoo.places import RESULTS


def with_hub(folder: Path) -> dict:
    """`payload` with the Hub's results; what is old or missing is said on standard error."""
    catalog = Catalog()
    live = LiveBoard(catalog, partial(payload, folder))
    rows = live.refresh(wait=catalog.settings.pull_seconds)
    for note in live.notes():
        print(note, file=sys.stderr)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 fine, 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.leaderboard", description=__doc__)
    commands = parser.add_subparsers(dest="action", metavar="verify | check | submit | benchmark | schema")
    parser.add_argument("--format", choices=formats.FORMATS, default="table", help="how to print the rows")
    parser.add_argument(
        "--results", metavar="DIR", default="", help="folder of the results (default: the shipped ones)"
    )
    parser.add_argument("--into", metavar="FILE", type=Path, help="put the Markdown table between the marks of FILE")
    parser.add_argument("--hub", action="store_true", help="add the results on the Hub that the environment names")
    commands.add_parser("verify", help="recompute every figure of every result; fails on a difference")
    checker = commands.add_parser("check", help="say whether a result file can be submitted, and what to do if not")
    checker.add_argument("files", nargs="+", metavar="FILE")
    commands.add_parser("benchmark", help="print eval.yaml for a dataset repository on the Hub that cards name")
    commands.add_parser("schema", help="print the JSON Schema of results, which evaluation/results.schema.json holds")
    sender = commands.add_parser("submit", help="send a result to a dataset repository on the Hub")
    sender.add_argument("file", metavar="FILE", type=Path)
    sender.add_argument("repository", metavar="OWNER/NAME")
    sender.add_argument("--pr", action="store_true", help="propose it as a pull request")
    sender.add_argument("--dry-run", action="store_true", help="only say what would be uploaded")
    options = parser.parse_args(arguments)
    folder = Path(options.results) if options.results else RESULTS
    if options.action == "schema":
        print(json.dumps(schema(), indent=2))
        return 0
    if options.action != "check" and not folder.is_dir():
        print(f"error: {folder}: no such folder", file=sys.stderr)
        return 1
    if options.action == "benchmark":
        print(benchmark_file([result.document for result in read_results(folder)[0]]), end="")
        return 0
    if options.action is None and options.into:
        formats.put_table(options.into, formats.markdown(payload(folder)))
        return 0
    if options.action is None:
        try:
            rows = with_hub(folder) if options.hub else payload(folder)
        except CheckpointError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(formats.FORMATS[options.format](rows), end="")
        return 0
    if options.action == "submit":
        try:
            sent = submit(options.file, options.repository, pull_request=options.pr, dry_run=options.dry_run)
        except (ResultError, CheckpointError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(push_report(sent))
        return 0
    if options.action == "check":
        found = {Path(file): check_submission(file) for file in options.files}
    else:
        found = verify_all(folder)
    for path, problems in found.items():
        print(f"{path.name}: {'ok' if not problems else f'{len(problems)} problem(s)'}")
        if not problems and options.action == "verify":
            print(f"  {recomputed_report(recomputable(read_document(path)))}")
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
    if found and options.action == "verify":
        print("not without more:")
        for part, needed in NEEDS_MORE.items():
            print(f"  {part}: {needed}")
    if not found:
        print(f"no result in {folder}", file=sys.stderr)
    return int(any(found.values()) or not found)


if __name__ == "__main__":
    sys.exit(main())
