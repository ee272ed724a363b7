"""`python -m training.gpu --data ROOT --runs RUNS --out OUT --minutes 8`: what a rented card does in a few minutes.

Measures the training rate (`training.rates`), then trains `QUEUE` in order of value with the split on the card, several
runs side by side, since a small network leaves most of a card idle; a stage begins when the one before it is done. Each
finished checkpoint is written to OUT at once, in files of at most 9.5 MB; when time is up the current runs save their
states in RUNS, and the same command goes on.
ROOT holds the folders camvid, street, cracks, vessels and weights, and checkpoints with those that a recipe starts
from; `pack` writes all that to pieces below 64 MiB, and `unpack` lays pieces out again behind a thin line.
"""

import argparse
import contextlib
import json
import logging
import os
import shutil
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from evaluation.datasets import DatasetError, open_dataset
from training import OutOfTime, TrainingError
from training.loop import train
from training.mixture import Mixture, open_extra
from training.pieces import missing, pack, unpack
from training.rates import measure
from training.recipe import Recipe, read_recipe
from training.state import environment
from zoo.atomic import whole_folder, write_text
from zoo.checkpoints.folder import load_folder
from zoo.checkpoints.information import CONFIG_FILE
from zoo.checkpoints.shards import SHARD_BYTES, shard_folder, weights_paths
from zoo.config import VARIANTS
from zoo.hub.catalog import load
from zoo.numbers import at_least, more_than_zero
from zoo.places import BUNDLED, RECIPES
from zoo.text import counted

SEEDS = (0, 1, 2)
LOSSES = ("ce", "focal", "dice")
DOMAIN_LOSSES = ("ce", "wce", "focal", "dice", "ce+dice")
# Recipe and seeds, the most valuable first.
QUEUE = (
    ("fcn8s-vgg16-in-ce+dice-camvid+street", (0,)),
    ("fcn8s-vgg16-w50-in-ce+dice-camvid+street-first", (0,)),
    *((f"{variant}-vgg16-w25-in-{loss}-camvid+street", (0,)) for variant in VARIANTS for loss in LOSSES),
    *((f"fcn8s-vgg16bn-w25-{loss}-cracks", SEEDS) for loss in DOMAIN_LOSSES),
    *((f"fcn8s-vgg16bn-w25-{loss}-vessels", SEEDS) for loss in DOMAIN_LOSSES),
    *((f"fcn32s-vgg16bn-w25-ce+dice-{domain}", (0,)) for domain in ("cracks", "vessels")),
    ("fcn32s-vgg16-in-ce+dice-camvid+street", (0,)),
    ("fcn16s-vgg16-in-ce+dice-camvid+street", (0,)),
    ("fcn8s-vgg16-in-ce+dice-camvid+street", (1, 2)),
    ("fcn8s-vgg16-w50-in-ce+dice-camvid+street-first", (1, 2)),
    ("fcn8s-resnet18-ce-camvid", (0,)),
)  # fmt: skip
FOLDERS = ("camvid", "street", "cracks", "vessels", "weights")
RATES = "rates.json"
MARGIN_SECONDS = 20  # for the last state and what is still to be written
STEPS_BETWEEN_STATES = 1000  # a state of a full VGG-16 has 300 MB, and one is written in any case when time is up


@dataclass(frozen=True)
class Job:
    """One run: its recipe as this command trains it, its name, where its data lie, and the run that it `follows`.

    That one is the stage of the same seed that the recipe starts from, '' where it is none of the queue.
    """

    name: str
    recipe: Recipe
    data: Path
    extra: Path | None
    follows: str = ""


def jobs(root: Path, names: list[str]) -> list[Job]:
    """The queue, or the named recipes of it, over the data in `root`; ValueError for a name that is not queued."""
    known = [stem for stem, _ in QUEUE]
    for name in names:
        if name not in known:
            raise ValueError(f"--only: {name!r} is not queued; choose from {', '.join(dict.fromkeys(known))}")
    listed, named = [], {named_run(stem, seed) for stem, seeds in QUEUE for seed in seeds}
    for stem, seeds in QUEUE:
        recipe = read_recipe(RECIPES / f"{stem}.toml")
        data = root / (stem.rpartition("-")[2] if recipe.dataset == "folder" else recipe.dataset)
        extra = root / recipe.extra_dataset if recipe.extra_dataset else None
        for seed in seeds if not names or stem in names else ():
            changes = {"seed": seed, "stop_epoch": 0, "augment_on": "device"}
            before = named_run(recipe.start_from, seed)
            follows = before if before in named else ""
            listed.append(Job(named_run(stem, seed), replace(recipe, **changes), data, extra, follows))
    return listed


