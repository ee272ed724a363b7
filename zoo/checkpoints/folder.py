"""Checkpoint folders: `config.json` and `model.safetensors` (or its shards), written in one step and read strictly.

The layout is the same bundled, on disk and on the Hub. Reading accepts safetensors only, one architecture, every key
and shape, and the sha256 that the configuration names. Torch is imported where weights are touched, so that
checkpoints can be listed without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from safetensors import SafetensorError, deserialize

from zoo.atomic import WriteError, settle, together
from zoo.checkpoints.activation_ranges import read_ranges
from zoo.checkpoints.information import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    CheckpointInfo,
    checkpoint_name,
    config_document,
    parse_config,
)
from zoo.checkpoints.libraries import check_library, library_error
from zoo.checkpoints.shards import files_sha256, weights_paths
from zoo.checkpoints.statistics import read_domain
from zoo.config import BaselineConfig, FCNConfig
from zoo.labels import LabelSet
from zoo.places import BUNDLED
from zoo.text import Message

if TYPE_CHECKING:
    import torch

    from zoo.models.fcn import FCN
    from zoo.models.other_libraries import BaselineNetwork
    from zoo.models.protocol import Network

GOLDEN_FILE = "golden.safetensors"
MAXIMUM_CONFIG_BYTES = 1_000_000


def bundled_folder() -> Path:
    """The folder of the checkpoints that ship with the repository."""
    return BUNDLED


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_info(folder: str | Path, *, source: str = "folder", location: str | None = None, revision: str | None = None):
    """The CheckpointInfo of a folder. Reads and validates `config.json`; raises CheckpointError naming the field."""
    folder = Path(folder)
    path = folder / CONFIG_FILE
    with _told(folder):
        settle(folder)
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
    size = sum(weights.stat().st_size for weights in weights_paths(folder))
    try:
        return parse_config(
            document, source=source, location=location or str(folder), revision=revision, file_bytes=size
        )
    except CheckpointError as error:
        raise CheckpointError(Message("checkpoint_at", place=str(path), reason=error.args[0])) from None


def load_folder(
    folder: str | Path, device: str | torch.device = "cpu", *, info: CheckpointInfo | None = None
) -> Network:
    """The network of a checkpoint folder in eval mode, float32, on `device`; its CheckpointInfo is `model.info`.

    Raises CheckpointError for a missing or broken file, a sha256 other than the configuration's, and keys, shapes or
    dtypes that do not fit; nothing is loaded in part and no backbone is downloaded.
    """
    folder = Path(folder)
    info = info or read_info(folder)
    check_library(info.config)
    import torch
    from safetensors.torch import load_file

    model = weightless(info.config)
    state = _read(checked_weights(folder, info, expected_shapes(model)), load_file)
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    model.load_state_dict(state, assign=True)
    model.fill_constants()
    model.info, model.domain, model.ranges = info, read_domain(folder, info), read_ranges(folder)
    return model.eval().to(torch.device(device)).to(memory_format=torch.channels_last)


def read_weights(folder: str | Path, info: CheckpointInfo) -> dict[str, np.ndarray]:
    """The weights of an FCN's folder as arrays by name, float32 and int64, without torch. Raises as `load_folder`."""
    from zoo.models.graph import expected_shapes

    paths = checked_weights(Path(folder), info, expected_shapes(cast("FCNConfig", info.config)))
    return _read(paths, lambda path: {name: _array(**tensor) for name, tensor in deserialize(path.read_bytes())})


def checked_weights(folder: Path, info: CheckpointInfo, expected: dict[str, tuple[int, ...]]) -> list[Path]:
    """The weights of a folder, in order, whose bytes are those that the configuration names and hold `expected`."""
    paths = weights_paths(folder)
    if not paths:
        raise CheckpointError(Message("checkpoint_no_weights", folder=str(folder), weights=WEIGHTS_FILE))
    compare_shapes(expected, merged_shapes(paths), paths[0])
    if files_sha256(paths) != info.sha256:
        raise _error_at(paths[0], "checkpoint_damaged", config=CONFIG_FILE)
    return paths


def _read(paths: list[Path], read: Callable[[Path], dict]) -> dict:
    """The tensors of several files, by name."""
    state = {}
    for path in paths:
        try:
            state |= read(path)
        except (SafetensorError, OSError) as error:
            raise _error_at(path, "checkpoint_unreadable", reason=str(error)) from None
    return state


