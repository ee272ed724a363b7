"""Results from dataset repositories on the Hub, downloaded within limits and read as the work of strangers.

A repository holds what `python -m evaluation` writes, in any folder: `NAME__DATASET__SPLIT.json` and, beside it, the
counts as `.npz`. Files land in `CACHE/results/OWNER--NAME/COMMIT`; unchanged ones are not asked for again. Figures are
recomputed from the counts with this project's own bootstrap; without counts only the main ones are taken, as stated.
"""

import json
import math
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.counting.bootstrap import BLOCK, RESAMPLES, SCORES
from evaluation.counting.content import content_sha256
from evaluation.counting.figures import figures
from evaluation.measuring.agreement import differences, wrong_parts
from evaluation.measuring.results import (
    Result,
    ResultError,
    image_list_sha256,
    published_name,
    read_document,
    read_result,
)
from zoo.atomic import remove_leftovers, whole_folder
from zoo.hub.publish import same_file
from zoo.hub.requests import (
    HubError,
    HubUnreachable,
    Watch,
    commit,
    file_address,
    get_json,
    parse_repository,
    repository_address,
    stream,
    within,
)
from zoo.hub.settings import HubSettings
from zoo.records import is_plain
from zoo.text import Message

MAXIMUM_JSON_BYTES = 500_000
MAXIMUM_COUNTS_BYTES = 20_000_000
MAXIMUM_UNPACKED_BYTES = 200_000_000
MAXIMUM_SEQUENCES = 100
MAXIMUM_IMAGES = 20_000
MAXIMUM_TRAINING_CHARACTERS = 20_000
LONGEST_TEXT = 1000
COUNTED_FACTS = ("epochs", "stop_epoch", "steps", "batch_size", "crop", "seed")  # of a training, that rows show
TOLD_FACTS = ("dataset", "split", "loss", "start_from", "pretraining", "extra_dataset", "distill_from", "recipe")
BOOTSTRAP = {"resamples": RESAMPLES, "block_frames": BLOCK, "seed": 0}
_NAME = re.compile(r"(?:[A-Za-z0-9][\w.+-]*/){0,4}[A-Za-z0-9][\w.+-]{0,200}\.json", re.ASCII)


@dataclass(frozen=True)
class HubResult:
    """A result of a stranger's that may be shown. by: 'author' of the checkpoint or 'community'.

    `result.counts` is None where the repository has none; its figures are then as stated and without intervals.
    """

    result: Result
    by: str

    @property
    def checkpoint(self) -> str:
        """OWNER/NAME or torchvision:NAME."""
        return self.result.document["checkpoint"]["name"]


