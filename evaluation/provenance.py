"""Where a result comes from: protocol, dataset, code, library versions, date and the command that repeats it."""

import platform
import shlex
import subprocess
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from evaluation.bootstrap import LEVEL
from evaluation.boundary import BAND_WIDTHS
from evaluation.calibration import BINS
from evaluation.datasets import SegmentationDataset
from evaluation.results import image_list_sha256

PACKAGES = ("torch", "torchvision", "torchmetrics", "numpy", "pillow")
NOT_RECORDED = ("data", "out", "report", "all_bundled")  # places on one machine, and what the result names itself


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


def git_commit() -> str | None:
    """Commit of the repository that holds this code, with '+' when evaluation/ or zoo/ has changed Python files."""
    root = Path(__file__).resolve().parent.parent
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "evaluation/*.py", "zoo/*.py")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True, timeout=20)
    return run.stdout.strip()


def command_line(checkpoint: str, options) -> str:
    """The command that measures this checkpoint again: flags that differ from the defaults, no path of this machine."""
    path = Path(checkpoint)
    shown = f"CHECKPOINTS/{path.name}" if path.is_dir() else checkpoint
    words = ["python", "-m", "evaluation", shlex.quote(shown), "--dataset", options.dataset, "--data", "DIR"]
    words += ["--split", options.split]
    for item in fields(options):
        value = getattr(options, item.name)
        if item.name in (*NOT_RECORDED, "dataset", "split") or value == item.default:
            continue
        words += [f"--{item.name.replace('_', '-')}", shlex.quote(str(value))]
    return " ".join(words)
