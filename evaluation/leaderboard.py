"""The leaderboard: rows from result files, ranked by intervals. `python -m evaluation.leaderboard --help`.

Rank is 1 + the number of checkpoints, measured on the same images, whose mIoU interval lies wholly above: checkpoints
that the data cannot tell apart share a rank. Figures from papers are listed apart and never ranked.
"""

import argparse
import json
import logging
import os
import sys
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from evaluation import formats
from evaluation.bootstrap import both_intervals, miou_statistic
from evaluation.merging import Additions, Entry, merge
from evaluation.metrics import none_if_nan, scores
from evaluation.results import Result, ResultError, published_name, read_result, verify
from evaluation.table import published
from zoo.catalog import Catalog, scan
from zoo.checkpoint_info import CheckpointError
from zoo.hub import parse_repository
from zoo.publish import Push, Target, push_report, upload
from zoo.settings import HubSettings

logger = logging.getLogger("evaluation")


def results_path() -> Path:
    """The folder of the results that ship with the repository."""
    return Path(__file__).parent / "results"


def recipe_path(name: str) -> str | None:
    """Path in this repository of the recipe that trains the checkpoint called `name`, if there is one."""
    path = Path("training") / "recipes" / f"{name}.toml"
    return path.as_posix() if (Path(__file__).parent.parent / path).is_file() else None


def payload(results_folder: str | Path | None = None, additions: Additions | None = None) -> dict:
    """The leaderboard as JSON values: {"rows", "pairs", "published", "problems"}; metrics are fractions in [0, 1].

    `additions` are what the Hub adds to the results of the folder. Rows are sorted by dataset, split, rank and mIoU.
    `pairs` holds the paired difference of mIoU of every two checkpoints on the same images under "a|b@dataset/split",
    and under "a|b" where that names one split only.
    A result that cannot be read is left out, logged as a warning and named in `problems`.
    """
    results, problems = read_results(results_folder)
    entries, left_out = merge(results, additions or Additions())
    problems += left_out
    for problem in problems:
        logger.warning(problem)
    bundled = {(info.name, info.sha256) for info in scan()[0]}
    rows = [_row(entry, bundled) for entry in entries]
    rank(rows)
    order = sorted(range(len(rows)), key=lambda index: _place(rows[index]))
    rows, results = [rows[index] for index in order], [entries[index].result for index in order]
    measured = [result for result in results if result.counts is not None]
    return {"rows": rows, "pairs": pairs(measured), "published": published(), "problems": problems}


def read_results(folder: str | Path | None = None) -> tuple[list[Result], list[str]]:
    """All readable results of a folder (default: the shipped ones) and one message for each that is not."""
    found, problems = [], []
    for path in sorted((Path(folder) if folder else results_path()).glob("*.json")):
        try:
            found.append(read_result(path))
        except ResultError as error:
            problems.append(str(error))
    return found, problems


def _place(row: dict):
    last = row["rank"] is None
    return row["dataset"], row["split"], last, row["rank"] or 0, -(row["miou"] or 0), row["name"]


def _row(entry: Entry, bundled: set[tuple[str, str]]) -> dict:
    document = entry.result.document
    checkpoint, dataset, scored = document["checkpoint"], document["dataset"], document["scores"]
    intervals, cost = document["intervals"], document["cost"]
    timing = next((entry for entry in cost["timings"] if entry["kind"] == "cpu"), cost["timings"][0])
    is_bundled = (checkpoint["name"], checkpoint["sha256"]) in bundled
    training = checkpoint["training"]
    return {
        **{name: checkpoint[name] for name in ("name", "variant", "loss", "backbone", "repository", "revision")},
        **{name: checkpoint[name] for name in ("sha256", "file_bytes", "training")},
        "source": "bundled" if is_bundled else checkpoint["source"],
        "provenance": entry.provenance,
        "recomputed": entry.recomputed,
        "recipe": training.get("recipe") or recipe_path(checkpoint["name"]),
        "dataset": dataset["name"],
        "split": dataset["split"],
        "images": dataset["images"],
        **{name: scored[name] for name in ("miou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou")},
        **{name: scored[name] for name in ("dice", "class_iou", "class_dice", "class_accuracy")},
        "miou_interval": intervals["miou"]["shown"],
        "intervals": intervals,
        "boundary_f": document["boundary"]["boundary_f"],
        "boundary_f_interval": intervals["boundary_f"]["shown"],
        "trimap_miou": document["boundary"]["trimap_miou"],
        "sequences": document["sequences"],
        "calibration": document["calibration"],
        **{name: cost[name] for name in ("parameters", "gmacs", "timings")},
        **{name: timing[name] for name in ("milliseconds", "device", "precision", "peak_memory_bytes")},
        "threads": timing.get("threads"),
        "confusion_matrix": document["confusion_matrix"],
        "classes": dataset["classes"],
        **{name: document["environment"][name] for name in ("command", "git_commit", "versions", "date")},
        "protocol": document["protocol"],
    }


