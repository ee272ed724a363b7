"""Weights in one safetensors file or in shards, named and indexed as transformers and huggingface_hub do it.

`model-00001-of-00004.safetensors` and so on, with `model.safetensors.index.json` for other programs. The sha256 of
sharded weights is that of the shards' bytes one after another: `cat model-*.safetensors | sha256sum`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.atomic import whole_folder
from zoo.checkpoints.information import CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE, CheckpointError

if TYPE_CHECKING:
    import torch

SHARD_NAME = re.compile(r"model-(\d{5})-of-(\d{5})\.safetensors", re.ASCII)
SHARD_BYTES = 9_500_000  # below the 10 MB above which the Hub wants a file in its large-file storage
MAXIMUM_SHARDS = 1000


def weights_names(names: Iterable[str]) -> list[str]:
    """The weights among a folder's file names, in order: the one file, or all shards; empty if one is missing."""
    names = set(names)
    if WEIGHTS_FILE in names:
        return [WEIGHTS_FILE]
    counts = {int(match[2]) for name in names if (match := SHARD_NAME.fullmatch(name))}
    if len(counts) != 1 or not 1 <= max(counts) <= MAXIMUM_SHARDS:
        return []
    wanted = shard_names(*counts)
    return wanted if names.issuperset(wanted) else []


def shard_names(count: int) -> list[str]:
    """File names of `count` shards."""
    return [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]


def weights_paths(folder: Path) -> list[Path]:
    """The weights of a checkpoint folder, in order; empty where they are missing or not complete."""
    names = [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    return [folder / name for name in weights_names(names)]


def files_sha256(paths: Iterable[Path]) -> str:
    """Hex SHA-256 of the files' bytes, one after another."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def split(state: dict[str, torch.Tensor], shard_bytes: int) -> list[dict[str, torch.Tensor]]:
    """The tensors in their order, divided so that a shard has at most `shard_bytes` of them, or one larger tensor."""
    shards, size = [{}], 0
    for name, tensor in state.items():
        if shards[-1] and size + tensor.nbytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    return shards


def index_document(shards: list[dict[str, torch.Tensor]]) -> dict:
    """The index that goes with `split`: which shard holds a tensor."""
    names = shard_names(len(shards))
    total = sum(tensor.nbytes for shard in shards for tensor in shard.values())
    weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in sorted(shard)}
    return {"metadata": {"total_size": total}, "weight_map": weight_map}


def shard_folder(folder: str | Path, shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Divide the weights of a checkpoint folder into shards and return their paths; no number in them changes.

    The sha256 in `config.json` becomes that of the shards, so results and card are to be written again. The folder is
    replaced as a whole. Raises CheckpointError where the weights are missing or not those of the configuration.
    """
    from safetensors.torch import load_file, save_file

    folder = Path(folder)
    document = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    paths = weights_paths(folder)
    if not paths or files_sha256(paths) != document["weights"]["sha256"]:
        raise CheckpointError(f"{folder}: its weights are missing or not those of {CONFIG_FILE}; nothing was changed")
    shards = split({name: tensor for path in paths for name, tensor in load_file(path).items()}, shard_bytes)
    with whole_folder(folder) as staging:
        shutil.copytree(folder, staging, dirs_exist_ok=True)
        for path in paths:
            (staging / path.name).unlink()
        written = [staging / name for name in shard_names(len(shards))]
        for path, shard in zip(written, shards, strict=True):
            save_file(shard, path, metadata={"format": "pt"})
            path.chmod(0o644)  # safetensors writes files that only their owner may read
        document["weights"] |= {"file": INDEX_FILE, "sha256": files_sha256(written)}
        for name, content in ((INDEX_FILE, index_document(shards)), (CONFIG_FILE, document)):
            (staging / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return [folder / path.name for path in written]
