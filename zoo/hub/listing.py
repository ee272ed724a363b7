"""The list of checkpoints on the Hub, and what their cards claim of themselves.

One request per author, repository and collection gives configuration, commit and card data of every model; small
`.eval_results` files are read once per commit. What does not read as a sound checkpoint becomes a problem.
"""

import datetime
import json
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated
from urllib.parse import quote

import yaml

from zoo.checkpoints.card import MIOU_NOTE, RESULTS_FOLDER, task_place
from zoo.checkpoints.folder import MAXIMUM_CONFIG_BYTES
from zoo.checkpoints.information import CONFIG_FILE, TAG, CheckpointError, CheckpointInfo, parse_config
from zoo.checkpoints.record import ConfigRecord
from zoo.hub.requests import (
    HubError,
    HubUnreachable,
    Watch,
    check_text,
    commit,
    file_address,
    get_json,
    parse_repository,
    repository_address,
    stream,
    within,
)
from zoo.hub.settings import HubSettings
from zoo.records import Fraction, Record, RecordError, is_plain, says
from zoo.text import Message

BYTES_PER_DTYPE = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2}
EXPANDED = ("cardData", "config", "sha", "lastModified", "tags", "siblings", "safetensors", "evalResults")
MAXIMUM_CLAIMS = 200  # of one card
MAXIMUM_EVAL_RESULTS = 4  # files per repository
MAXIMUM_EVAL_RESULTS_BYTES = 20_000
_EVAL_RESULTS = re.compile(re.escape(RESULTS_FOLDER) + r"/[\w-][\w.-]*\.yaml", re.ASCII)


@dataclass(frozen=True)
class AuthorScore:
    """What a model card on the Hub claims: a metric (the Hub's id, such as 'mean_iou') as a fraction in [0, 1]."""

    dataset: str
    split: str
    metric: str
    value: float
    date: str = ""


Shown = Annotated[str, says("record_line", is_plain, longest=200)]


class ClaimRecord(Record):
    """An AuthorScore as it comes from outside."""

    dataset: Shown
    split: Shown
    metric: Shown
    value: Fraction
    date: Shown = ""


@dataclass(frozen=True)
class Listing:
    """Checkpoints on the Hub as they were at `listed_at` (seconds since 1970), and a message per one left out.

    items: {'id', 'sha', 'config', 'file_bytes', 'claims', 'eval_results'} as stored on disk, of the Hub's answer what
    was read and nothing else; `checkpoints` is read from them.
    """

    checkpoints: tuple[CheckpointInfo, ...]
    problems: tuple[str, ...]
    listed_at: float
    items: tuple[dict, ...] = ()

    def author_scores(self) -> dict[str, tuple[AuthorScore, ...]]:
        """{OWNER/NAME: scores that its card claims}; not measured here, so they belong in no ranking of ours."""
        return {item["id"]: _author_scores(item) for item in self.items}


def list_checkpoints(settings: HubSettings, known: Iterable[dict] = ()) -> Listing:
    """Ask the Hub for the checkpoints that the settings name: one request per author, repository and collection.

    known: items of an earlier listing; files of commits that are among them are not read again.
    Raises HubUnreachable when the Hub cannot be asked. A repository that is not a sound checkpoint becomes a problem.
    """
    return within(
        lambda watch: _list(settings, watch, {(item["id"], item["sha"]): item for item in known}),
        quiet=settings.answer_seconds,
        total=settings.list_seconds,
        subject=Message("hub_subject_list"),
    )


