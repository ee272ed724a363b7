"""`python -m training.benchmark`: images/s of a recipe's loop beside the plain float32 contiguous loop, in one run.

Both loops train the same network on the same crops of the same images, in turns, so that whatever else the machine
does meets both. The plain loop is what one writes without thinking of speed: float32, contiguous tensors, crops in
the main process.
"""

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from training import TrainingError
from training.augmentation import TrainingCrops, crop_loader, plan_batches
from training.loop import build_run, device_batches, recipe_loss, take_step
from training.processes import start_accelerator
from training.recipe import Recipe, add_flags, resolve
from training.state import environment
from zoo.atomic import write_text
from zoo.checkpoints.folder import build
from zoo.hub.catalog import load
from zoo.labels import LABEL_SETS
from zoo.numbers import at_least


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmark", description=__doc__, allow_abbrev=False)
    parser.add_argument("--recipe", type=Path, nargs=1, default=[], help="TOML file of the run to time")
    parser.add_argument("--data", type=Path, help="folder that holds the dataset; without it random images are used")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, or cuda:1")
    parser.add_argument("--workers", type=at_least(0), default=1, help="processes that prepare the recipe's crops")
    parser.add_argument("--steps", type=at_least(1), default=5, help="steps of a turn")
    parser.add_argument("--turns", type=at_least(1), default=5, help="turns of each loop, of which the median counts")
    parser.add_argument("--quick", action="store_true", help="two turns of one step, to see that it works")
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    add_flags(parser)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    steps, turns = (1, 2) if options.quick else (options.steps, options.turns)
    try:
        (recipe,) = resolve(options.recipe, vars(options))
        with tempfile.TemporaryDirectory() as temporary:
            data = options.data or write_random_camvid(Path(temporary), recipe.batch_size)
            recipe = recipe if options.data else replace(recipe, dataset="camvid", split="train")
            dataset = open_dataset(recipe.dataset, data, recipe.split)
            figures = compare(recipe, dataset, options.device, options.workers, steps, turns)
    except (DatasetError, TrainingError, ValueError) as error:
        logging.error("benchmark: %s", error)
        return 2
    for name in ("recipe", "plain"):
        print(f"{name}: {figures[f'{name}_images_per_second']:.2f} images/s")
    print(f"ratio: {figures['ratio']:.2f} ({figures['device']}, {figures['threads']} threads)")
    if options.out:
        record = figures | {"recipe": recipe.to_dict(), "environment": environment()}
        write_text(options.out, json.dumps(record, indent=2) + "\n")
    return 0


def compare(recipe: Recipe, dataset: SegmentationDataset, device: str, workers: int, steps: int, turns: int) -> dict:
    """Median images/s of both loops over `turns` turns of `steps` steps each, after a turn that is not counted."""
    total = steps * (turns + 1)
    accelerator = start_accelerator(recipe, device=device, expected=1)
    teacher = load(recipe.distill_from) if recipe.distill_from else None
    run = build_run(recipe, dataset, None, accelerator, total, teacher=teacher)
    batches = device_batches(run, dataset, 0, total, workers)
    plain = plain_steps(recipe, dataset, accelerator.device, total)
    speeds = {"recipe": [], "plain": []}
    for turn in range(turns + 1):
        places = range(turn * steps, (turn + 1) * steps)
        seconds = {
            "recipe": timed(lambda places=places: [take_step(run, batches, step) for step in places], device),
            "plain": timed(lambda places=places: [next(plain) for _ in places], device),
        }
        if turn:
            for name, value in seconds.items():
                speeds[name].append(steps * recipe.batch_size / value)
    medians = {f"{name}_images_per_second": statistics.median(values) for name, values in speeds.items()}
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "cpu"
    ratio = medians["recipe_images_per_second"] / medians["plain_images_per_second"]
    return medians | {"ratio": ratio, "turns": speeds, "device": name, "threads": torch.get_num_threads()}


def plain_steps(recipe: Recipe, dataset: SegmentationDataset, device: torch.device, total: int) -> Iterator[float]:
    """The loss of each step of the plain loop: same network, loss and crops; AdamW at a constant rate."""
    torch.manual_seed(recipe.seed)
    model = build(recipe.model_config(dataset.labels)).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate)
    loss_function = recipe_loss(recipe, dataset, device)
    plan = plan_batches(len(dataset), replace(recipe, accumulate=1), 0, total)
    for images, targets in crop_loader(TrainingCrops(dataset, recipe), plan, workers=0):
        loss = loss_function(model(images.to(device).contiguous().float() / 255), targets.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def timed(work: Callable, device: str) -> float:
    """Seconds that `work` takes, with what it left running on a GPU."""
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if cuda:
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def write_random_camvid(root: Path, images: int) -> Path:
    """A CamVid folder of random images and masks at its size, 480x360."""
    random, labels = np.random.default_rng(0), LABEL_SETS["camvid"]
    for name in ("train", "trainannot"):
        (root / name).mkdir()
    for index in range(images):
        image = random.integers(0, 256, (36, 48, 3), np.uint8)
        mask = random.integers(0, len(labels.classes) + 1, (36, 48), np.uint8)
        for folder, values in (("train", image), ("trainannot", mask)):
            large = Image.fromarray(values).resize((480, 360), Image.Resampling.NEAREST)
            large.save(root / folder / f"random_{index}.png")
    return root


if __name__ == "__main__":
    sys.exit(main())
