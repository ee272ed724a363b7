"""`config.json` as a record: which fields are read, and what they may hold."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from zoo.config import BaselineConfig, FCNConfig
from zoo.records import Line, Number, Record, facts, is_plain, says
from zoo.text import Message

FORMAT_VERSION = 1
MODEL_TYPES = {"fcn": FCNConfig, "smp": BaselineConfig}
NAME_LENGTH = 96
NAME_PATTERN = re.compile(rf"[a-z0-9][a-z0-9.+_-]{{0,{NAME_LENGTH - 1}}}")
MOST_PARAMETERS = 10**12
MAXIMUM_WORKING_SIZE = 8192


def _known_model_type(value: str) -> str:
    if value not in MODEL_TYPES:
        told = {"value": repr(value[:80]), "known": ", ".join(MODEL_TYPES)}
        raise ValueError(Message("checkpoint_model_type", **told))
    return value


def _known_version(value: int) -> int:
    if value != FORMAT_VERSION:
        raise ValueError(Message("checkpoint_version", value=repr(value)[:20], known=FORMAT_VERSION))
    return value


def _are_names(id2label: dict) -> bool:
    """Whether the keys are "0", "1", ... and every name is a text that can be shown in one line."""
    names = [id2label.get(str(index)) for index in range(len(id2label))]
    return all(isinstance(name, str) and name and is_plain(name, longest=80, markup=True) for name in names)


def _are_colours(palette: list) -> bool:
    return all(isinstance(colour, list) and all(type(value) is int for value in colour) for colour in palette)


class WeightsRecord(Record):
    """`weights` of a `config.json`."""

    sha256: Annotated[str, says("checkpoint_sha256", lambda text: bool(re.fullmatch(r"[0-9a-f]{64}", text)))]
    num_parameters: Annotated[int, Field(ge=0, le=MOST_PARAMETERS)]
    file: Line | None = None


class WorkingSizeRecord(Record):
    """`working_size` of a `config.json`: long side in pixels, under the name that image processors give it."""

    longest_edge: Annotated[int, Field(ge=1, le=MAXIMUM_WORKING_SIZE)]


class DomainRecord(Record):
    """`domain` of a `config.json`: the statistics of the training photos, see `zoo.models.domain`."""

    sha256: Annotated[str, says("checkpoint_sha256", lambda text: bool(re.fullmatch(r"[0-9a-f]{64}", text)))]
    limit: Annotated[float, Field(gt=0, lt=1e6)]


class TrainingRecord(Record):
    """The training facts that are read; whatever else they hold goes through `zoo.records.check`."""

    loss: Line
    dataset: Line
    dataset_title: Line | None = None


class ConfigRecord(Record):
    """What is read of a `config.json`. Other fields, those that other programs look for, are passed over."""

    model_type: Annotated[str, AfterValidator(_known_model_type)]
    format_version: Annotated[int, AfterValidator(_known_version)]
    name: Annotated[str, says("checkpoint_name", lambda text: bool(NAME_PATTERN.fullmatch(text)))]
    training: Annotated[dict[str, Any], facts("training")]
    weights: WeightsRecord
    id2label: Annotated[dict[str, Any], says("checkpoint_id2label", _are_names)]
    palette: Annotated[list[Any], says("checkpoint_palette", _are_colours)]
    ignore_index: int
    model_args: Annotated[dict[str, Any], facts("model_args", longest=200, lines=False)]
    image_mean: list[Number]
    image_std: list[Number]
    architecture: Line
    working_size: WorkingSizeRecord | None = None
    domain: DomainRecord | None = None

    @property
    def told(self) -> TrainingRecord:
        """The training facts that have a meaning here; raises RecordError."""
        return TrainingRecord.read(self.training, "training")