def _list(settings: HubSettings, watch: Watch, known: dict[tuple[str, str], dict]) -> Listing:
    found, problems = {}, []
    expand = [("expand", name) for name in EXPANDED]
    for author in settings.authors:
        query = [("filter", TAG), ("limit", str(settings.limit)), *expand]
        query += [] if author == "*" else [("author", author)]
        subject = Message("hub_subject_models", author=author)
        try:
            answer = get_json("/api/models", settings, watch, subject=subject, query=query)
        except HubUnreachable:
            raise
        except HubError as error:
            problems.append(f"{error}.")
            continue
        models = [model for model in answer if isinstance(model, dict)] if isinstance(answer, list) else []
        found |= {str(model.get("id")): model for model in models[: settings.limit]}
        if len(models) >= settings.limit:
            problems.append(f"Models of {author}: only the first {settings.limit} are shown.")
    for name in [*settings.repos, *_collected(settings, watch, problems)]:
        try:
            repository, revision = parse_repository(name, settings.endpoint)
            found[repository] = get_json(
                repository_address(repository, revision), settings, watch, subject=repository, query=expand
            )
        except HubUnreachable:
            raise
        except HubError as error:
            problems.append(f"{error}.")
    items = []
    for repository, model in found.items():
        try:
            items.append(_item(repository, model, settings, watch, known))
        except HubUnreachable:
            raise
        except CheckpointError as error:
            problems.append(f"{repository[:200]!r} is left out: {error}")
    return read_items(items, problems, time.time())


def _collected(settings: HubSettings, watch: Watch, problems: list[str]) -> list[str]:
    names = []
    for slug in settings.collections:
        subject = Message("hub_subject_collection", slug=slug)
        try:
            answer = get_json(f"/api/collections/{quote(slug)}", settings, watch, subject=subject)
        except HubUnreachable:
            raise
        except HubError as error:
            problems.append(f"{error}.")
            continue
        entries = answer.get("items", []) if isinstance(answer, dict) else []
        names += [str(entry.get("id")) for entry in entries if isinstance(entry, dict) and entry.get("type") == "model"]
    return names[: settings.limit]


def _item(repository: str, model: dict, settings: HubSettings, watch: Watch, known: dict) -> dict:
    parse_repository(repository)
    sha = commit(model, repository)
    config, earlier = model.get("config"), known.get((repository, sha))
    # The Hub may shorten `config` to the fields that it knows; then the file itself is asked for.
    if not isinstance(config, dict) or not {"model_args", "weights", "id2label"} <= config.keys():
        config = earlier["config"] if earlier else _read_config(repository, sha, settings, watch)
    counts = (model.get("safetensors") or {}).get("parameters") or {}
    try:
        size = sum(int(count) * BYTES_PER_DTYPE[kind] for kind, count in counts.items())
    except (KeyError, ValueError, TypeError, AttributeError):
        size = 0
    card = model.get("cardData")
    claims = _index_scores(card.get("model-index") if isinstance(card, dict) else None)
    item = {"id": repository, "sha": sha, "config": config, "file_bytes": size if 0 <= size < 1e15 else 0}
    info = read_item(item)
    item |= {"config": ConfigRecord.read(config).model_dump(), "claims": [asdict(score) for score in claims]}
    results = earlier.get("eval_results") if earlier else None
    if results is None:
        results = _read_eval_results(repository, sha, model.get("siblings"), info.sha256, settings, watch)
    return item | {"eval_results": results}


def _read_config(repository: str, sha: str, settings: HubSettings, watch: Watch) -> object:
    address = file_address(repository, sha, CONFIG_FILE)
    text = b"".join(stream(address, settings, watch, subject=repository, limit=MAXIMUM_CONFIG_BYTES))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = Message("checkpoint_not_json", reason=str(error))
        raise CheckpointError(Message("checkpoint_at", place=CONFIG_FILE, reason=reason)) from None


