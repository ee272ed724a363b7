"""What can be evaluated: checkpoints (bundled name, folder, Hub id) and torchvision's networks by name."""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from evaluation.measuring.evaluate import EvaluationError
from zoo.checkpoints.folder import bundled_folder, file_sha256
from zoo.hub.catalog import load
from zoo.hub.download import amount
from zoo.hub.torchvision_weights import baseline_info, is_baseline, weights_path
from zoo.labels import LabelSet


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
    `labels.classes`, HubError for weights of torchvision that cannot be downloaded.
    """
    if is_baseline(text):
        return _open_baseline(text, labels, device)
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


class ChosenClasses(nn.Module):
    """A network with some of its classes: logits (N, len(channels), H, W), in the order of `channels`."""

    def __init__(self, network: nn.Module, channels: list[int]):
        super().__init__()
        self.network, self.channels = network, channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits for images (N, 3, H, W) in [0, 1]."""
        return self.network(images)[:, self.channels]


def _open_baseline(name: str, labels: LabelSet, device: str) -> Source:
    available = baseline_info(name).labels.classes
    channels = match_classes(labels, available, name)  # before anything is downloaded
    model, path = load(name, device=device, progress=_say_progress), weights_path(name)
    info = model.info
    return Source(
        model=model if channels == list(range(len(available))) else ChosenClasses(model, channels),
        name=info.name,
        kind=info.source,
        repository=None,
        revision=info.revision,
        variant=info.variant,
        backbone=info.backbone_label,
        loss=info.loss,
        sha256=file_sha256(path),
        file_bytes=path.stat().st_size,
        training=info.training,
    )


def _say_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rdownloading {amount(done, total)}", end="", file=sys.stderr, flush=True)


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
