"""The training loop: one run, from a recipe to a checkpoint folder.

Each step's crops and dropout are seeded by (seed, step) alone, so that a run resumed from its last saved state goes
on exactly as it would have. The run folder becomes the checkpoint folder: `training_args.json` and `metrics.jsonl`
from the start, `state.pt` while it runs, `config.json` and `model.safetensors` when it is done.
"""

import json
import math
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from evaluation.datasets import SegmentationDataset, open_dataset
from evaluation.evaluate import confusion_matrices
from evaluation.metrics import scores
from training.augmentation import TrainingCrops, crop_loader, steps_per_epoch
from training.losses import build_loss
from training.recipe import Recipe
from zoo.checkpoint import CheckpointInfo, save
from zoo.fcn import FCN

STATE_FILE = "state.pt"
ARGUMENTS_FILE = "training_args.json"
METRICS_FILE = "metrics.jsonl"


class TrainingError(RuntimeError):
    """A run that cannot start or go on; the message says at which step and what to do."""


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    *,
    start_from: FCN | None = None,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    progress: bool = True,
) -> CheckpointInfo:
    """Train one model and write its checkpoint folder `out`; returns its CheckpointInfo.

    `start_from` gives its matching layers to the new model (staged training). With `resume` the run goes on from
    `out/state.pt`. Raises TrainingError for a folder in use and for a loss that is not finite, DatasetError and
    ValueError for data and recipe.
    """
    out = Path(out)
    training_set, validation_set = open_splits(recipe, data)
    torch.manual_seed(recipe.seed)
    model = FCN(recipe.model_config(training_set.labels)).to(device=device, memory_format=torch.channels_last)
    if start_from is not None:
        take_over(model, start_from)
    steps = steps_per_epoch(len(training_set), recipe)
    total = recipe.epochs * steps
    optimizer, schedule = build_optimizer(model, recipe, total)
    first = prepare_run(out, recipe, model, optimizer, schedule, resume=resume)
    loss_function = build_loss(recipe.loss, void=training_set.labels.void, gamma=recipe.gamma)

    crops = TrainingCrops(training_set, recipe)
    loader = crop_loader(crops, recipe, first, total, workers=workers)
    bar = tqdm(total=total, initial=first, unit="step", disable=not progress, mininterval=5)
    running, miou = [], None
    for step, (images, targets) in enumerate(loader, start=first):
        model.train()
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        images = images.to(device, memory_format=torch.channels_last).float() / 255
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = model(images)
        loss = loss_function(logits, targets.to(device))
        if not math.isfinite(loss.item()):
            raise TrainingError(f"step {step}: loss is {loss.item()}; lower the learning rate or use precision fp32")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        running.append(loss.item())
        bar.update()
        bar.set_postfix(loss=f"{loss.item():.3f}", **({"mIoU": f"{miou:.4f}"} if miou else {}))
        if (step + 1) % steps == 0:
            epoch = (step + 1) // steps
            due = recipe.validate_every and (epoch % recipe.validate_every == 0 or epoch == recipe.epochs)
            record = {"step": step + 1, "epoch": epoch, "loss": sum(running) / len(running)}
            record["learning_rate"] = schedule.get_last_lr()[0]
            if due and validation_set is not None:
                miou = validate(model, validation_set, device)
                record["miou"] = miou
            append_line(out / METRICS_FILE, record)
            save_state(out, recipe, step + 1, model, optimizer, schedule)
            running = []
    bar.close()
    info = save(model, out, labels=training_set.labels, loss=recipe.loss, training=facts(recipe, total))
    (out / STATE_FILE).unlink(missing_ok=True)
    return info


def open_splits(recipe: Recipe, data: str | Path) -> tuple[SegmentationDataset, SegmentationDataset | None]:
    """Training and validation images; held-out sequences of the training split are the validation where named."""
    whole = open_dataset(recipe.dataset, data, recipe.split)
    if recipe.hold_out:
        held_out = {sequence.strip() for sequence in recipe.hold_out.split(",")}
        return whole.select(held_out, exclude=True), whole.select(held_out)
    if not recipe.validate_every:
        return whole, None
    return whole, open_dataset(recipe.dataset, data, recipe.validation_split)


