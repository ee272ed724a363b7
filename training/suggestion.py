"""`python -m training init DIR`: look at a data set and write a recipe to train on it, with the reason for each choice.

The recipe fine-tunes a trained checkpoint: its encoder is taken over, its score layers start anew for the new classes.
It is a start, meant to be read and changed, not the best there is.
"""

import argparse
import json
import shlex
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from evaluation.board.rows import read_results
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from training.augmentation import steps_per_epoch
from training.recipe import Recipe, read_recipe
from zoo.atomic import write_text
from zoo.checkpoints.information import CheckpointError, CheckpointInfo
from zoo.config import FCNConfig
from zoo.hub.catalog import scan
from zoo.text import counted

STEPS = 400  # what a fine-tuning run is given, where neither bound of epochs is met
EPOCHS = range(20, 301)
LARGEST_CROP = 320
RARE = 0.05  # of the labelled pixels
LARGE_PHOTO = 1024
ARCHITECTURE = ("variant", "backbone", "width", "head_channels", "head_kernel", "head_batch_norm", "dropout")


@dataclass(frozen=True)
class Facts:
    """What a split holds. sides: median (short, long) side of its photos; shares: of the labelled pixels, by class."""

    images: int
    sides: tuple[int, int]
    shares: dict[str, float]
    void: float
    validation: int


def look(dataset: SegmentationDataset, validation: int) -> Facts:
    """Read every mask of a split; DatasetError for the first that cannot be used."""
    pixels: Counter = Counter()
    shapes = []
    for index in tqdm(range(len(dataset)), unit=" masks", delay=1):
        mask = dataset.mask(index)
        shapes.append(sorted(mask.shape))
        pixels.update(dict(enumerate(np.bincount(mask.ravel(), minlength=256).tolist())))
    void, total = pixels[dataset.labels.void], pixels.total()
    if void == total:
        raise DatasetError(f"{dataset.mask_paths[0].parent}: every pixel is void, so there is nothing to learn")
    shares = {name: pixels[index] / (total - void) for index, name in enumerate(dataset.labels.classes)}
    short, long = (round(statistics.median(sides)) for sides in zip(*shapes, strict=True))
    return Facts(len(dataset), (short, long), shares, void / total, validation)


def best_checkpoint(name: str = "") -> CheckpointInfo:
    """The bundled checkpoint of that name, or without one the bundled FCN-8s of the highest measured mIoU."""
    infos = {info.name: info for info in scan()[0] if isinstance(info.config, FCNConfig)}
    if name:
        if name not in infos:
            raise CheckpointError(f"no bundled FCN {name!r}; there are: {', '.join(infos)}")
        return infos[name]
    scores = {result.document["checkpoint"]["name"]: result.document["scores"]["miou"] for result in read_results()[0]}
    eights = [info for info in infos.values() if info.config.variant == "fcn8s"]
    if not eights:
        raise CheckpointError("there is no bundled FCN-8s to start from; name another one with --start-from")
    return max(eights, key=lambda info: scores.get(info.name, 0.0))


