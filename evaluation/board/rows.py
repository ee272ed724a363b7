"""Rows of the leaderboard from result documents, ranked by intervals.

Rank is 1 + the number of checkpoints, measured on the same images, whose mIoU interval lies wholly above: checkpoints
that the data cannot tell apart share a rank. Figures from papers are listed apart and never ranked.
"""

import hashlib
import json
import logging
import tomllib
from collections import Counter
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np

from evaluation.board.caveats import seed_figures, splits
from evaluation.board.columns import table_facts
from evaluation.board.drill import Counted
from evaluation.board.effort import effort
from evaluation.board.merging import Additions, Entry, merge
from evaluation.counting.bootstrap import both_intervals, miou_statistic
from evaluation.counting.confusion import foreground, none_if_nan, scores
from evaluation.counting.content import images_of
from evaluation.counting.images import per_image_miou, worst_miou
from evaluation.measuring.results import Result, ResultError, read_result, result_paths
from zoo.checkpoints.alike import trained_alike
from zoo.checkpoints.card import find_seeds
from zoo.hub.catalog import scan
from zoo.places import RECIPES, REPOSITORY, RESULTS, SEEDS

logger = logging.getLogger("evaluation")


def recipe_path(name: str) -> str | None:
    """Path in this repository of the recipe that trains the checkpoint called `name`, if there is one."""
    path = RECIPES / f"{name}.toml"
    return path.relative_to(REPOSITORY).as_posix() if path.is_file() else None


def recipe_text(name: str) -> str | None:
    """What stands in the recipe in this repository that trains the checkpoint called `name`, if there is one."""
    path = RECIPES / f"{name}.toml"
    return path.read_text(encoding="utf-8") if path.is_file() else None


class Payload(dict):
    """The leaderboard's JSON values. counted: what was counted on each image behind a row, by the key of the row."""

    def __init__(self, values: dict, counted: dict[str, Counted]):
        super().__init__(values)
        self.counted = counted


def payload(results_folder: str | Path | None = None, additions: Additions | None = None) -> Payload:
    """The leaderboard as JSON values: {"rows", "pairs", "published", "problems", "splits", "facts"}.

    Metrics are fractions in [0, 1]; `facts` are those of `table_facts`, `splits` those of `caveats.splits`.

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
    infos = scan()[0]
    bundled = {(info.name, info.sha256) for info in infos}
    known = _recipes() | _trainings(entries) | {info.name: info.training for info in infos}
    seeds = find_seeds(SEEDS)
    rows = [_row(entry, bundled) | _caveats(entry, known, seeds) for entry in entries]
    for row, place in zip(rows, places([entry.result.document for entry in entries]), strict=True):
        row["dataset"], row["split"] = place
    rank(rows)
    share_times(rows)
    order = sorted(range(len(rows)), key=lambda index: _place(rows[index]))
    rows, results = [rows[index] for index in order], [entries[index].result for index in order]
    measured = [(_images(row), one) for row, one in zip(rows, results, strict=True) if one.counts is not None]
    found = {"rows": rows, "pairs": pairs(measured), "published": published(), "problems": problems}
    found |= {"splits": splits(rows), "facts": table_facts(rows)}
    keys = zip(row_keys(rows), results, strict=True)
    return Payload(found, {key: Counted.of(one) for key, one in keys if one.counts is not None})


def row_keys(rows: list[dict]) -> list[str]:
    """'NAME@dataset/split' of each row, numbered from the second of that name on, as links and the page name them."""
    bases = [f"{row['name']}@{row['dataset']}/{row['split']}" for row in rows]
    numbers = [bases[: place + 1].count(base) for place, base in enumerate(bases)]
    return [base if number == 1 else f"{base}#{number}" for base, number in zip(bases, numbers, strict=True)]


def places(documents: list[dict]) -> list[tuple[str, str]]:
    """Dataset and split of each result, one place for the same images whatever they were called.

    The first images of a name have it; the split of others under that name has a hash behind it.
    """
    names: dict[tuple, tuple[str, str]] = {}
    for document in documents:
        images, dataset = images_of(document), document["dataset"]
        place = dataset["name"], dataset["split"]
        if images not in names and place in names.values():
            place = dataset["name"], f"{dataset['split']}-{hashlib.sha256(repr(images).encode()).hexdigest()[:8]}"
        names.setdefault(images, place)
    return [names[images_of(document)] for document in documents]


def published() -> list[dict]:
    """Figures from papers and repositories, each with source and url; metrics are fractions in [0, 1] or None."""
    return json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))


def read_results(folder: str | Path | None = None) -> tuple[list[Result], list[str]]:
    """All readable results of a folder (default: the shipped ones) and one message for each that is not."""
    found, problems = [], []
    for path in result_paths(folder or RESULTS):
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
        "trained_alike": trained_alike(training, checkpoint["loss"]),
        "provenance": entry.provenance,
        "recomputed": entry.recomputed,
        "recipe": training.get("recipe") or recipe_path(checkpoint["name"]),
        "recipe_text": recipe_text(checkpoint["name"]),
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
        "foreground": _foreground(document),
        "classes": dataset["classes"],
        **{name: document["environment"][name] for name in ("git_commit", "versions", "date")},
        "command": _command(document, is_bundled),
        "protocol": document["protocol"],
    }


def _command(document: dict, is_bundled: bool) -> str:
    """The command that measures a row again, as it runs in a clone: what ships with it is called by its name alone."""
    command, name = document["environment"]["command"], document["checkpoint"]["name"]
    return command.replace(f"CHECKPOINTS/{name}", name) if is_bundled else command


def _recipes() -> dict[str, dict]:
    """Training facts by name as the recipes give them, for stages whose networks are not kept."""
    found = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in RECIPES.glob("*.toml")}
    return {name: recipe | {"pretraining": recipe.get("backbone_source")} for name, recipe in found.items()}


def _trainings(entries: list[Entry]) -> dict[str, dict]:
    """Training facts of the measured checkpoints by name, for those who started from them."""
    documents = [entry.result.document for entry in entries]
    return {document["checkpoint"]["name"]: document["checkpoint"]["training"] for document in documents}


def _caveats(entry: Entry, known: dict[str, dict], seeds: list[dict]) -> dict:
    """What keeps a reader of a row from reading too much: single images, effort, other seeds of the same recipe."""
    document, counts = entry.result.document, entry.result.counts
    found = seed_figures(document, seeds) if entry.provenance == "ours" else []
    mious = [one["miou"] for one in found]
    return {
        "per_image_miou": per_image_miou(counts.matrices) if counts else None,
        "worst_miou": worst_miou(counts.matrices) if counts else None,
        **_corrupted(document),
        "effort": effort(document["checkpoint"]["training"], known),
        "seeds": found,
        "seed_range": [min(mious), max(mious)] if mious else None,
    }


def _corrupted(document: dict) -> dict:
    """mIoU of corrupted images: the mean over kinds and levels, and each kind's by level; None where not measured."""
    measured = document.get("corruptions") or {"found": [], "images": None}
    kinds: dict[str, list[float]] = {}
    for one in measured["found"]:
        if one["level"]:
            kinds.setdefault(one["corruption"], []).append(one["miou"])
    values = [value for levels in kinds.values() for value in levels]
    mean = sum(values) / len(values) if values else None
    return {"corrupted_miou": mean, "corrupted_images": measured["images"], "corruptions": kinds}