def named_run(stem: str, seed: int) -> str:
    """The name of a recipe's run."""
    return f"{stem}-seed{seed}" if seed else stem


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0 when all is trained, 3 when time was up before that, 2 with a message."""
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        if options.command == "pack":
            for path in pack(sources(options.data), options.out):
                print(f"{path} {path.stat().st_size / 2**20:.1f} MiB")
            return 0
        if options.command == "unpack":
            unpack(options.pieces, options.into)
            lacking = missing(options.into)
            still = f"{counted(len(lacking), 'file is', 'files are')} still to come"
            print(f"{options.into}: {still if lacking else 'all files are there'}")
            return 0
        return work(options)
    except OutOfTime as error:
        logging.info("%s", error)
        return 3
    except (TrainingError, DatasetError, ValueError, OSError) as error:
        logging.error("training.gpu: %s", error)
        return 2


def sources(root: Path) -> dict[str, Path]:
    """What `pack` packs: the folders of data, and the bundled checkpoints that queued recipes start from."""
    queued = {stem for stem, _ in QUEUE}
    starts = {read_recipe(RECIPES / f"{stem}.toml").start_from for stem in queued} - queued - {""}
    return {name: root / name for name in FOLDERS} | {f"checkpoints/{name}": BUNDLED / name for name in sorted(starts)}


def work(options: argparse.Namespace) -> int:
    """Measure where that was not done yet, then train until all is done or time is up."""
    deadline = time.monotonic() + 60 * options.minutes - MARGIN_SECONDS
    root, runs, out = (path.resolve() for path in (options.data, options.runs, options.out))
    if lacking := missing(root):
        raise TrainingError(
            f"{root}: {counted(len(lacking), 'file of the pieces is', 'files of the pieces are')} missing or not "
            f"whole, first {lacking[0]}"
        )
    queue = jobs(root, options.only)
    out.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(weights_folder(root)):
        rates = runs / RATES
        if options.rates and not rates.is_file():
            runs.mkdir(parents=True, exist_ok=True)
            write_text(rates, json.dumps(rates_of(queue[0], options), indent=2) + "\n")
        if rates.is_file():
            shutil.copy(rates, out / RATES)
    side_by_side(queue, runs, out, root, deadline, options)
    logging.info("all %d runs are trained", len(queue))
    return 0


def side_by_side(queue: list[Job], runs: Path, out: Path, root: Path, deadline: float, options) -> None:
    """Train the queue in as many processes as asked for, each taking the next run as soon as it is free.

    A run that fails or is out of time stops no other but those that start from it; the first of such errors is raised
    when all have ended, one of a failure before one of time.
    """
    spawn, errors = get_context("spawn"), {}  # a forked process cannot use a card that its parent has used
    threads = max(1, len(os.sched_getaffinity(0)) // options.side_by_side)
    left, running = list(queue), {}
    with ProcessPoolExecutor(options.side_by_side, spawn, begin_process, (weights_folder(root), threads)) as pool:
        while left or running:
            for job in ready(left, out)[: options.side_by_side - len(running)]:
                left.remove(job)
                running[pool.submit(one, job, runs, out, root, options.device, deadline)] = job
            if not running and not errors:
                raise TrainingError(f"{left[0].name}: starts from {left[0].follows}, which {out} lacks; train that too")
            if not running:
                break  # those that failed or ran out of time come before what is left
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(done)
                if error := done.exception():
                    errors[queue.index(job)] = error
                    if not isinstance(error, OutOfTime):
                        logging.error("%s: %s", job.name, error)
    for place in sorted(errors, key=lambda place: (isinstance(errors[place], OutOfTime), place)):
        raise errors[place]


def ready(left: list[Job], out: Path) -> list[Job]:
    """The runs that can begin: those that follow none, or one that is finished."""
    return [job for job in left if not job.follows or (out / job.follows / CONFIG_FILE).is_file()]


def begin_process(folder: Path, threads: int) -> None:
    """Make a process of the pool ready: where recipes find weights, its share of the processor, its messages."""
    os.chdir(folder)
    torch.set_num_threads(threads)
    threadpool_limits(threads)  # SciPy's own, which prune
    torch.backends.cudnn.benchmark = True  # all crops of a run have one size
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)


def weights_folder(root: Path) -> Path:
    """The folder in which recipes find weights, which they name by file alone."""
    return root / "weights" if (root / "weights").is_dir() else root


def rates_of(job: Job, options: argparse.Namespace) -> dict:
    """Measure the rates of a job's recipe and print them."""
    dataset = open_dataset(job.recipe.dataset, job.data, job.recipe.split)
    extra = open_extra(job.recipe, job.extra)
    recipe = replace(job.recipe, compile=options.device != "cpu")  # which takes a minute, too long for one short run
    found = measure(
        recipe,
        dataset if extra is None else Mixture(dataset, extra),
        options.device,
        steps=options.steps,
        turns=options.turns,
    )
    print(
        f"{job.name} on {found['device']}, {found['precision']}: {found['recipe_images_per_second']:.1f} images/s, "
        f"{100 * found['share']:.0f} % of {found['matrix_flops_per_second'] / 1e12:.1f} TFLOP/s of a matrix product; "
        f"{found['ratio']:.2f} times torchvision's reference loop ({found['reference_images_per_second']:.1f})"
    )
    return found | {"recipe": recipe.to_dict(), "environment": environment()}