def suggest(facts: Facts, start: CheckpointInfo, dataset: str) -> tuple[Recipe, dict[str, str]]:
    """A recipe and, by field, the reason for what is not its usual value."""
    reasons = {
        "variant": f"the architecture of {start.name}",
        "start_from": "its encoder knows textures and shapes already; new score layers for the new classes",
    }
    batch = min(8, facts.images)
    steps = steps_per_epoch(facts.images, Recipe(batch_size=batch))
    epochs = min(max(STEPS // steps, EPOCHS.start), EPOCHS.stop - 1)
    reasons["batch_size"] = f"{counted(facts.images, 'image')} to train on"
    reasons["epochs"] = f"{counted(steps, 'step')} each, {epochs * steps} in all"
    crop = min(LARGEST_CROP, max(32, facts.sides[0] // 32 * 32))
    reasons["crop"] = f"photos are {facts.sides[1]}x{facts.sides[0]} (median); as much of one as a step can hold"
    share, rarest = min((share, name) for name, share in facts.shares.items() if share)
    loss = "ce+dice" if share < RARE else "ce"
    reasons["loss"] = f"{rarest!r} is the rarest class with {share:.2%} of the labelled pixels"
    if share < RARE:
        reasons["loss"] += "; Dice counts every class as a whole"
    every = max(1, epochs // 5) if facts.validation else 0
    reasons["validate_every"] = (
        f"{counted(facts.validation, 'image')} in val" if every else "there is no val to measure on"
    )
    architecture = {name: getattr(start.config, name) for name in ARCHITECTURE}
    choice = {"start_from": start.name, "dataset": dataset, "loss": loss, "epochs": epochs, "batch_size": batch}
    choice |= {"crop": crop, "scale_low": 0.75, "validate_every": every}
    reasons["scale_low"] = "smaller copies than that lose what little objects there are"
    return Recipe(**architecture, **choice), reasons


def warnings(facts: Facts) -> list[str]:
    """What no recipe mends."""
    absent = [name for name, share in facts.shares.items() if not share]
    found = [f"no mask of train holds {name}, so it cannot be learnt" for name in absent]
    if not facts.validation:
        found.append("there is no split val, so nothing will tell how good the result is; import with --split 0.2")
    elif facts.validation < 5:
        found.append(f"val has {counted(facts.validation, 'image')}, so its mIoU says little")
    if facts.sides[1] > LARGE_PHOTO:
        found.append(
            f"photos are {facts.sides[1]} pixels long and a crop shows {LARGEST_CROP} of them; reduce photos and masks "
            f"(masks by nearest neighbour) to about {LARGE_PHOTO} first unless details are what you look for"
        )
    return found


def as_toml(recipe: Recipe, reasons: dict[str, str], title: str) -> str:
    """The recipe's fields that differ from the usual, or have a reason, as TOML with the reasons beside them."""
    lines = [f"# {title}"]
    for entry in fields(Recipe):
        value = getattr(recipe, entry.name)
        if value == entry.default and entry.name not in reasons:
            continue
        text = json.dumps(value)  # TOML writes strings, numbers and truth values alike
        lines.append(f"{entry.name} = {text}" + (f"  # {reasons[entry.name]}" if entry.name in reasons else ""))
    return "\n".join(lines) + "\n"


def open_validation(name: str, data: Path) -> int:
    """How many images the split val has, 0 if there is none."""
    try:
        return len(open_dataset(name, data, "val"))
    except DatasetError:
        return 0


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status: 0 written, 2 with a message on standard error."""
    parser = argparse.ArgumentParser(prog="python -m training init", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DIR", help="folder that holds the data set")
    parser.add_argument(
        "--dataset", default="folder", help="dataset name, as in python -m evaluation (default: folder)"
    )
    parser.add_argument("--start-from", default="", metavar="CHECKPOINT", help="bundled checkpoint (default: the best)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="recipe that is written (default: DIR/recipe.toml)")
    given = parser.parse_args(arguments)
    out = given.out or given.data / "recipe.toml"
    try:
        if out.exists():
            raise DatasetError(f"{out}: is there already and is not overwritten; give another file with --out")
        start = best_checkpoint(given.start_from)
        facts = look(open_dataset(given.dataset, given.data, "train"), open_validation(given.dataset, given.data))
        recipe, reasons = suggest(facts, start, given.dataset)
        text = as_toml(recipe, reasons, f"Suggested by `python -m training init` for {given.data.resolve().name}.")
        write_text(out, text)
        assert read_recipe(out) == recipe
    except (DatasetError, CheckpointError, OSError) as error:
        print(f"training init: {error}", file=sys.stderr)
        return 2
    print(text + "".join(f"warning: {warning}\n" for warning in warnings(facts)))
    run = f"runs/{recipe.checkpoint_name(open_dataset(given.dataset, given.data, 'train').labels)}"
    command = ["python", "-m", "training", "--recipe", str(out), "--data", str(given.data), "--out", run]
    print(f"{out} is written; train with\n  {shlex.join(command)}")
    return 0
