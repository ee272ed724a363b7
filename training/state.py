"""What a run writes into its folder: the state it can go on from, its metrics, and how it was made.

`state.pt` is replaced in one step and the one before is kept as `state.previous.pt`, so that neither a kill, a full
disk nor a broken file loses more than the work since the last good one.
"""

import io
import json
import logging
import platform
import shutil
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import torch

from evaluation.measuring.provenance import git_commit
from training import TrainingError
from training.recipe import Recipe
from zoo.atomic import replacing, write_text
from zoo.checkpoints.information import CONFIG_FILE
from zoo.config import FCNConfig

STATE_FILE = "state.pt"
PREVIOUS_FILE = "state.previous.pt"
ARGUMENTS_FILE = "training_args.json"
METRICS_FILE = "metrics.jsonl"
TRAINED_ON = ("trained on", "also trained on")  # a run's own dataset and its extra one, as its record calls them
OPTIMIZER_NAMES = {"adamw": "AdamW", "sgd": "SGD"}


def check_folder(out: Path, *, resume: bool) -> None:
    """Raise TrainingError if `out` holds a run that would be overwritten."""
    if not resume and any((out / name).exists() for name in (METRICS_FILE, STATE_FILE, CONFIG_FILE)):
        raise TrainingError(f"{out}: holds a run already; add --resume to go on with it or choose another --out")


