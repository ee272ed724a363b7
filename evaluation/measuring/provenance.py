"""Where a result comes from: protocol, dataset, code, library versions, date and the command that repeats it."""

import platform
import shlex
import subprocess
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from evaluation.counting.bootstrap import LEVEL
from evaluation.counting.boundary import BAND_WIDTHS
from evaluation.counting.calibration import BINS
from evaluation.datasets import SegmentationDataset
from evaluation.measuring.results import image_list_sha256
from evaluation.measuring.sources import Source
from zoo.places import REPOSITORY

PACKAGES = ("torch", "torchvision", "torchmetrics", "numpy", "pillow")
# Said by hand below, places on one machine, and a flag that the checkpoint's name replaces.
NOT_RECORDED = ("dataset", "split", "revision", "data", "out", "report", "all_bundled")


def protocol(options) -> dict:
    """How the figures were obtained; `options` are the command's."""
    return {
        "size": "native; logits are resized bilinearly to the mask's size, masks never",
        "void": "pixels whose target is void are dropped, nothing else is",
        "test_time_augmentation": "none",
        "precision": options.precision,
        "device": options.device,
        "batch_size": options.batch_size,
        "boundary_tolerance": "0.75 % of the diagonal",
        "trimap_widths": list(BAND_WIDTHS),
        "calibration_bins": BINS,
        "confidence_level": LEVEL,
        "bootstrap": {"resamples": options.resamples, "block_frames": options.block, "seed": 0},
    }


def dataset_facts(dataset: SegmentationDataset) -> dict:
    """Name, split, size, hash of the image list, classes and void value."""
    return {
        "name": dataset.labels.name,
        "title": dataset.labels.title,
        "split": dataset.split,
        "images": len(dataset),
        "image_list_sha256": image_list_sha256(dataset.image_ids),
        "classes": list(dataset.labels.classes),
        "void": dataset.labels.void,
    }


def environment(command: str) -> dict:
    """Command, date (UTC), git commit of the code ('+' if it was changed since; None outside git), versions."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "git_commit": git_commit(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def git_commit(folders: tuple[str, ...] = ("evaluation", "zoo")) -> str | None:
    """Commit of the repository that holds this code, with '+' when Python files in `folders` were changed since."""
    try:
        commit = _git(REPOSITORY, "rev-parse", "HEAD")
        changed = _git(REPOSITORY, "status", "--porcelain", "--", *(f"{folder}/*.py" for folder in folders))
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True, timeout=20)
    return run.stdout.strip()


def command_line(text: str, source: Source, options) -> str:
    """The command that measures `source`, given as `text`, again: flags off their defaults, no path of this machine."""
    names = {"bundled": source.name, "folder": f"CHECKPOINTS/{Path(text).name}", "hub": source.repository}
    words = ["python", "-m", "evaluation", shlex.quote(names.get(source.kind) or text)]
    words += ["--dataset", options.dataset, "--data", "DIR", "--split", options.split]
    if source.kind == "hub":
        words += ["--revision", source.revision]
    for item in fields(options):
        value = getattr(options, item.name)
        if item.name not in NOT_RECORDED and value != item.default:
            words += [f"--{item.name.replace('_', '-')}", *([] if value is True else [shlex.quote(str(value))])]
    return " ".join(words)