def one(job: Job, runs: Path, checkpoints: Path, root: Path, device: str, deadline: float) -> None:
    """Train a job, or go on with it, and copy what is finished; raises OutOfTime where there is none left."""
    started, run, out = time.monotonic(), runs / job.name, checkpoints / job.name
    if out.exists() and not (out / CONFIG_FILE).is_file() and (out.is_file() or any(out.iterdir())):
        raise TrainingError(f"{out}: holds something other than a checkpoint; move it away or choose another --out")
    if not (run / CONFIG_FILE).is_file():
        if time.monotonic() >= deadline:
            raise OutOfTime(f"{job.name} and what follows are still to be trained; the same command goes on there")
        logging.info("training %s", job.name)
        options = {"extra_data": job.extra, "resume": run.is_dir(), "device": device, "workers": 0, "progress": False}
        options |= {"save_every": STEPS_BETWEEN_STATES}
        first = load_folder(checkpoints / job.follows) if job.follows else start(job.recipe, root)
        train(job.recipe, job.data, run, start_from=first, deadline=deadline, **options)
    if not (out / CONFIG_FILE).is_file():
        with whole_folder(out) as staging:
            shutil.copytree(run, staging, dirs_exist_ok=True)
        if any(path.stat().st_size > SHARD_BYTES for path in weights_paths(out)):
            shard_folder(out)
        logging.info("wrote %s after %.0f s", out, time.monotonic() - started)


def start(recipe: Recipe, root: Path):
    """The checkpoint that a recipe starts from: of ROOT/checkpoints, or of the zoo; None where it names none."""
    if not recipe.start_from:
        return None
    packed = root / "checkpoints" / recipe.start_from
    return load_folder(packed) if (packed / CONFIG_FILE).is_file() else load(recipe.start_from)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parsed command line; `command` is 'train', 'pack' or 'unpack'."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] not in ("pack", "unpack", "train", "-h", "--help"):
        arguments = ["train", *arguments]
    parser = argparse.ArgumentParser(
        prog="python -m training.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train", help="measure and train; what is meant where no command is named")
    command.add_argument("--data", type=Path, required=True, metavar="ROOT", help=f"holds {', '.join(FOLDERS)}")
    command.add_argument(
        "--runs", type=Path, default=Path("runs/gpu"), help="runs and their states (default: runs/gpu)"
    )
    command.add_argument("--out", type=Path, required=True, help="finished checkpoints and rates.json")
    command.add_argument("--minutes", type=more_than_zero, default=8, help="when to stop (default: 8)")
    command.add_argument("--device", default="cuda", help="cuda, or cpu for a dry run (default: cuda)")
    command.add_argument("--side-by-side", type=at_least(1), default=8, metavar="N", help="runs at once (default: 8)")
    command.add_argument("--only", nargs="+", default=[], metavar="RECIPE", help="recipes of the queue to train")
    command.add_argument("--rates", action=argparse.BooleanOptionalAction, default=True, help="measure the rates first")
    command.add_argument("--steps", type=at_least(1), default=20, help="steps of a measured turn")
    command.add_argument(
        "--turns", type=at_least(1), default=5, help="measured turns of each loop, of which the median counts"
    )
    command = commands.add_parser("pack", help="write ROOT's folders to pieces below 64 MiB")
    command.add_argument("--data", type=Path, required=True, metavar="ROOT", help=f"holds {', '.join(FOLDERS)}")
    command.add_argument("--out", type=Path, required=True, help="folder of the pieces")
    command = commands.add_parser("unpack", help="lay pieces out, some or all")
    command.add_argument("pieces", type=Path, nargs="+", help="piece-00.zip and so on")
    command.add_argument("--into", type=Path, required=True, metavar="ROOT", help="folder that --data then names")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
