"""Results that are to join the board: verified, checked for submission, and sent to a dataset repository."""

import json
from pathlib import Path

import yaml

from evaluation.measuring.results import ResultError, published_name, read_result, result_paths, verify
from zoo.checkpoints.card import task_name
from zoo.checkpoints.information import TAG
from zoo.hub.catalog import scan
from zoo.hub.publish import Push, Target, upload
from zoo.hub.requests import parse_repository
from zoo.hub.settings import HubSettings
from zoo.places import RESULTS


def verify_all(folder: str | Path | None = None) -> dict[Path, list[str]]:
    """What is wrong with each result of a folder: figures recomputed, weights compared with the bundled ones."""
    bundled = {info.name: info.sha256 for info in scan()[0]}
    found = {}
    for path in result_paths(folder or RESULTS):
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


# What of a result follows from which of its whole numbers, so that nobody needs the images to check it.
FROM_COUNTS = ("scores", "boundary", "intervals", "sequences", "calibration", "confusion_matrix")
FROM_TOTALS = ("sizes", "corruptions")
NEEDS_MORE = {
    "counts": "the images and masks, and the weights: the command in environment.command counts again",
    "cost": "the weights, and for times the same machine: the same command measures again",
    "checkpoint.training": "the training data: the recipe that the row names trains again",
}


def recomputable(document: dict) -> dict[str, int]:
    """How many figures of each part of a result a reader can recompute without the data, in order."""
    found = {name: numbers_in(document.get(name)) for name in FROM_COUNTS}
    for name in FROM_TOTALS:
        entries = [one for part in (document.get(name) or {}).values() if isinstance(part, list) for one in part]
        found[name] = sum(numbers_in([one["miou"], one.get("expected_calibration_error")]) for one in entries)
    return {name: number for name, number in found.items() if number}


def numbers_in(value: object) -> int:
    """How many numbers a JSON value holds."""
    if isinstance(value, dict):
        return sum(map(numbers_in, value.values()))
    if isinstance(value, list):
        return sum(map(numbers_in, value))
    return int(isinstance(value, int | float) and not isinstance(value, bool))


def recomputed_report(found: dict[str, int]) -> str:
    """What `verify` recomputed of one result: '513 figures recomputed without the data: scores 38, boundary 6'."""
    parts = ", ".join(f"{name} {number}" for name, number in found.items())
    return f"{sum(found.values())} figures recomputed without the data: {parts}"


def benchmark_file(documents: list[dict]) -> str:
    """`eval.yaml` of a dataset repository on the Hub, with a task for each data set and split that was measured.

    It makes the repository a benchmark, whose leaderboard shows the scores of cards that name it; the fields are those
    of huggingface.co/docs/hub/eval-results. The Hub checks it when it is pushed, and keeps a list of frameworks.
    """
    places = dict.fromkeys((one["dataset"]["name"], one["dataset"]["split"]) for one in documents)
    tasks = [{"id": task_name(name, split), "config": name, "split": split} for name, split in places]
    titles = ", ".join(dict.fromkeys(one["dataset"].get("title", one["dataset"]["name"]) for one in documents))
    facts = {
        "name": f"Semantic segmentation: {titles}",
        "description": "Mean intersection over union in per cent: one confusion matrix over a split, void dropped.",
        "evaluation_framework": TAG,
        "tasks": tasks,
    }
    return yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)


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
