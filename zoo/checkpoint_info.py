"""What a checkpoint says of itself: CheckpointInfo, and `config.json` from and to it.

`config.json` carries what transformers- and timm-style readers look for (id2label, image_mean, pretrained_cfg, ...)
beside `model_args`, the FCNConfig. Every field that is read is checked, and an error names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.config import OUTPUT_STRIDE, BaselineConfig, FCNConfig
from zoo.labels import LabelSet
from zoo.page import Message

if TYPE_CHECKING:
    from zoo.fcn import FCN

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
FORMAT_VERSION = 1
MODEL_TYPES = {"fcn": FCNConfig, "smp": BaselineConfig}
NAME_LENGTH = 96
NAME_PATTERN = re.compile(rf"[a-z0-9][a-z0-9.+_-]{{0,{NAME_LENGTH - 1}}}")


class CheckpointError(ValueError):
    """A checkpoint folder that cannot be used; the message names the file or field and what to do."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself, read without touching the weights.

    source: 'bundled', 'folder', 'hub' or 'torchvision'; location: the folder, or 'owner/repository'; revision: commit
    on the Hub.
    sha256, parameters, file_bytes describe `model.safetensors`; training holds facts such as epochs and seed.
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

    @property
    def variant(self) -> str:
        return self.config.variant

    @property
    def backbone(self) -> str:
        return self.config.backbone

    @property
    def width(self) -> float:
        return self.config.width

    @property
    def backbone_label(self) -> str:
        return backbone_label(self.config)


def backbone_label(config: FCNConfig) -> str:
    """Backbone as it stands in checkpoint names: 'vgg16bn-w25' is a VGG-16 with batch norm at 25 % width."""
    label = config.backbone.replace("_", "")
    return label if config.width == 1.0 else f"{label}-w{round(config.width * 100)}"


def checkpoint_name(config: FCNConfig, loss: str, dataset: str) -> str:
    """`{variant}-{backbone}-{loss}-{dataset}`, for example 'fcn8s-vgg16bn-w25-ce-camvid'.

    What a name cannot hold, such as the star of '0.5*focal+dice' or a space in a folder's name, becomes '-'.
    """
    text = f"{config.variant}-{backbone_label(config)}-{loss}-{dataset}".lower()
    return re.sub(r"[^a-z0-9.+_-]+", "-", text)[:NAME_LENGTH].rstrip("-")


def parse_config(
    document: object, *, source: str, location: str, revision: str | None, file_bytes: int
) -> CheckpointInfo:
    """CheckpointInfo from the parsed `config.json`; raises CheckpointError with the field that is missing or wrong."""
    model_type = _field(document, "model_type", str)
    if model_type not in MODEL_TYPES:
        facts = {"value": repr(model_type[:80]), "known": ", ".join(MODEL_TYPES)}
        raise CheckpointError(Message("checkpoint_model_type", **facts))
    version = _field(document, "format_version", int)
    if version != FORMAT_VERSION:
        raise CheckpointError(Message("checkpoint_version", value=version, known=FORMAT_VERSION))
    name = _field(document, "name", str)
    if not NAME_PATTERN.fullmatch(name):
        raise CheckpointError(Message("checkpoint_name"))
    training, weights = _field(document, "training", dict), _field(document, "weights", dict)
    labels = _parse_labels(document)
    arguments = dict(_field(document, "model_args", dict))
    arguments["classes"] = list(labels.classes)
    arguments |= {"mean": _field(document, "image_mean", list), "std": _field(document, "image_std", list)}
    try:
        config = MODEL_TYPES[model_type].from_dict(arguments)
    except (ValueError, TypeError) as error:
        raise CheckpointError(Message("checkpoint_arguments", reason=str(error))) from None
    if isinstance(config, BaselineConfig) and config.library != model_type:
        raise CheckpointError(Message("checkpoint_arguments", reason=f"library: must be {model_type!r}"))
    if _field(document, "architecture", str) != config.variant:
        raise CheckpointError(Message("checkpoint_architecture", variant=repr(config.variant)))
    sha256 = _field(weights, "sha256", str, "weights.")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise CheckpointError(Message("checkpoint_sha256"))
    return CheckpointInfo(
        name=name,
        source=source,
        location=location,
        revision=revision,
        config=config,
        labels=labels,
        loss=_field(training, "loss", str, "training."),
        dataset=_field(training, "dataset", str, "training."),
        sha256=sha256,
        parameters=_field(weights, "num_parameters", int, "weights."),
        file_bytes=file_bytes,
        training=training,
    )


def _field(document: object, name: str, kind: type, prefix: str = ""):
    if not isinstance(document, dict):
        raise CheckpointError(Message("checkpoint_object"))
    if name not in document:
        raise CheckpointError(Message("checkpoint_missing", field=f"{prefix}{name}"))
    value = document[name]
    if type(value) is not kind:
        found = type(value).__name__
        raise CheckpointError(Message("checkpoint_type", field=f"{prefix}{name}", kind=kind.__name__, found=found))
    return value


def _parse_labels(document: object) -> LabelSet:
    id2label, palette = _field(document, "id2label", dict), _field(document, "palette", list)
    names = [id2label.get(str(index)) for index in range(len(id2label))]
    if not all(isinstance(name, str) and 0 < len(name) <= 80 for name in names):
        raise CheckpointError(Message("checkpoint_id2label"))
    if not all(isinstance(colour, list) and all(type(value) is int for value in colour) for colour in palette):
        raise CheckpointError(Message("checkpoint_palette"))
    training = _field(document, "training", dict)
    dataset = _field(training, "dataset", str, "training.")
    title = training.get("dataset_title", dataset)
    try:
        colours = tuple(tuple(colour) for colour in palette)
        return LabelSet(dataset, str(title), tuple(names), colours, _field(document, "ignore_index", int))
    except ValueError as error:
        raise CheckpointError(Message("checkpoint_labels", reason=str(error))) from None


def config_document(model: FCN, labels: LabelSet, training: dict, name: str) -> dict:
    """`config.json` of a model; the weights' sha256 and dtype are added once they are written."""
    config = model.config
    arguments = config.to_dict()
    mean, std = arguments.pop("mean"), arguments.pop("std")
    del arguments["classes"]
    names, is_fcn = dict(enumerate(labels.classes)), isinstance(config, FCNConfig)
    return {
        "library_name": "fcn-zoo",
        "format_version": FORMAT_VERSION,
        "model_type": "fcn" if is_fcn else config.library,
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
        "channel_order": config.channel_order if is_fcn else "rgb",
        **({"output_stride": OUTPUT_STRIDE[config.variant]} if is_fcn else {}),
        "pretrained_cfg": {"mean": mean, "std": std, "interpolation": "bilinear"},
        "training": training,
        "weights": {"file": WEIGHTS_FILE, "num_parameters": sum(p.numel() for p in model.parameters())},
    }