def take_over(model: FCN, source: FCN) -> list[str]:
    """Copy the tensors of `source` that `model` has in the same shape; returns the names that `model` had to keep.

    Raises TrainingError if the encoders do not match, since a stage would then start from nothing.
    """
    target, given = model.state_dict(), source.state_dict()
    fitting = {key: value for key, value in given.items() if key in target and target[key].shape == value.shape}
    kept = [key for key in target if key not in fitting]
    if any(key.startswith(("encoder.", "head.")) for key in kept):
        raise TrainingError(
            "start_from: backbone and head of that checkpoint differ from the recipe's; use the same ones"
        )
    model.load_state_dict(target | fitting)
    return kept


def build_optimizer(model: nn.Module, recipe: Recipe, total_steps: int):
    """AdamW without decay on biases and norms, and a one-cycle schedule over all steps."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    # One step more than is taken, because the schedule also sets the rate after the last one; and at least two steps
    # of rise among five, because OneCycleLR divides by the length of each of its phases less one.
    steps = max(total_steps + 1, 5)
    rise = max(recipe.warm_up, 2 / steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, pct_start=rise)
    return optimizer, schedule


def validate(model: FCN, dataset: SegmentationDataset, device: str) -> float:
    """mIoU in [0, 1] by the project's own evaluation, in bf16 for speed."""
    matrices = confusion_matrices(model, dataset, device=device, precision="bf16", batch_size=4)
    return scores(matrices.sum(0), dataset.labels.classes).miou


def prepare_run(out: Path, recipe: Recipe, model, optimizer, schedule, *, resume: bool) -> int:
    """Create the run folder, or restore the state saved in it; returns the step to start with."""
    out.mkdir(parents=True, exist_ok=True)
    state_path = out / STATE_FILE
    if resume and state_path.is_file():
        state = torch.load(state_path, map_location="cpu", weights_only=True)
        if state["recipe"] != recipe.to_dict():
            raise TrainingError(
                f"{state_path}: was saved by another recipe; resume with the same one or choose another --out"
            )
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        keep_lines(out / METRICS_FILE, state["step"])
        return state["step"]
    if (out / METRICS_FILE).exists() and not resume:
        raise TrainingError(f"{out}: holds a run already; add --resume to go on with it or choose another --out")
    (out / METRICS_FILE).unlink(missing_ok=True)
    arguments = {"recipe": recipe.to_dict(), "environment": environment()}
    write_atomically(out / ARGUMENTS_FILE, json.dumps(arguments, indent=2) + "\n")
    return 0


def save_state(out: Path, recipe: Recipe, step: int, model, optimizer, schedule) -> None:
    """Write `state.pt` so that it is either the old one or the new one, whatever happens meanwhile."""
    state = {"recipe": recipe.to_dict(), "step": step, "model": model.state_dict()}
    state |= {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    temporary = out / f".{STATE_FILE}"
    torch.save(state, temporary)
    os.replace(temporary, out / STATE_FILE)


def append_line(path: Path, record: dict) -> None:
    """One JSON object a line."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def keep_lines(path: Path, step: int) -> None:
    """Drop the lines that an interrupted run wrote after its last saved state."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if json.loads(line)["step"] <= step]
    write_atomically(path, "".join(f"{line}\n" for line in kept))


def write_atomically(path: Path, text: str) -> None:
    """Write to a temporary name beside `path`, then rename."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def environment() -> dict:
    """Git commit and versions, for the record."""
    try:
        command = ["git", "rev-parse", "HEAD"]
        commit = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
        commit = commit.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = None
    packages = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    return {"git_commit": commit, "python": platform.python_version()} | packages


def facts(recipe: Recipe, steps: int) -> dict:
    """What the checkpoint's configuration tells of the run."""
    names = ("epochs", "batch_size", "crop", "learning_rate", "precision", "seed", "start_from", "split", "hold_out")
    fixed = {"optimizer": "AdamW", "schedule": "one-cycle", "steps": steps, "pretraining": None}
    return {name: getattr(recipe, name) for name in names} | fixed
