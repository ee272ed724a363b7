"""Checkpoint folders: `config.json` and `model.safetensors`, written in one step and read strictly.

The layout is the same bundled, on disk and on the Hub. Reading accepts safetensors only, one architecture, every key
and shape, and the sha256 that the configuration names. Torch is imported where weights are touched, so that
checkpoints can be listed without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from zoo.checkpoint_info import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    CheckpointInfo,
    checkpoint_name,
    config_document,
    parse_config,
)
from zoo.config import BaselineConfig, FCNConfig
from zoo.labels import LabelSet
from zoo.page import Message

if TYPE_CHECKING:
    import torch

    from zoo.baseline_network import BaselineNetwork
    from zoo.fcn import FCN

GOLDEN_FILE = "golden.safetensors"
MAXIMUM_CONFIG_BYTES = 1_000_000


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
        document = config_document(model, labels, facts, name or checkpoint_name(model.config, loss, labels.name))
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
