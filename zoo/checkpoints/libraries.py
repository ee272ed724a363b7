"""Whether this machine has the libraries that a checkpoint's network is built of, and what to do where it has not."""

from collections.abc import Iterable
from importlib.util import find_spec

from zoo.checkpoints.information import CheckpointError, CheckpointInfo
from zoo.config import BaselineConfig, FCNConfig
from zoo.text import Message

# {library of a configuration: {module: package}}; an FCN needs torch only where OpenVINO does not run it.
NEEDED = {
    "": {"torch": "torch"},
    "smp": {"torch": "torch", "segmentation_models_pytorch": "segmentation-models-pytorch"},
    "torchvision": {"torch": "torch", "torchvision": "torchvision"},
}


def is_installed(config: FCNConfig | BaselineConfig) -> bool:
    """Whether this machine has what a network of another library needs; an FCN needs nothing that may be absent."""
    return isinstance(config, FCNConfig) or not missing(config)


def left_out(infos: Iterable[CheckpointInfo]) -> list[tuple[CheckpointInfo, CheckpointError]]:
    """Those of `infos` whose networks this machine lacks a library for, each with the error that says so."""
    return [(info, library_error(info.config, missing(info.config))) for info in infos if not is_installed(info.config)]


def missing(config: FCNConfig | BaselineConfig) -> list[str]:
    """The packages that torch's network of this configuration needs and that are not installed."""
    needed = NEEDED[getattr(config, "library", "")]
    return [package for module, package in needed.items() if find_spec(module) is None]


def check_library(config: FCNConfig | BaselineConfig) -> None:
    """Raise CheckpointError, saying what to install, where torch's network of this configuration cannot be built."""
    if absent := missing(config):
        raise library_error(config, absent)


def library_error(config: FCNConfig | BaselineConfig, absent: list[str]) -> CheckpointError:
    """The error that says which of the `absent` packages a network needs first, and the command for all of them."""
    files = ["requirements.txt"] if {"torch", "torchvision"} & {*absent} else []
    files += ["training/baselines.txt"] if getattr(config, "library", "") == "smp" else []
    command = " ".join(["pip install", *(f"-r {file}" for file in files)])
    return CheckpointError(Message("checkpoint_library", network=config.variant, library=absent[0], command=command))
