"""The client's side of tests with `hub_server`: its environment, tiny checkpoints to publish, impatient settings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import TOKEN, HubServer

NAME = "ana/fcn8s-tiny"


@pytest.fixture
def hub_environment(monkeypatch):
    """`client_environment` with the server's token."""
    client_environment(monkeypatch)


@pytest.fixture
def hub(hub_environment):
    """A Hub on the loopback, empty."""
    with HubServer() as server:
        yield server


@pytest.fixture
def settings(hub, tmp_path):
    """HubSettings that name `hub`, a cache of the test's own, and nothing to list."""
    from zoo.hub.settings import HubSettings

    return HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache", pull_seconds=60)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A tiny checkpoint folder with card and results; tests change copies only."""
    folder = tmp_path_factory.mktemp("checkpoint") / "fcn8s"
    save_checkpoint(folder)
    (folder / "README.md").write_text("---\ntags: [fcn-zoo]\n---\n# card\n")
    (folder / ".eval_results").mkdir()
    (folder / ".eval_results" / "camvid.yaml").write_text("[]\n")
    return folder


def client_environment(monkeypatch, token: str | None = TOKEN) -> None:
    """Let this process' client use Git LFS, no telemetry, no progress bars, and the server's token (or none)."""
    from huggingface_hub import constants

    for name in ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        monkeypatch.setattr(constants, name, True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nonexistent/token")
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN", token) if token else monkeypatch.delenv("HF_TOKEN", raising=False)


def save_checkpoint(folder: Path, *, variant: str = "fcn8s", loss: str = "ce", seed: int = 0, width: float = 1 / 16):
    """A tiny checkpoint folder with random weights (0.1 MB); returns its CheckpointInfo."""
    import torch

    from zoo.checkpoints.folder import save
    from zoo.labels import CAMVID
    from zoo.models.fcn import FCN, FCNConfig

    torch.manual_seed(seed)
    size = {"width": width, "head_channels": 16, "head_kernel": 3}
    model = FCN(FCNConfig(variant=variant, backbone="vgg16_bn", classes=CAMVID.classes, **size))
    for layer in model.score.values():
        torch.nn.init.normal_(layer.weight)
    return save(model.eval(), folder, labels=CAMVID, loss=loss, training={"epochs": 1, "seed": seed})


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed_config(checkpoint, **fields):
    return json.dumps(json.loads((checkpoint / "config.json").read_text()) | fields).encode()


def hasty(settings, kind, **changes):
    """Settings that give up on a silent server soon; patient ones for all else, on a busy machine too."""
    return replace(settings, answer_seconds=0.5 if kind == "hang" else 60.0, **changes)
