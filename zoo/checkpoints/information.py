"""What a checkpoint says of itself: CheckpointInfo, and `config.json` from and to it.

`config.json` carries what transformers- and timm-style readers look for (id2label, image_mean, pretrained_cfg, ...)
beside `model_args`, the FCNConfig. Every field that is read is checked, and an error names it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from zoo.checkpoints.record import (
    FORMAT_VERSION,
    MAXIMUM_WORKING_SIZE,
    MODEL_TYPES,
    NAME_LENGTH,
    ConfigRecord,
    TrainingRecord,
)
from zoo.config import OUTPUT_STRIDE, BaselineConfig, FCNConfig
from zoo.labels import LabelSet
from zoo.records import RecordError
from zoo.text import Message

if TYPE_CHECKING:
    from zoo.models.protocol import Network

TAG = "fcn-zoo"  # on the Hub, a model with this tag is a checkpoint folder of this zoo
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
DOMAIN_FILE = "domain.safetensors"
INDEX_FILE = "model.safetensors.index.json"  # instead of it, where the weights lie in shards
CROP_SHARE = 1.5  # long side of a training image / side of a square crop, as with 480x360 images and crops of 320


class CheckpointError(ValueError):
    """A checkpoint folder that cannot be used; the message names the file or field and what to do."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself, read without touching the weights.

    source: 'bundled', 'folder', 'hub' or 'torchvision'; location: the folder, or 'owner/repository'; revision: commit
    on the Hub.
    sha256, parameters, file_bytes describe `model.safetensors` or its shards, of which weights_file is the index;
    training holds facts such as epochs and seed.
    working_size: long side in pixels at which photos are shown to the network, None for their own;
    working_size_from: 'config.json', 'training crop' where that field is missing, or 'nothing';
    domain: sha256 of `domain.safetensors` and the limit of its distances, None where it is not told.
    """

    name: str
    source: str
    location: str
    revision: str | None
    config: FCNConfig | BaselineConfig
    labels: LabelSet
    loss: str
    dataset: str
    sha256: str
    parameters: int
    file_bytes: int
    training: dict
    weights_file: str = WEIGHTS_FILE
    working_size: int | None = None
    working_size_from: str = "nothing"
    domain: dict | None = None

    # Derived once: the page asks for them at every step of a comparison.
    @cached_property
    def variant(self) -> str:
        return self.config.variant

    @cached_property
    def backbone(self) -> str:
        return self.config.backbone

    @cached_property
    def width(self) -> float:
        return self.config.width

    @cached_property
    def offered_as(self) -> str:
        """The name by which a catalog knows it: OWNER/NAME on the Hub, its own name elsewhere."""
        return self.location if self.source == "hub" else self.name

    @cached_property
    def backbone_label(self) -> str:
        return backbone_label(self.config, self.training.get("pretraining"))

    @cached_property
    def trained_on(self) -> str:
        """The dataset, or several joined by '+' as in checkpoint names."""
        extra = self.training.get("extra_dataset")
        return f"{self.dataset}+{extra}" if isinstance(extra, str) and extra else self.dataset


def describe(info: CheckpointInfo) -> dict:
    """A CheckpointInfo as JSON values."""
    return asdict(info) | {"config": info.config.to_dict(), "labels": asdict(info.labels)}


def backbone_label(config: FCNConfig | BaselineConfig, pretraining: object = None) -> str:
    """Backbone as it stands in checkpoint names: 'vgg16bn-w25' is a VGG-16 with batch norm at 25 % width.

    'vgg16-in' started from ImageNet: `pretraining` is what the training facts say, and begins with that word.
    """
    label = config.backbone.replace("_", "")
    label = label if config.width == 1.0 else f"{label}-w{round(config.width * 100)}"
    return f"{label}-in" if str(pretraining or "").startswith("ImageNet") else label


def checkpoint_name(config: FCNConfig | BaselineConfig, loss: str, dataset: str, pretraining: str | None = None) -> str:
    """`{variant}-{backbone}-{loss}-{dataset}`, for example 'fcn8s-vgg16bn-w25-ce-camvid'.

    What a name cannot hold, such as the star of '0.5*focal+dice' or a space in a folder's name, becomes '-'.
    """
    text = f"{config.variant}-{backbone_label(config, pretraining)}-{loss}-{dataset}".lower()
    return re.sub(r"[^a-z0-9.+_-]+", "-", text)[:NAME_LENGTH].rstrip("-")


def parse_config(
    document: object, *, source: str, location: str, revision: str | None, file_bytes: int
) -> CheckpointInfo:
    """CheckpointInfo from the parsed `config.json`; raises CheckpointError with the field that is missing or wrong."""
    try:
        record = ConfigRecord.read(document)
        told = record.told
    except RecordError as error:
        raise CheckpointError(error.args[0]) from None
    labels = _labels(record, told)
    config = _config(record, labels)
    return CheckpointInfo(
        name=record.name,
        source=source,
        location=location,
        revision=revision,
        config=config,
        labels=labels,
        loss=told.loss,
        dataset=told.dataset,
        sha256=record.weights.sha256,
        parameters=record.weights.num_parameters,
        file_bytes=file_bytes,
        training=record.training,
        weights_file=INDEX_FILE if record.weights.file == INDEX_FILE else WEIGHTS_FILE,
        **_working_size(record),
        domain=record.domain and record.domain.model_dump(),
    )


def _working_size(record: ConfigRecord) -> dict:
    """The working size and where it comes from: the field, else the training crop, else nothing."""
    if record.working_size is not None:
        return {"working_size": record.working_size.longest_edge, "working_size_from": CONFIG_FILE}
    crop = record.training.get("crop")
    if type(crop) is int and 1 <= crop <= MAXIMUM_WORKING_SIZE / CROP_SHARE:
        return {"working_size": round(crop * CROP_SHARE), "working_size_from": "training crop"}
    return {}


def _labels(record: ConfigRecord, told: TrainingRecord) -> LabelSet:
    names = tuple(record.id2label[str(index)] for index in range(len(record.id2label)))
    colours = tuple(tuple(colour) for colour in record.palette)
    try:
        return LabelSet(told.dataset, told.dataset_title or told.dataset, names, colours, record.ignore_index)
    except ValueError as error:
        raise CheckpointError(Message("checkpoint_labels", reason=str(error)[:300])) from None


def _config(record: ConfigRecord, labels: LabelSet) -> FCNConfig | BaselineConfig:
    arguments = record.model_args | {"classes": list(labels.classes)}
    arguments |= {"mean": record.image_mean, "std": record.image_std}
    try:
        config = MODEL_TYPES[record.model_type].from_dict(arguments)
    except (ValueError, TypeError) as error:
        raise CheckpointError(Message("checkpoint_arguments", reason=str(error)[:300])) from None
    if isinstance(config, BaselineConfig) and config.library != record.model_type:
        raise CheckpointError(Message("checkpoint_arguments", reason=f"library: must be {record.model_type!r}"))
    if record.architecture != config.variant:
        raise CheckpointError(Message("checkpoint_architecture", variant=repr(config.variant)))
    return config


def config_document(
    model: Network, labels: LabelSet, training: dict, name: str, *, working_size: int | None = None
) -> dict:
    """`config.json` of a model; the weights' sha256 and dtype are added once they are written."""
    config = model.config
    arguments = config.to_dict()
    mean, std = arguments.pop("mean"), arguments.pop("std")
    del arguments["classes"]
    names, is_fcn = dict(enumerate(labels.classes)), isinstance(config, FCNConfig)
    return {
        "library_name": "fcn-zoo",
        "format_version": FORMAT_VERSION,
        "model_type": "fcn" if isinstance(config, FCNConfig) else config.library,
        "name": name,
        "architectures": [config.variant.upper().replace("S", "s") if is_fcn else config.variant],
        "architecture": config.variant,
        "model_args": arguments,
        "num_labels": len(names),
        "num_channels": 3,
        "id2label": {str(index): label for index, label in names.items()},
        "label2id": {label: index for index, label in names.items()},
        "palette": [list(colour) for colour in labels.palette],
        "ignore_index": labels.void,
        "semantic_loss_ignore_index": labels.void,
        "image_mean": mean,
        "image_std": std,
        "rescale_factor": 1 / 255,
        "channel_order": config.channel_order if isinstance(config, FCNConfig) else "rgb",
        **({"output_stride": OUTPUT_STRIDE[config.variant]} if is_fcn else {}),
        "pretrained_cfg": {"mean": mean, "std": std, "interpolation": "bilinear"},
        **({"working_size": {"longest_edge": working_size}} if working_size else {}),
        "training": training,
        "weights": {"file": WEIGHTS_FILE, "num_parameters": sum(p.numel() for p in model.parameters())},
    }
