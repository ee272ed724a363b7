"""One leaderboard from several sources: the results that ship with the repository, those on the Hub, authors' cards.

The same weights on the same images under the same protocol are one row. The shipped result goes before those of the
Hub, a result with counts before one that only states figures, and any result before what a model card claims.
"""

from collections import Counter
from dataclasses import dataclass

from evaluation.board.hub_results import HubResult, figures_as_stated
from evaluation.counting.content import images_of
from evaluation.measuring.results import Result
from zoo.checkpoints.information import CheckpointInfo
from zoo.hub.listing import AuthorScore

PROTOCOL = ("size", "void", "test_time_augmentation", "precision")  # what makes figures of equal weights differ


@dataclass(frozen=True)
class Entry:
    """A result on its way to a row. provenance: 'ours', 'author' or 'community'; recomputed: from stored counts."""

    result: Result
    provenance: str = "ours"
    recomputed: bool = True


@dataclass(frozen=True)
class Additions:
    """What the Hub adds. checkpoints: those listed on it; author_scores: by OWNER/NAME what their cards claim."""

    results: tuple[HubResult, ...] = ()
    checkpoints: tuple[CheckpointInfo, ...] = ()
    author_scores: dict[str, tuple[AuthorScore, ...]] | None = None


def merge(shipped: list[Result], additions: Additions) -> tuple[list[Entry], list[str]]:
    """Entries without duplicates, the shipped ones first, and one message for each result of the Hub left out."""
    entries, problems = [Entry(result) for result in shipped], []
    listed = {info.location: info for info in additions.checkpoints if info.source == "hub"}
    sound = []
    references = _references(shipped, additions.results)
    for one in additions.results:
        reason = _reason_against(one, references, listed)
        if reason:
            problems.append(f"{one.checkpoint}: {reason}")
        else:
            sound.append(one)
    taken = {_weights_key(entry.result.document) for entry in entries}
    named = set()
    for one in sorted(sound, key=lambda one: _preference(one, listed)):
        document = one.result.document
        weights, name = _weights_key(document), (one.checkpoint, *_weights_key(document)[1:])
        if weights not in taken and name not in named:
            entries.append(Entry(one.result, one.by, one.result.counts is not None))
        taken.add(weights)
        named.add(name)
    measured = {_place(entry.result.document) for entry in entries}
    for info in listed.values():
        for result in claims(info, (additions.author_scores or {}).get(info.location, ())):
            if _place(result.document) not in measured:
                entries.append(Entry(result, "author", False))
    return entries, problems


def _weights_key(document: dict) -> tuple:
    rules = tuple(str(document["protocol"].get(name)) for name in PROTOCOL)
    return document["checkpoint"]["sha256"], images_of(document), rules


def _place(document: dict) -> tuple[str, str, str]:
    return document["checkpoint"]["sha256"], document["dataset"]["name"], document["dataset"]["split"]


def _references(shipped: list[Result], found: tuple[HubResult, ...]) -> dict[tuple, dict]:
    """{(dataset, split): facts of the data set} of the images that results must share to stand in one table.

    The shipped results decide; without one the images that most results of the Hub were measured on.
    """
    references = {}
    counted = [one.result.document for one in found if one.result.counts is not None]
    votes = Counter(map(images_of, counted))
    for document in sorted(counted, key=lambda document: votes[images_of(document)]):
        references[_split(document)] = document["dataset"]
    for result in shipped:
        references[_split(result.document)] = result.document["dataset"]
    return references


def _split(document: dict) -> tuple[str, str]:
    return document["dataset"]["name"], document["dataset"]["split"]


def _same_images(reference: dict, dataset: dict) -> bool:
    """Whether two results state the same images: by content where both know it, otherwise by the list of names."""
    both = reference.get("content_sha256") and dataset.get("content_sha256")
    key = "content_sha256" if both else "image_list_sha256"
    return reference[key] == dataset[key] and reference["classes"] == dataset["classes"]


def _reason_against(one: HubResult, references: dict[tuple, dict], listed: dict[str, CheckpointInfo]) -> str:
    place, dataset = _split(one.result.document), one.result.document["dataset"]
    if not _same_images(references.get(place, dataset), dataset):
        return f"measured on other images or classes than the other results of {' '.join(place)}; left out"
    info, checkpoint = listed.get(one.checkpoint), one.result.document["checkpoint"]
    if info and info.revision == checkpoint["revision"] and info.sha256 != checkpoint["sha256"]:
        return f"its weights at {checkpoint['revision'][:7]} are not the measured ones; left out"
    return ""


def _preference(one: HubResult, listed: dict[str, CheckpointInfo]) -> tuple:
    """Smallest first: with counts, the weights that the repository holds now, not the author's own, the latest."""
    document = one.result.document
    info = listed.get(one.checkpoint)
    current = info is not None and info.sha256 == document["checkpoint"]["sha256"]
    date = [-ord(letter) for letter in document["environment"]["date"]]
    return one.result.counts is None, not current, one.by == "author", date


def claims(info: CheckpointInfo, scores: tuple[AuthorScore, ...]) -> list[Result]:
    """Results, without counts, of what a checkpoint's card says of its mean IoU, one per dataset and split."""
    found = []
    for score in scores:
        if score.metric != "mean_iou":
            continue
        place = score.dataset, score.split
        accuracy = {one.metric: one.value for one in scores if (one.dataset, one.split) == place}.get("accuracy")
        found.append(Result(_claim(info, score, accuracy), None, (), ()))
    return found


def _claim(info: CheckpointInfo, score: AuthorScore, accuracy: float | None) -> dict:
    timing = dict.fromkeys(("milliseconds", "peak_memory_bytes")) | {"kind": "cpu", "device": "", "precision": ""}
    scores = {"miou": score.value, "pixel_accuracy": accuracy, "mean_accuracy": None}
    return {
        "checkpoint": {
            "name": info.location,
            "variant": info.variant,
            "backbone": info.backbone_label,
            "loss": info.loss,
            "source": "hub",
            "repository": info.location,
            "revision": info.revision,
            "sha256": info.sha256,
            "file_bytes": info.file_bytes,
            "training": info.training,
        },
        "dataset": {"name": score.dataset, "split": score.split, "images": None, "classes": list(info.labels.classes)},
        "protocol": {},
        "cost": {"parameters": info.parameters, "gmacs": None, "timings": [timing]},
        "environment": {"command": "", "git_commit": None, "versions": {}, "date": score.date},
        **figures_as_stated(scores | {"frequency_weighted_iou": None, "dice": None}),
    }