def rank(rows: list[dict]) -> None:
    """Set each row's "rank" among the rows of its dataset and split; None where it has no mIoU interval."""
    for row in rows:
        own = row["miou_interval"]
        rivals = [other["miou_interval"] for other in rows if _images(other) == _images(row)]
        row["rank"] = 1 + sum(rival[0] > own[1] for rival in rivals if rival) if own else None


def _images(row: dict) -> tuple[str, str]:
    return row["dataset"], row["split"]


def pairs(results: list[Result]) -> dict[str, dict]:
    """Difference of mIoU, first minus second, and its 95 % interval for every two results on the same images."""
    groups: dict[tuple, list[Result]] = {}
    for result in results:
        document = result.document
        dataset, bootstrap = document["dataset"], document["protocol"]["bootstrap"]
        key = (dataset["name"], dataset["split"], result.image_ids, tuple(dataset["classes"]), *bootstrap.values())
        groups.setdefault(key, []).append(result)
    found, splits = {}, {}
    for (dataset, split, *_), members in groups.items():
        for names, pair in _group_pairs(members).items():
            found[f"{names}@{dataset}/{split}"] = pair
            splits.setdefault(names, []).append(pair)
    return {names: pair[0] for names, pair in splits.items() if len(pair) == 1} | found


def _group_pairs(members: list[Result]) -> dict[str, dict]:
    if len(members) < 2:
        return {}
    bootstrap = members[0].document["protocol"]["bootstrap"]
    statistics = [miou_statistic(result.counts.matrices) for result in members]
    couples = list(combinations(range(len(members)), 2))

    def statistic(weights):
        samples = [one(weights) for one in statistics]
        return np.stack([samples[first] - samples[second] for first, second in couples], axis=1)

    shown = both_intervals(
        members[0].sequences,
        statistic,
        block=bootstrap["block_frames"],
        resamples=bootstrap["resamples"],
        seed=bootstrap["seed"],
    )["shown"]
    mious = [scores(result.counts.matrices, tuple(result.document["dataset"]["classes"])).miou for result in members]
    return {
        f"{members[first].name}|{members[second].name}": {
            "difference": none_if_nan(mious[first] - mious[second]),
            "interval": None if np.isnan(shown[:, index]).any() else [float(value) for value in shown[:, index]],
        }
        for index, (first, second) in enumerate(couples)
    }


def verify_all(folder: str | Path | None = None) -> dict[Path, list[str]]:
    """What is wrong with each result of a folder: figures recomputed, weights compared with the bundled ones."""
    bundled = {info.name: info.sha256 for info in scan()[0]}
    found = {}
    for path in sorted((Path(folder) if folder else results_path()).glob("*.json")):
        problems = verify(path)
        if not problems:
            checkpoint = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]
            expected = bundled.get(checkpoint["name"])
            if expected not in (None, checkpoint["sha256"]):
                problems = [f"{path}: measured other weights than the bundled {checkpoint['name']}; evaluate it again"]
            elif expected is None and checkpoint["source"] == "bundled":
                problems = [f"{path}: {checkpoint['name']} is not bundled any more; remove the result"]
        found[path] = problems
    return found


