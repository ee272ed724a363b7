"""Result documents as records: `Header` says what was measured on what, `ResultRecord` adds the figures.

`schema` is the JSON Schema of the whole, which `evaluation/results.schema.json` holds for those who submit results:
`python -m evaluation.leaderboard schema` prints it.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from zoo.records import Fraction, Line, Number, Record, Whole, facts, says
from zoo.text import Message, counted

SCHEMA_VERSION = 1
MOST_IMAGES = 10_000_000
MOST_RESAMPLES, LONGEST_BLOCK = 100_000, 10_000
HEX = re.compile(r"[0-9a-f]{64}")


class Part(Record):
    """A part of a result; what else it holds stays."""

    model_config = ConfigDict(extra="allow")


def _has_this_version(value: int) -> int:
    if value != SCHEMA_VERSION:
        raise ValueError(Message("result_version", value=repr(value)[:20], known=SCHEMA_VERSION))
    return value


def _differ(names: list[str]) -> bool:
    return 1 <= len(names) <= 255 and len(set(names)) == len(names)


Digest = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{HEX.pattern}$"}),
    says("record_sha256", lambda text: bool(HEX.fullmatch(text))),
]
Share = Fraction | None
Shares = dict[Line, Share]
Pair = Annotated[list[Fraction], Field(min_length=2, max_length=2)]
Amount = Annotated[Number, Field(ge=0)]


class Checkpoint(Part):
    """Which weights were measured."""

    name: Line
    variant: Line
    backbone: Line
    loss: Line
    source: Line
    repository: Line | None
    revision: Line | None
    sha256: Digest
    file_bytes: Whole
    training: Annotated[dict[str, Any], facts("checkpoint.training")]


class Dataset(Part):
    """On which images, of which classes."""

    name: Line
    split: Line
    images: Annotated[int, Field(ge=1, le=MOST_IMAGES)]
    image_list_sha256: Digest
    content_sha256: Digest | None = None  # older results lack it
    classes: Annotated[list[Line], says("result_classes", _differ)]
    void: Annotated[int, Field(ge=0, le=255)]


class Bootstrap(Part):
    """How the intervals were made."""

    resamples: Annotated[int, Field(ge=100, le=MOST_RESAMPLES)]
    block_frames: Annotated[int, Field(ge=1, le=LONGEST_BLOCK)]
    seed: Annotated[int, Field(ge=0, le=2**32)]


class Protocol(Part):
    """How the images went through the network."""

    precision: Line
    bootstrap: Bootstrap


class Timing(Part):
    """How long one image took on one device."""

    device: Line
    kind: Line
    precision: Line
    milliseconds: Amount
    peak_memory_bytes: Whole
    threads: Whole | None = None


class Cost(Part):
    """What the network costs; gmacs are 10^9 multiply-accumulates for one image."""

    parameters: Whole
    gmacs: Amount
    timings: Annotated[list[Timing], says("result_timings", lambda timings: 1 <= len(timings) <= 100)]


class Counts(Part):
    """The file of per-image counts beside the document."""

    file: Line
    sha256: Digest


class Environment(Part):
    """What it was measured with."""

    command: Annotated[str, Field(max_length=20_000)]
    date: Line
    git_commit: Line | None
    versions: Annotated[dict[str, Any], facts("environment.versions")]


ThisVersion = Annotated[int, Field(json_schema_extra={"const": SCHEMA_VERSION}), AfterValidator(_has_this_version)]


class Header(Part):
    """Everything of a result but its figures."""

    schema_version: ThisVersion
    checkpoint: Checkpoint
    dataset: Dataset
    protocol: Protocol
    scores: dict[str, Any]
    boundary: dict[str, Any]
    intervals: dict[str, Any]
    sequences: dict[str, Any]
    calibration: dict[str, Any]
    confusion_matrix: list[Any]
    cost: Cost
    counts: Counts
    environment: Environment


class Main(Part):
    """The scores that a row of the leaderboard shows; null where nothing could be measured."""

    pixel_accuracy: Share
    mean_accuracy: Share
    miou: Share
    frequency_weighted_iou: Share
    dice: Share


class Scores(Main):
    """And those of each class."""

    class_iou: Shares
    class_dice: Shares
    class_accuracy: Shares


class Sequence(Main):
    """The scores of one video sequence."""

    images: Whole
    boundary_f: Share
    class_iou: Shares


class Boundary(Part):
    """Boundary F, and mIoU in bands around the boundaries by their width in pixels."""

    boundary_f: Share
    trimap_miou: Shares


class Interval(Part):
    """95 % intervals from resampled images and from resampled blocks of frames, and the one of them that is shown."""

    images: Pair | None = None
    blocks: Pair | None = None  # of videos only
    shown: Pair | None


class Intervals(Part):
    """The intervals of the scores."""

    pixel_accuracy: Interval
    mean_accuracy: Interval
    miou: Interval
    frequency_weighted_iou: Interval
    dice: Interval
    boundary_f: Interval
    class_iou: dict[Line, Interval]


class Bin(Part):
    """Pixels whose confidence lies between `low` and `high`."""

    low: Fraction
    high: Fraction
    pixels: Whole
    confidence: Share
    accuracy: Share


class Calibration(Part):
    """How well confidence and accuracy agree."""

    expected_calibration_error: Share
    bins: list[Bin]


class Counted(Part):
    """mIoU of one way to show the images, with the pixels of each class that it follows from."""

    miou: Share
    intersection: list[Whole]
    union: list[Whole]


class Shown(Counted):
    """Images shown at one size: the long side in pixels."""

    longest_edge: Whole


class Photographed(Counted):
    """Images as photos of another shape, shown by one rule."""

    photo: Line
    rule: Line


class Sizes(Part):
    """mIoU against the size at which images are shown, as `python -m evaluation.sizes --into` adds it."""

    working_size: Whole
    images: Whole
    precision: Line
    rule: Line
    curve: list[Shown]
    photos: list[Photographed]


class Corrupted(Counted):
    """Images with one kind of corruption at one level, 0 for the clean ones; calibration counts as of `Calibration`."""

    corruption: Line
    level: Whole
    strength: Number | None
    expected_calibration_error: Share
    calibration: list[Whole]


class Corruptions(Part):
    """mIoU and calibration of corrupted images, as `python -m evaluation.corruptions --into` adds them."""

    images: Whole
    precision: Line
    found: list[Corrupted]


class ResultRecord(Header):
    """A whole result, as `python -m evaluation` writes it."""

    scores: Scores
    boundary: Boundary
    intervals: Intervals
    sequences: dict[Line, Sequence]
    calibration: Calibration
    confusion_matrix: list[list[Whole]]
    sizes: Sizes | None = None
    corruptions: Corruptions | None = None


def flaw_in_classes(record: ResultRecord) -> str:
    """What does not fit the classes of the dataset, '' if everything does."""
    classes = set(record.dataset.classes)
    named = {f"scores.{name}": getattr(record.scores, name) for name in ("class_iou", "class_dice", "class_accuracy")}
    named |= {f"sequences.{name}.class_iou": part.class_iou for name, part in record.sequences.items()}
    named["intervals.class_iou"] = record.intervals.class_iou
    for name, values in named.items():
        if set(values) != classes:
            return f"{name}: must name the classes of dataset.classes and no other"
    if any(len(row) != len(classes) for row in (record.confusion_matrix, *record.confusion_matrix)):
        return f"confusion_matrix: needs {counted(len(classes), 'row')} of {counted(len(classes), 'count')}"
    return ""


def schema() -> dict:
    """The JSON Schema of a result document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | ResultRecord.model_json_schema()