def _read_eval_results(repository, sha, siblings, sha256, settings: HubSettings, watch: Watch) -> list[dict]:
    """The mean IoUs in a repository's `.eval_results`; a file that cannot be read costs nothing but itself."""
    siblings = siblings if isinstance(siblings, list) else []
    names = [str(entry.get("rfilename")) for entry in siblings if isinstance(entry, dict)]
    found = []
    for name in [name for name in names if _EVAL_RESULTS.fullmatch(name)][:MAXIMUM_EVAL_RESULTS]:
        address, limit = file_address(repository, sha, name), MAXIMUM_EVAL_RESULTS_BYTES
        try:
            text = b"".join(stream(address, settings, watch, subject=f"{repository}: {name}", limit=limit))
        except HubUnreachable:
            raise
        except HubError:
            continue
        found += parse_eval_results(text, sha256)
    return found


def parse_eval_results(text: bytes, sha256: str) -> list[dict]:
    """{'dataset', 'split', 'value' in [0, 1], 'date'} per mean IoU that our card writer put into `.eval_results`.

    An entry with other notes may be in another unit and is passed over, as is one that names other weights.
    """
    try:
        entries = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    found = []
    for entry in entries if isinstance(entries, list) else []:
        try:
            dataset, notes, date = entry["dataset"], entry["notes"], entry.get("date") or ""
            date = date.isoformat() if isinstance(date, datetime.date) else date  # YAML makes one of 2026-11-27
            name, split = task_place(dataset["id"], dataset["task_id"])
            place = {"dataset": name, "split": split, "date": date}
            score = _claim(place | {"metric": "mean_iou", "value": entry["value"] / 100})
        except (KeyError, TypeError, AttributeError, OverflowError):
            continue
        if score is None or not isinstance(notes, str):
            continue
        weights = re.search(r"sha256 ([0-9a-f]{64})", notes)
        if notes.startswith(MIOU_NOTE) and not (weights and weights[1] != sha256):
            found.append({name: getattr(score, name) for name in ("dataset", "split", "value", "date")})
    return found


def read_item(item: dict) -> CheckpointInfo:
    """The CheckpointInfo of one listed item; raises CheckpointError naming the field that is wrong."""
    info = parse_config(
        item["config"], source="hub", location=item["id"], revision=item["sha"], file_bytes=item["file_bytes"]
    )
    check_text(info)
    return info


def read_items(items: list[dict], problems: list[str], listed_at: float) -> Listing:
    """A Listing from items, leaving out those that do not read as checkpoints."""
    checkpoints, sound, problems = [], [], list(problems)
    for item in items:
        try:
            checkpoints.append(read_item(item))
            sound.append(item)
        except (CheckpointError, KeyError, TypeError, AttributeError) as error:
            problems.append(f"A listed repository is left out: {error}")
    return Listing(tuple(checkpoints), tuple(problems), listed_at, tuple(sound))


def _author_scores(item: dict) -> tuple[AuthorScore, ...]:
    """The readable entries of `.eval_results` and of the card's model-index; anything else is passed over."""
    results = [entry | {"metric": "mean_iou"} for entry in item.get("eval_results") or [] if isinstance(entry, dict)]
    found = {}
    for score in filter(None, map(_claim, results + (item.get("claims") or []))):
        found.setdefault((score.dataset, score.split, score.metric), score)
    return tuple(found.values())


def _index_scores(index: object) -> list[AuthorScore]:
    """The readable entries of a card's model-index; anything else is passed over."""
    found = []
    for model in index if isinstance(index, list) else []:
        for result in model.get("results") or [] if isinstance(model, dict) else []:
            try:
                dataset, metrics = result["dataset"], result["metrics"]
                place = {"dataset": dataset.get("config") or dataset["type"], "split": dataset.get("split") or ""}
                entries = [place | {"metric": metric["type"], "value": metric["value"]} for metric in metrics]
            except (KeyError, TypeError, AttributeError):
                continue
            found += filter(None, map(_claim, entries))
    return found[:MAXIMUM_CLAIMS]


def _claim(entry: dict) -> AuthorScore | None:
    """The score of a claim, None where it is no claim that may be shown."""
    try:
        return AuthorScore(**ClaimRecord.read(entry).model_dump())
    except RecordError:
        return None