def recorded_recipe(folder: Path) -> Recipe:
    """The recipe that a run folder records, with defaults for fields newer than the run; TrainingError if none."""
    path = folder / ARGUMENTS_FILE
    try:
        return Recipe(**json.loads(path.read_text(encoding="utf-8"))["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: cannot be read as the record of a run ({error})") from None


def check_same_recipe(out: Path, recipe: Recipe) -> None:
    """Raise TrainingError if the run that is done in `out` was of another recipe."""
    before, now = recorded_recipe(out).to_dict(), recipe.to_dict()
    changed = ", ".join(name for name in now if now[name] != before[name])
    if changed:
        raise TrainingError(f"{out}: was trained by another recipe (it differs in {changed}); choose another --out")


def check_same_data(out: Path, data: dict) -> None:
    """Raise TrainingError if the run in `out` began with other images, another order of them, or another teacher."""
    try:
        begun = json.loads((out / ARGUMENTS_FILE).read_text(encoding="utf-8")).get("data", {})
    except (OSError, ValueError):
        return  # nothing was begun, or `recorded_recipe` will say what is wrong
    teachers = [record.get("taught by", {}).get("sha256") for record in (begun, data)]
    if all(teachers) and teachers[0] != teachers[1]:
        raise TrainingError(
            f"{out}: the weights of the teacher {data['taught by']['name']} changed since the run began; put them back "
            "as they were, or start anew in another --out"
        )
    for role in TRAINED_ON:
        if role in begun and role in data:  # runs of old kept no record of the extra dataset
            check_same_images(out, role, begun[role], data[role])


def check_same_images(out: Path, role: str, before: dict, now: dict) -> None:
    """Raise TrainingError unless both records of what the run in `out` is trained on tell the same."""
    if before.get("classes", now["classes"]) != now["classes"]:
        raise TrainingError(
            f"{out}: its classes were {', '.join(before['classes'])} when it began; put the list of classes back, or "
            "start anew in another --out"
        )
    if before["order_sha256"] != now["order_sha256"]:
        same = before["content_sha256"] == now["content_sha256"]
        changed = "were renamed" if same else f"changed ({before['images']} then, {now['images']} now)"
        raise TrainingError(
            f"{out}: the images or masks that it is {role} {changed} since it began; put them back as they were, "
            "or start anew in another --out"
        )


def begin(out: Path, recipe: Recipe, computed: dict, data: dict) -> None:
    """Create the run folder with the resolved recipe, what identifies the `data`, and the versions of the programs.

    `computed` says by how many processes and in what precision.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / METRICS_FILE).unlink(missing_ok=True)
    arguments = {"recipe": recipe.to_dict(), "data": data, "environment": environment() | computed}
    write_text(out / ARGUMENTS_FILE, json.dumps(arguments, indent=2) + "\n")


def note_resume(out: Path, recipe: Recipe, step: int, computed: dict) -> None:
    """Add to the run's record what goes on with it from `step`; `recipe` may end elsewhere than the one before."""
    path = out / ARGUMENTS_FILE
    arguments = json.loads(path.read_text(encoding="utf-8"))
    arguments["recipe"] = recipe.to_dict()
    arguments.setdefault("resumed", []).append({"step": step} | environment() | computed)
    write_text(path, json.dumps(arguments, indent=2) + "\n")


def save_state(out: Path, recipe: Recipe, step: int, parts: dict, losses: list[float]) -> None:
    """Write `state.pt` so that it is either the old one or the new one, whatever happens meanwhile.

    `parts` are objects with a state_dict; `losses` those of the epoch so far. Raises TrainingError if the disk is full.
    """
    state = {"recipe": recipe.to_dict(), "step": step, "losses": losses}
    state |= {name: part.state_dict() for name, part in parts.items()}
    content = io.BytesIO()
    torch.save(state, content)
    try:
        with replacing(out / STATE_FILE, durable=True) as temporary:
            temporary.write_bytes(content.getbuffer())
            if (out / STATE_FILE).exists():
                with replacing(out / PREVIOUS_FILE) as previous:
                    shutil.copyfile(out / STATE_FILE, previous)
    except OSError as error:
        raise TrainingError(
            f"step {step}: cannot write {out / STATE_FILE} ({error.strerror}); make room and go on with --resume from "
            "the state saved before"
        ) from None


def load_state(out: Path, recipe: Recipe, parts: dict) -> tuple[int, list[float]] | None:
    """Restore `parts` from the newest good state; returns its step and losses, None if the run has saved none yet.

    Raises TrainingError if every state file is broken or was saved by another recipe.
    """
    paths = [path for path in (out / STATE_FILE, out / PREVIOUS_FILE) if path.is_file()]
    for path in paths:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            before = state["recipe"]
        except Exception:  # whatever unpickling a broken file ends in
            logging.warning("%s: the file is broken, going back to the state before it", path)
            continue
        if not recipe.resumes(before):
            raise TrainingError(
                f"{path}: was saved by another recipe; resume with the same one or choose another --out"
            )
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return state["step"], state["losses"]
    if paths:
        raise TrainingError(f"{paths[0]}: the file is broken and so is any before it; start again in another --out")
    return None


def remove_states(out: Path) -> None:
    """Delete the states of a run that is done."""
    for name in (STATE_FILE, PREVIOUS_FILE):
        (out / name).unlink(missing_ok=True)


def append_line(path: Path, record: dict) -> None:
    """One JSON object a line."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def keep_lines(path: Path, step: int) -> None:
    """Drop the lines, and the part of a line, that an interrupted run wrote after the state it goes on from."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            if json.loads(line)["step"] > step:
                break
        except ValueError:
            break
        kept.append(line)
    write_text(path, "".join(f"{line}\n" for line in kept))


def environment() -> dict:
    """Git commit ('+' if the code was changed since) and versions, for the record."""
    packages = {name: version(name) for name in ("torch", "torchvision", "accelerate", "numpy")}
    return {"git_commit": git_commit(("evaluation", "training", "zoo")), "python": platform.python_version()} | packages


def facts(recipe: Recipe, steps: int, processes: int, pretraining: str | None) -> dict:
    """What the checkpoint's configuration tells of the run."""
    names = ("epochs", "batch_size", "crop", "learning_rate", "precision", "seed", "start_from", "split", "hold_out")
    fixed = {"optimizer": OPTIMIZER_NAMES[recipe.optimizer], "schedule": recipe.schedule, "steps": steps}
    # What differs from the default and is neither told elsewhere nor without effect on the weights.
    told = {*names, "optimizer", "schedule", "dataset", "loss", "compile", "backbone_weights", "backbone_source"}
    told |= {entry.name for entry in fields(FCNConfig)} | {name for name in recipe.to_dict() if "validat" in name}
    usual = Recipe()
    chosen = {
        name: value for name, value in recipe.to_dict().items() if name not in told and value != getattr(usual, name)
    }
    record = {name: getattr(recipe, name) for name in names} | fixed | chosen
    return record | {"processes": processes, "pretraining": pretraining}