def check_submission(path: str | Path) -> list[str]:
    """What keeps a result file from being accepted in a pull request; each sentence says what to do."""
    problems = verify(path)
    if problems:
        return problems
    document = read_result(path).document
    checkpoint = document["checkpoint"]
    try:
        published_name(checkpoint)
    except ResultError as error:
        problems.append(f"{path}: {error}")
    if not document["environment"]["git_commit"] or document["environment"]["git_commit"].endswith("+"):
        problems.append(f"{path}: environment.git_commit is not a clean commit; evaluate again from a clean checkout")
    return problems


def with_hub(folder: Path) -> dict:
    """`payload` with the Hub's results; what is old or missing is said on standard error."""
    from evaluation.live import LiveBoard  # it builds on this module

    catalog = Catalog()
    live = LiveBoard(catalog, partial(payload, folder))
    rows = live.refresh(wait=catalog.settings.pull_seconds)
    for note in live.notes():
        print(note, file=sys.stderr)
    return rows


def submit(path: Path, repository: str, *, pull_request: bool, dry_run: bool) -> Push:
    """Upload a result and its counts to `results/` of the dataset repository OWNER/NAME, created if needed.

    Raises ResultError where `check_submission` finds something, HubError when the Hub does not take it.
    """
    problems = check_submission(path)
    if problems:
        raise ResultError(problems[0])
    settings = HubSettings.from_environment()
    repository, branch = parse_repository(repository, settings.endpoint)
    files = {f"results/{file.name}": file for file in (path, path.with_suffix(".npz"))}
    target = Target(repository, kind="dataset", branch=branch, pull_request=pull_request)
    return upload(files, target, settings, dry_run=dry_run)


BEGIN, END = "<!-- leaderboard", "<!-- /leaderboard -->"


def put_table(path: Path, text: str) -> None:
    """Replace what stands between the marks of a Markdown file, in one step; ValueError if it has no such marks."""
    content = path.read_text(encoding="utf-8")
    head, begin, rest = content.partition(BEGIN)
    mark, arrow, rest = rest.partition("-->\n")
    _, end, tail = rest.partition(END)
    if not (begin and arrow and end):
        raise ValueError(f"{path}: has no lines {BEGIN} ... --> and {END}; add them where the table belongs")
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(f"{head}{begin}{mark}{arrow}\n{text}\n{end}{tail}", encoding="utf-8")
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 fine, 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.leaderboard", description=__doc__)
    commands = parser.add_subparsers(dest="action", metavar="verify | check | submit")
    parser.add_argument("--format", choices=formats.FORMATS, default="table", help="how to print the rows")
    parser.add_argument(
        "--results", metavar="DIR", default="", help="folder of the results (default: the shipped ones)"
    )
    parser.add_argument("--into", metavar="FILE", type=Path, help="put the Markdown table between the marks of FILE")
    parser.add_argument("--hub", action="store_true", help="add the results on the Hub that the environment names")
    commands.add_parser("verify", help="recompute every figure of every result; fails on a difference")
    checker = commands.add_parser("check", help="say whether a result file can be submitted, and what to do if not")
    checker.add_argument("files", nargs="+", metavar="FILE")
    sender = commands.add_parser("submit", help="send a result to a dataset repository on the Hub")
    sender.add_argument("file", metavar="FILE", type=Path)
    sender.add_argument("repository", metavar="OWNER/NAME")
    sender.add_argument("--pr", action="store_true", help="propose it as a pull request")
    sender.add_argument("--dry-run", action="store_true", help="only say what would be uploaded")
    options = parser.parse_args(arguments)
    folder = Path(options.results) if options.results else results_path()
    if options.action != "check" and not folder.is_dir():
        print(f"error: {folder}: no such folder", file=sys.stderr)
        return 1
    if options.action is None and options.into:
        put_table(options.into, formats.markdown(payload(folder)))
        return 0
    if options.action is None:
        rows = with_hub(folder) if options.hub else payload(folder)
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
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
    if not found:
        print(f"no result in {folder}", file=sys.stderr)
    return int(any(found.values()) or not found)


if __name__ == "__main__":
    sys.exit(main())
