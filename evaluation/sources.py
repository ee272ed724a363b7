"""What can be evaluated: checkpoints (bundled name, folder, Hub id) and torchvision's segmentation models by name."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import torch
import torchvision
from torch import nn

from evaluation.evaluate import EvaluationError
from zoo.catalog import load
from zoo.checkpoint import bundled_folder
from zoo.labels import LabelSet

TORCHVISION = "torchvision:"


class ClassMismatchError(EvaluationError):
    """The model's classes are not the dataset's."""


@dataclass(frozen=True)
class Source:
    """A model ready to be evaluated on one label set, and what a result says of it.

    kind: 'bundled', 'folder', 'hub' or 'torchvision'; repository: 'owner/name' on the Hub or None; sha256,
    file_bytes: of the weights file; training: facts of the run as the checkpoint states them.
    """

    model: nn.Module
    name: str
    kind: str
    repository: str | None
    revision: str | None
    variant: str
    backbone: str
    loss: str
    sha256: str
    file_bytes: int
    training: dict


def open_source(text: str, labels: LabelSet, *, revision: str | None = None, device: str = "cpu") -> Source:
    """Load what `text` names: bundled name, folder, 'owner/repository', or 'torchvision:fcn_resnet50'.

    Raises CheckpointError for a checkpoint that is missing or broken, ClassMismatchError when its classes are not
    `labels.classes`, EvaluationError for a torchvision model that does not exist or cannot be downloaded.
    """
    if text.startswith(TORCHVISION):
        return _open_torchvision(text.removeprefix(TORCHVISION), labels, device)
    model = load(text, revision=revision, device=device)
    info = model.info
    if info.labels.classes != labels.classes:
        raise ClassMismatchError(
            f"{info.name} has the classes {_list(info.labels.classes)}, but {labels.title} has {_list(labels.classes)}"
        )
    is_bundled = info.source != "hub" and Path(info.location).resolve().parent == bundled_folder().resolve()
    return Source(
        model=model,
        name=info.name,
        kind="bundled" if is_bundled else info.source,
        repository=info.location if info.source == "hub" else None,
        revision=info.revision,
        variant=info.variant,
        backbone=info.backbone_label,
        loss=info.loss,
        sha256=info.sha256,
        file_bytes=info.file_bytes,
        training=info.training,
    )


class TorchvisionSegmentation(nn.Module):
    """A torchvision segmentation model as this project's models behave: RGB in [0, 1] in, logits of `classes` out."""

    def __init__(self, network: nn.Module, mean: list[float], std: list[float], channels: list[int]):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.channels = channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, len(channels), H, W) for images (N, 3, H, W) in [0, 1]."""
        return self.network((images - self.mean) / self.std)["out"][:, self.channels]


def _open_torchvision(name: str, labels: LabelSet, device: str) -> Source:
    known = torchvision.models.list_models(module=torchvision.models.segmentation)
    if name not in known:
        raise EvaluationError(f"torchvision has no segmentation model {name!r}; it has {', '.join(known)}")
    weights = torchvision.models.get_model_weights(name).DEFAULT
    channels = match_classes(labels, tuple(weights.meta["categories"]), name)
    try:
        network = torchvision.models.get_model(name, weights=weights)
    except OSError as error:  # no network, or no room on the disk
        raise EvaluationError(f"weights of {name} cannot be downloaded from {weights.url}: {error}") from error
    preset = weights.transforms()
    model = TorchvisionSegmentation(network, preset.mean, preset.std, channels).eval().to(device)
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    variant, _, backbone = name.partition("_")
    return Source(
        model=model,
        name=f"torchvision-{name}",
        kind="torchvision",
        repository=None,
        revision=weights.name,
        variant=variant,
        backbone=backbone.replace("_", ""),
        loss="ce",
        sha256=digest,
        file_bytes=path.stat().st_size,
        training={"weights": str(weights), "recipe": weights.meta.get("recipe", "")},
    )


def match_classes(labels: LabelSet, available: tuple[str, ...], name: str) -> list[int]:
    """For each class of `labels` its position in `available`, spelling apart; ClassMismatchError if one is missing."""
    positions = {_plain(category): index for index, category in enumerate(available)}
    missing = [category for category in labels.classes if _plain(category) not in positions]
    if missing:
        raise ClassMismatchError(
            f"{name} has no class for {_list(missing)} of {labels.title}; it has {_list(available)}"
        )
    return [positions[_plain(category)] for category in labels.classes]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _list(names) -> str:
    return ", ".join(names)