def _foreground(document: dict) -> dict | None:
    matrix = document["confusion_matrix"]
    return None if matrix is None else foreground(np.array(matrix), tuple(document["dataset"]["classes"]))


def rank(rows: list[dict]) -> None:
    """Set each row's "rank" among the rows of its dataset and split; None where it has no mIoU interval."""
    for row in rows:
        own = row["miou_interval"]
        rivals = [other["miou_interval"] for other in rows if _images(other) == _images(row)]
        row["rank"] = 1 + sum(rival[0] > own[1] for rival in rivals if rival) if own else None


def share_times(rows: list[dict]) -> None:
    """Let equal networks of ours show equal time: the median of what was measured of all of them on one device.

    What was measured of each stays in its "timings". Networks are equal that multiply and hold as much, variant and
    backbone included. What others state of their own changes no row of ours.
    """
    same = ("variant", "backbone", "parameters", "gmacs", "device", "threads", "precision")
    times: dict[tuple, list[float]] = {}
    timed = [row for row in rows if row["milliseconds"] is not None and row["provenance"] == "ours"]
    for row in timed:
        times.setdefault(tuple(row[name] for name in same), []).append(row["milliseconds"])
    for row in timed:
        row["milliseconds"] = median(times[tuple(row[name] for name in same)])


def _images(row: dict) -> tuple[str, str]:
    return row["dataset"], row["split"]


def pairs(results: list[tuple[tuple[str, str], Result]]) -> dict[str, dict]:
    """Difference of mIoU, first minus second, and its 95 % interval for every two results on the same images.

    `results` come with the dataset and split of their rows. Of several results of one name the second is 'NAME#2'.
    """
    members: dict[tuple, list[tuple[str, Result]]] = {}
    seen: Counter = Counter()
    for place, result in results:
        bootstrap = result.document["protocol"]["bootstrap"]
        method = (bootstrap[name] for name in ("resamples", "block_frames", "seed"))
        seen[place, result.name] += 1
        number = seen[place, result.name]
        called = result.name if number == 1 else f"{result.name}#{number}"
        listed = () if result.contents else result.image_ids
        members.setdefault((place, listed, *method), []).append((called, result))
    found, alike = {}, {}
    for (place, *_), those in members.items():
        for names, pair in _group_pairs(dict(those)).items():
            found[f"{names}@{'/'.join(place)}"] = pair
            alike.setdefault(names, []).append(pair)
    return {names: pair[0] for names, pair in alike.items() if len(pair) == 1} | found


def _group_pairs(members: dict[str, Result]) -> dict[str, dict]:
    if len(members) < 2:
        return {}
    names, results = list(members), list(members.values())
    bootstrap = results[0].document["protocol"]["bootstrap"]
    matrices = [aligned(result, results[0]) for result in results]
    statistics = [miou_statistic(one) for one in matrices]
    couples = list(combinations(range(len(members)), 2))

    def statistic(weights):
        samples = [one(weights) for one in statistics]
        return np.stack([samples[first] - samples[second] for first, second in couples], axis=1)

    shown = both_intervals(
        results[0].sequences,
        statistic,
        block=bootstrap["block_frames"],
        resamples=bootstrap["resamples"],
        seed=bootstrap["seed"],
    )["shown"]
    classes = tuple(results[0].document["dataset"]["classes"])
    mious = [scores(one, classes).miou for one in matrices]
    return {
        f"{names[first]}|{names[second]}": {
            "difference": none_if_nan(mious[first] - mious[second]),
            "interval": None if np.isnan(shown[:, index]).any() else [float(value) for value in shown[:, index]],
        }
        for index, (first, second) in enumerate(couples)
    }


def aligned(result: Result, first: Result) -> np.ndarray:
    """The per-image matrices (n, C, C) of a result in the order of another's images, which may have other names."""
    if result.contents == first.contents:
        return result.counts.matrices
    order = np.empty(len(first.contents), int)
    order[np.argsort(first.contents, kind="stable")] = np.argsort(result.contents, kind="stable")
    return result.counts.matrices[order]
