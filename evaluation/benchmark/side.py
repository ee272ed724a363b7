"""One side of `against.py`: `python side.py MEASURE SETTINGS` works with whatever commit PYTHONPATH leads to.

It prepares itself, writes a line, and then takes a turn for each line that it reads, answering with the turn's figures
in JSON. What it computed goes to the file `answer` of its settings, so that both sides can be compared. Modules have
had other names, so they are looked up, the newest name first.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image


def named(*names: str) -> ModuleType:
    """The first of these modules that there is."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):  # there is one, but it lacks a library
                raise
    raise ModuleNotFoundError(f"none of {', '.join(names)}")


def segment(settings: dict) -> Iterator[tuple[dict[str, float], np.ndarray]]:
    """`zoo.segment` as a program would call it, `threads` of torch, a photo of `size` (width, height).

    The network is that of `checkpoint`, or a random one, the same on both sides, of the FCNConfig `network`.
    """
    import torch

    import zoo

    torch.set_num_threads(settings["threads"])
    if settings["network"]:
        torch.manual_seed(0)
        module = named("zoo.models.fcn", "zoo.fcn")
        classes = tuple(f"class {index}" for index in range(21))
        model = module.FCN(module.FCNConfig(classes=classes, **settings["network"])).eval()
        for layer in model.score.values():  # which begin at zero
            torch.nn.init.normal_(layer.weight, std=0.01)
    else:
        model = zoo.load(settings["checkpoint"])
    with Image.open(settings["photo"]) as photo:
        pixels = np.asarray(photo.convert("RGB").resize(settings["size"]))
    while True:
        seconds, mask = [], None
        for _ in range(settings["passes"]):
            begin = time.perf_counter()
            mask = zoo.segment(model, pixels).mask
            seconds.append(time.perf_counter() - begin)
        yield {"seconds": statistics.median(seconds)}, mask


def training_step(settings: dict) -> Iterator[tuple[dict[str, float], np.ndarray]]:
    """Steps of a recipe's loop, set up as the training command does, on the dataset in `data` or on random images."""
    allocator = named("zoo.models.allocator", "zoo.allocator")
    loop, processes, recipes = map(import_module, ("training.loop", "training.processes", "training.recipe"))
    allocator.keep_freed_memory(allocator.TRAINING)
    (recipe,) = recipes.resolve([Path(settings["recipe"])], settings["flags"])
    data = settings["data"] or named("training.benchmark").write_random_camvid(Path(settings["scratch"]), 8)
    dataset = import_module("evaluation.datasets").open_dataset("camvid", data, "train")
    total = settings["steps"] * settings["turns"]
    run = loop.build_run(recipe, dataset, None, processes.start_accelerator(recipe), total)
    batches = loop.device_batches(run, dataset, 0, total, 1)
    for first in range(0, total, settings["steps"]):
        begin = time.perf_counter()
        losses = [float(loop.take_step(run, batches, first + index)) for index in range(settings["steps"])]
        yield {"seconds": (time.perf_counter() - begin) / len(losses)}, np.array(losses)


MEASURES: dict[str, Callable[[dict], Iterator]] = {"segment": segment, "training_step": training_step}


def main() -> None:
    """Take a turn for each line of standard input."""
    settings = json.loads(sys.argv[2])
    turns = MEASURES[sys.argv[1]](settings)
    for _ in sys.stdin:
        figures, answer = next(turns)
        np.save(settings["answer"], answer)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
