"""Checkpoint folders: `config.json` and `model.safetensors`, written in one step and read strictly.

The layout is the same bundled, on disk and on the Hub. `config.json` carries what transformers- and timm-style
readers look for (id2label, image_mean, pretrained_cfg, ...) beside `model_args`, the FCNConfig. Reading accepts
safetensors only, one architecture, every key and shape, and the sha256 that the configuration names. Torch is
imported where weights are touched, so that checkpoints can be listed without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import tempfile
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from zoo.config import OUTPUT_STRIDE, BaselineConfig, FCNConfig
from zoo.labels import LabelSet
from zoo.page import Message

if TYPE_CHECKING:
    import torch

    from zoo.baseline_network import BaselineNetwork
    from zoo.fcn import FCN

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
GOLDEN_FILE = "golden.safetensors"
FORMAT_VERSION = 1
MAXIMUM_CONFIG_BYTES = 1_000_000
MODEL_TYPES = {"fcn": FCNConfig, "smp": BaselineConfig}
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,95}")


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
    """`{variant}-{backbone}-{loss}-{dataset}`, for example 'fcn8s-vgg16bn-w25-ce-camvid'."""
    return f"{config.variant}-{backbone_label(config)}-{loss}-{dataset}"


def bundled_folder() -> Path:
    """The folder of the checkpoints that ship with the repository."""
    return Path(__file__).parent / "bundled"


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_info(folder: str | Path, *, source: str = "folder", location: str | None = None, revision: str | None = None):
    """The CheckpointInfo of a folder. Reads and validates `config.json`; raises CheckpointError naming the field."""
    folder = Path(folder)
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(
            Message("checkpoint_no_config", folder=str(folder), config=CONFIG_FILE, weights=WEIGHTS_FILE)
        )
    if path.stat().st_size > MAXIMUM_CONFIG_BYTES:
        raise _error_at(path, "checkpoint_large_config", limit=MAXIMUM_CONFIG_BYTES)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _error_at(path, "checkpoint_not_json", reason=str(error)) from None
    weights = folder / WEIGHTS_FILE
    size = weights.stat().st_size if weights.is_file() else 0
    try:
        return parse_config(
            document, source=source, location=location or str(folder), revision=revision, file_bytes=size
        )
    except CheckpointError as error:
        raise CheckpointError(Message("checkpoint_at", place=str(path), reason=error.args[0])) from None


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


def load_folder(folder: str | Path, device: str | torch.device = "cpu", *, info: CheckpointInfo | None = None) -> FCN:
    """The network of a checkpoint folder in eval mode, float32, on `device`; its CheckpointInfo is `model.info`.

    Raises CheckpointError for a missing or broken file, a sha256 other than the configuration's, and keys, shapes or
    dtypes that do not fit; nothing is loaded in part and no backbone is downloaded.
    """
    import torch
    from safetensors.torch import load_file

    folder = Path(folder)
    info = info or read_info(folder)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(Message("checkpoint_no_weights", folder=str(folder), weights=WEIGHTS_FILE))
    model = weightless(info.config)
    compare_shapes(expected_shapes(model), safetensors_shapes(path), path)
    if file_sha256(path) != info.sha256:
        raise _error_at(path, "checkpoint_damaged", config=CONFIG_FILE)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _error_at(path, "checkpoint_unreadable", reason=str(error)) from None
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    model.load_state_dict(state, assign=True)
    model.fill_constants()
    model.info = info
    return model.eval().to(device=device, memory_format=torch.channels_last)


def build(config: FCNConfig | BaselineConfig) -> FCN | BaselineNetwork:
    """The network that a configuration describes, freshly initialised."""
    from zoo.baseline_network import BaselineNetwork
    from zoo.fcn import FCN

    return FCN(config) if isinstance(config, FCNConfig) else BaselineNetwork(config)


def weightless(config: FCNConfig | BaselineConfig) -> FCN | BaselineNetwork:
    """The network without memory for its weights, so that a configuration that asks for gigabytes costs nothing."""
    import torch

    with torch.device("meta"):
        return build(config)


def expected_shapes(model: FCN) -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of the weights that a network needs."""
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} from a safetensors header, without reading the tensors."""
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > 50_000_000:
                raise ValueError("header too long")
            header = json.loads(file.read(length))
        return {key: tuple(entry["shape"]) for key, entry in header.items() if key != "__metadata__"}
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise _error_at(path, "checkpoint_not_safetensors", reason=str(error)) from None


def compare_shapes(expected: dict, found: dict, path: Path) -> None:
    """Raise CheckpointError naming up to three tensors that are missing, unknown or of another shape."""
    wrong = [Message("tensor_missing", name=key) for key in sorted(expected.keys() - found.keys())]
    wrong += [Message("tensor_unknown", name=key[:120]) for key in sorted(found.keys() - expected.keys())]
    shared = sorted(expected.keys() & found.keys())
    wrong += [
        Message("tensor_shape", name=key, found=str(found[key]), needed=str(expected[key]))
        for key in shared
        if expected[key] != found[key]
    ]
    if wrong:
        details = reduce(lambda first, second: Message("checkpoint_and", first=first, second=second), wrong[:3])
        if len(wrong) > 3:
            details = Message("checkpoint_more", details=details, number=len(wrong) - 3)
        raise _error_at(path, "checkpoint_unfit", details=details)


def _error_at(path: Path, key: str, **values) -> CheckpointError:
    """The error that names a file and says what is wrong with it."""
    return CheckpointError(Message("checkpoint_at", place=str(path), reason=Message(key, **values)))


def save(
    model: FCN,
    folder: str | Path,
    *,
    labels: LabelSet,
    loss: str,
    training: dict,
    name: str | None = None,
    dtype: torch.dtype | None = None,
) -> CheckpointInfo:
    """Write a checkpoint folder and return its CheckpointInfo.

    `labels.name` is the dataset; `training` holds JSON facts of the run (epochs, seed, recipe, ...). Weights are
    stored in `dtype` (default: float16), other than counters. Files are written to a temporary folder first, then
    moved into place, so an interruption leaves no half-written checkpoint; other files already in `folder` (results,
    card) stay. A small image with the logits that the stored weights give for it goes to `golden.safetensors`.
    Raises CheckpointError if the labels do not fit the model.
    """
    import torch
    from safetensors.torch import save_file

    dtype = dtype or torch.float16
    if labels.classes != model.config.classes:
        raise CheckpointError(f"label set {labels.name!r} does not list the model's classes")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    facts = training | {"loss": loss, "dataset": labels.name, "dataset_title": labels.title}
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        staging = Path(temporary)
        state = {key: _stored(value, dtype) for key, value in model.state_dict().items()}
        # One entry only: safetensors writes several in random order, and equal weights should give equal files.
        save_file(state, staging / WEIGHTS_FILE, metadata={"format": "pt"})
        document = _document(model, labels, facts, name or checkpoint_name(model.config, loss, labels.name))
        document["weights"]["sha256"] = file_sha256(staging / WEIGHTS_FILE)
        document["torch_dtype"] = str(dtype).removeprefix("torch.")
        (staging / CONFIG_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        save_file(golden(load_folder(staging)), staging / GOLDEN_FILE)
        for file in (GOLDEN_FILE, WEIGHTS_FILE, CONFIG_FILE):
            (staging / file).chmod(0o644)  # safetensors writes files that only their owner may read
            os.replace(staging / file, folder / file)
    return read_info(folder)


def golden(model: FCN) -> dict[str, torch.Tensor]:
    """{'image': (3, 40, 56) uint8, 'logits': (C, 40, 56) float32}: a fixed image and this model's answer to it."""
    import torch

    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 5, 7, generator=generator)
    image = (torch.nn.functional.interpolate(coarse, size=(40, 56), mode="bilinear") * 255).round().to(torch.uint8)[0]
    with torch.inference_mode():
        logits = model(image[None].float() / 255)[0]
    return {"image": image, "logits": logits.float().contiguous()}


def _stored(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()


def _document(model: FCN, labels: LabelSet, training: dict, name: str) -> dict:
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