def download_results(name: str, settings: HubSettings) -> tuple[Path, list[str]]:
    """The folder with the results of the dataset repository `name` (OWNER/NAME[@REVISION]) as it is now, and problems.

    Raises HubUnreachable when the Hub cannot be asked and HubError when there is no such repository.
    """
    repository, revision = parse_repository(name, settings.endpoint)
    home, subject = results_home(repository, settings), Message("hub_subject_results", repository=repository)

    def work(watch: Watch) -> tuple[Path, list[str]]:
        address, query = repository_address(repository, revision, "dataset"), [("blobs", "true")]
        answer = get_json(address, settings, watch, subject=repository, query=query)
        sha = commit(answer, repository)
        files, problems = _files(repository, answer, settings.limit)
        if not (home / sha).is_dir():
            with whole_folder(home / sha) as staging:
                problems += _fetch(repository, sha, files, staging, settings, watch)
        return home / sha, problems

    try:
        home.mkdir(parents=True, exist_ok=True)
        folder, problems = within(work, quiet=settings.answer_seconds, total=settings.pull_seconds, subject=subject)
        os.utime(folder)  # says when the Hub was asked last
        remove_leftovers(home)
        for other in home.glob("[0-9a-f]*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        facts = {"place": str(home), "reason": error.strerror or str(error), "variable": "FCN_ZOO_CACHE"}
        raise HubError(Message("hub_cache", subject=repository, **facts)) from None
    return folder, problems


def results_home(repository: str, settings: HubSettings) -> Path:
    """The folder in the cache that holds the downloads of a results repository, one folder per commit."""
    return settings.cache / "results" / repository.replace("/", "--")


def stored_results(name: str, settings: HubSettings) -> Path | None:
    """The folder that an earlier `download_results` left, if there is one."""
    home = results_home(parse_repository(name, settings.endpoint)[0], settings)
    folders = [folder for folder in home.glob("[0-9a-f]*") if folder.is_dir()]
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def _files(repository: str, answer: dict, limit: int) -> tuple[dict[str, dict], list[str]]:
    """{name: entry} of the result files worth having, each JSON with its counts, and what is left out."""
    entries = answer.get("siblings")
    entries = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    there = {str(entry.get("rfilename")): entry for entry in entries}
    wanted, problems = {}, []
    names = sorted(name for name in there if _NAME.fullmatch(name) and ".." not in name)
    if len(names) > limit:
        problems.append(f"{repository}: only the first {limit} of {len(names)} results are read")
    for name in names[:limit]:
        counts = name.removesuffix(".json") + ".npz"
        for file, most in ((name, MAXIMUM_JSON_BYTES), (counts, MAXIMUM_COUNTS_BYTES)):
            size = there.get(file, {}).get("size")
            if isinstance(size, int) and size > most:
                problems.append(f"{repository}: {file[:200]} has {size:,} bytes, more than {most:,}; left out")
                break
        else:
            wanted |= {file: there[file] for file in (name, counts) if file in there}
    return wanted, problems


def _fetch(repository, sha, files: dict[str, dict], staging: Path, settings: HubSettings, watch: Watch) -> list[str]:
    """Bring `files` into `staging`, unchanged ones from an earlier download; returns what could not be had."""
    earlier = [folder for folder in staging.parent.glob("[0-9a-f]*") if folder.is_dir()]
    problems = []
    for name, entry in files.items():
        target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        have = next((folder / name for folder in earlier if (folder / name).is_file()), None)
        if have and same_file(have, entry):
            shutil.copyfile(have, target)
            continue
        limit = MAXIMUM_JSON_BYTES if name.endswith(".json") else MAXIMUM_COUNTS_BYTES
        address = file_address(repository, sha, name, "dataset")
        try:
            with open(target, "wb") as file:
                for chunk in stream(address, settings, watch, subject=f"{repository}: {name}", limit=limit):
                    file.write(chunk)
        except HubUnreachable:
            raise
        except HubError as error:
            target.unlink()
            problems.append(str(error))
    return problems


def read_hub_results(folder: Path, owner: str) -> tuple[list[HubResult], list[str]]:
    """The results in a downloaded folder that may be shown, and one message for each that may not.

    `owner` is whose repository it is: results of the same owner's checkpoints are the author's.
    """
    found, problems = [], []
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        try:
            found.append(read_hub_result(path, owner))
        except (ResultError, HubError) as error:
            reason = str(error).replace(f"{folder}/", "").removeprefix(f"{name}: ")
            problems.append(f"{name}: {reason}")
        except Exception as error:  # whatever a stranger's file ends in, it hides that one row alone
            problems.append(f"{name}: cannot be read ({type(error).__name__})")
    return found, problems


def read_hub_result(path: Path, owner: str) -> HubResult:
    """One result of a stranger's, its texts and numbers checked, its figures recomputed from the counts.

    Raises ResultError or HubError naming what is wrong: a checkpoint that is not on the Hub at a fixed commit, text
    that could deceive, numbers that are none, figures that the counts do not give.
    """
    document = read_document(path)
    _check_texts(document)
    checkpoint = document["checkpoint"]
    name = published_name(checkpoint)
    if checkpoint["source"] == "hub":
        parse_repository(name)
    if len(json.dumps(checkpoint["training"])) > MAXIMUM_TRAINING_CHARACTERS:
        raise ResultError(f"checkpoint.training: longer than {MAXIMUM_TRAINING_CHARACTERS} characters")
    if document["dataset"]["images"] > MAXIMUM_IMAGES:
        raise ResultError(f"dataset.images: at most {MAXIMUM_IMAGES}")
    _check_training(checkpoint["training"])
    _check_cost(document)
    if wrong := wrong_parts(document):
        raise ResultError(wrong[0])
    stated = _stated_scores(document)
    by = "author" if name.split("/")[0] == owner else "community"
    # The name by which the catalog knows it, and a command that a visitor can copy without reading it first.
    document["checkpoint"] = checkpoint | {"name": name}
    document["environment"] = document["environment"] | {"command": _command(document)}
    if not path.with_suffix(".npz").is_file():
        return HubResult(Result(document | figures_as_stated(stated), None, (), ()), by)
    result = read_result(path, maximum_unpacked=MAXIMUM_UNPACKED_BYTES, figures=False)
    return HubResult(_recomputed(result, document, stated), by)


def _recomputed(result: Result, document: dict, stated: dict) -> Result:
    if image_list_sha256(result.image_ids) != document["dataset"]["image_list_sha256"]:
        raise ResultError("dataset.image_list_sha256 is not that of the image names in the counts")
    if result.contents and content_sha256(result.contents) != document["dataset"]["content_sha256"]:
        raise ResultError("dataset.content_sha256 is not that of the images in the counts")
    if len(set(result.image_ids)) != len(result.image_ids):
        raise ResultError("an image is counted twice")
    if len(set(result.sequences)) > MAXIMUM_SEQUENCES or not all(map(is_plain, set(result.sequences))):
        raise ResultError(f"sequences: at most {MAXIMUM_SEQUENCES}, with plain names")
    found = figures(result.counts, tuple(document["dataset"]["classes"]), result.sequences, **BOOTSTRAP)
    wrong = differences(stated, {name: found["scores"][name] for name in SCORES}, "scores")
    if wrong:
        raise ResultError(wrong[0])
    protocol = document["protocol"] | {"bootstrap": BOOTSTRAP}
    return replace(result, document=document | found | {"protocol": protocol})


def _stated_scores(document: dict) -> dict:
    scores = {}
    for name in SCORES:
        value = document["scores"].get(name)
        if value is not None and not (isinstance(value, float | int) and 0 <= value <= 1):
            raise ResultError(f"scores.{name}: needs a number from 0 to 1")
        scores[name] = value
    return scores


def figures_as_stated(scores: dict) -> dict:
    """The figures of a result that nothing but its own word stands for: no interval, so no rank, and no details."""
    return {
        "scores": scores | {"class_iou": {}, "class_dice": {}, "class_accuracy": {}},
        "boundary": {"boundary_f": None, "trimap_miou": {}},
        "intervals": {"miou": {"shown": None}, "boundary_f": {"shown": None}},
        "sequences": {},
        "calibration": {"expected_calibration_error": None, "bins": []},
        "confusion_matrix": None,
    }


def _check_training(training: dict) -> None:
    """Raise ResultError naming a training fact that rows show and that is of another type than a training writes."""
    for kind, names in ((int, COUNTED_FACTS), (str, TOLD_FACTS)):
        for name in names:
            value = training.get(name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise ResultError(f"checkpoint.training.{name}: needs {'a whole number' if kind is int else 'a text'}")


def _check_cost(document: dict) -> None:
    cost, file_bytes = document["cost"], document["checkpoint"]["file_bytes"]
    numbers = {"parameters": cost["parameters"], "gmacs": cost["gmacs"], "file_bytes": file_bytes}
    for timing in cost["timings"]:
        numbers |= {name: timing[name] for name in ("milliseconds", "peak_memory_bytes")}
        for name, value in numbers.items():
            if not (math.isfinite(value) and 0 <= value < 1e15):
                raise ResultError(f"cost.{name}: must be finite and not negative")
    if len(cost["timings"]) > 10:
        raise ResultError("cost.timings: at most 10")


def _check_texts(value: object, name: str = "result") -> None:
    """Raise ResultError naming a text that could deceive, or a number that is none.

    Markup is let through: tables and charts take data as text only.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_texts(key, name)
            _check_texts(inner, f"{name}.{key}"[:100])
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner, name)
    elif isinstance(value, str) and not is_plain(value, longest=LONGEST_TEXT, markup=True):
        raise ResultError(f"{name}: a text has control characters or more than {LONGEST_TEXT} characters")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ResultError(f"{name}: a number is not finite")


def _command(document: dict) -> str:
    checkpoint, dataset = document["checkpoint"], document["dataset"]
    for name in ("name", "split"):
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", dataset[name], re.ASCII):
            raise ResultError(f"dataset.{name}: use letters, digits and . _ -")
    words = f"--dataset {dataset['name']} --data DIR --split {dataset['split']}"
    words += f" --revision {checkpoint['revision']}" if checkpoint["source"] == "hub" else ""
    return f"python -m evaluation {checkpoint['name']} {words}"