def _array(dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    """A tensor of a safetensors file as an array; NumPy has no bfloat16, which is the upper half of a float32."""
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    kind = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8"}.get(dtype)
    if kind is None:
        raise SafetensorError(f"a tensor of {dtype}")
    found = np.frombuffer(data, kind).reshape(shape)
    return found.astype(np.float32) if found.dtype.kind == "f" else found


def build(config: FCNConfig | BaselineConfig) -> FCN | BaselineNetwork:
    """The network that a configuration describes, freshly initialised.

    Raises CheckpointError where the library that it belongs to is not installed.
    """
    check_library(config)
    from zoo.models.fcn import FCN
    from zoo.models.other_libraries import BaselineNetwork, MissingLibraryError

    if isinstance(config, FCNConfig):
        return FCN(config)
    try:
        return BaselineNetwork(config)
    except MissingLibraryError:  # it is there and cannot be imported
        raise library_error(config, ["segmentation-models-pytorch"]) from None


def weightless(config: FCNConfig | BaselineConfig) -> FCN | BaselineNetwork:
    """The network without memory for its weights, so that a configuration that asks for gigabytes costs nothing."""
    import torch

    with torch.device("meta"):
        return build(config)


def expected_shapes(model: Network) -> dict[str, tuple[int, ...]]:
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


def merged_shapes(paths: list[Path]) -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of all these safetensors files; CheckpointError where two of them hold one name."""
    merged = {}
    for path in paths:
        shapes = safetensors_shapes(path)
        if twice := merged.keys() & shapes.keys():
            raise _error_at(path, "checkpoint_unfit", details=Message("tensor_unknown", name=min(twice)[:120]))
        merged |= shapes
    return merged


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
    model: Network,
    folder: str | Path,
    *,
    labels: LabelSet,
    loss: str,
    training: dict,
    name: str | None = None,
    dtype: torch.dtype | None = None,
    working_size: int | None = None,
) -> CheckpointInfo:
    """Write a checkpoint folder and return its CheckpointInfo.

    `labels.name` is the dataset; `training` holds JSON facts of the run (epochs, seed, recipe, ...). Weights are
    stored in `dtype` (default: float16), other than counters and tensors that it cannot hold, which stay float32.
    `working_size` is the long side in pixels at which photos are to be shown to the network, as its training images
    were. The files replace earlier ones as one, whatever interrupts it; other files already in `folder` (results, card)
    stay. A small image with the logits that the stored weights give for it goes to `golden.safetensors`.
    Raises CheckpointError if the labels do not fit the model, or where the disk is full or may not be written.
    """
    import torch
    from safetensors.torch import save_file

    dtype = dtype or torch.float16
    if labels.classes != model.config.classes:
        raise CheckpointError(f"label set {labels.name!r} does not list the model's classes")
    folder = Path(folder)
    facts = training | {"loss": loss, "dataset": labels.name, "dataset_title": labels.title}
    with _told(folder), together(folder, "checkpoint") as staging:
        state = {key: _stored(value, dtype) for key, value in model.state_dict().items()}
        # One entry only: safetensors writes several in random order, and equal weights should give equal files.
        save_file(state, staging / WEIGHTS_FILE, metadata={"format": "pt"})
        name = name or checkpoint_name(model.config, loss, labels.name)
        document = config_document(model, labels, facts, name, working_size=working_size)
        document["weights"]["sha256"] = file_sha256(staging / WEIGHTS_FILE)
        document["torch_dtype"] = str(dtype).removeprefix("torch.")
        (staging / CONFIG_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        save_file(golden(load_folder(staging)), staging / GOLDEN_FILE)
        for file in (GOLDEN_FILE, WEIGHTS_FILE, CONFIG_FILE):
            (staging / file).chmod(0o644)  # safetensors writes files that only their owner may read
    return read_info(folder)


@contextlib.contextmanager
def _told(folder: Path):
    """A disk that takes no more becomes a CheckpointError: what is written, and why it could not be."""
    try:
        yield
    except (SafetensorError, WriteError) as error:
        reason = error.strerror if isinstance(error, WriteError) else str(error)
        raise CheckpointError(Message("checkpoint_not_written", folder=str(folder), reason=reason)) from None


def golden(model: Network) -> dict[str, torch.Tensor]:
    """{'image': (3, 40, 56) uint8, 'logits': (C, 40, 56) float32}: a fixed image and this model's answer to it."""
    import torch

    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 5, 7, generator=generator)
    image = (torch.nn.functional.interpolate(coarse, size=(40, 56), mode="bilinear") * 255).round().to(torch.uint8)[0]
    with torch.inference_mode():
        logits = model(image[None].float() / 255)[0]
    return {"image": image, "logits": logits.float().contiguous()}


def _stored(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    stored = value.to(dtype)
    # A batch norm's variance can be beyond float16, where it would become infinite without a word.
    return stored if bool(stored.isfinite().all()) else value.float()
