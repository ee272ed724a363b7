"""`domain.safetensors` of a checkpoint folder: statistics of `zoo.models.domain`; `config.json` names their sha256."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from zoo.atomic import together
from zoo.checkpoints.information import CONFIG_FILE, DOMAIN_FILE, CheckpointError, CheckpointInfo
from zoo.models.domain import Domain
from zoo.text import Message


def read_domain(folder: str | Path, info: CheckpointInfo) -> Domain | None:
    """The statistics of a folder; None where it has none, or where they were not downloaded.

    Raises CheckpointError for a file other than the one that the configuration names.
    """
    path = Path(folder) / DOMAIN_FILE
    if info.domain is None or not path.is_file():
        return None
    if _sha256(path) != info.domain["sha256"]:
        raise CheckpointError(_at(path, Message("checkpoint_damaged", config=CONFIG_FILE)))
    try:
        tensors = load_file(path)
        mean, scale, precision = (tensors[name] for name in ("mean", "scale", "precision"))
    except (SafetensorError, OSError, KeyError) as error:
        raise CheckpointError(_at(path, Message("checkpoint_unreadable", reason=str(error)))) from None
    size = mean.shape
    if not (mean.ndim == 1 and scale.shape == size and precision.shape == 2 * size):
        raise CheckpointError(_at(path, Message("checkpoint_unreadable", reason=f"mean has the shape {size}")))
    if not all(np.isfinite(part).all() for part in (mean, scale, precision)) or scale.min() <= 0:
        raise CheckpointError(_at(path, Message("checkpoint_unreadable", reason="a number is not finite")))
    return Domain(mean, scale, precision, info.domain["limit"])


def write_domain(folder: str | Path, domain: Domain, photos: dict[str, int]) -> None:
    """Add statistics to a checkpoint folder; `photos` counts those they are of, by where they come from."""
    folder = Path(folder)
    document = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    with together(folder, "domain") as staging:
        parts = {"mean": domain.mean, "scale": domain.scale, "precision": domain.precision}
        save_file(parts, staging / DOMAIN_FILE)
        (staging / DOMAIN_FILE).chmod(0o644)  # safetensors writes files that only their owner may read
        digest = _sha256(staging / DOMAIN_FILE)
        entry = {"file": DOMAIN_FILE, "sha256": digest, "limit": round(domain.limit, 6), "photos": photos}
        places = list(document)
        before = places[: places.index("training")] if "training" in places else places
        whole = {name: document[name] for name in before if name != "domain"} | {"domain": entry}
        whole |= {name: value for name, value in document.items() if name not in whole}
        (staging / CONFIG_FILE).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _at(path: Path, reason: Message) -> Message:
    return Message("checkpoint_at", place=str(path), reason=reason)
