"""`python -m training`: train FCNs from flags or recipe files; see --help and the README.

`python -m training init DIR` writes a recipe for a data set of one's own.
"""

import argparse
import contextlib
import io
import logging
import os
import sys
from pathlib import Path

import torch.distributed as distributed

from evaluation.measuring.processes import is_first_to_speak, pass_on
from training import TrainingError, suggestion
from training.loop import train
from training.processes import TRACKERS
from training.recipe import Recipe, add_flags, resolve, staged
from training.state import check_same_recipe
from zoo.checkpoints.folder import load_folder
from zoo.checkpoints.information import CONFIG_FILE
from zoo.hub.catalog import load
from zoo.models.allocator import TRAINING, keep_freed_memory
from zoo.numbers import MOST_PROCESSES, at_least, whole_number
from zoo.text import counted


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Train FCNs; init DIR suggests a recipe.", allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the dataset")
    parser.add_argument("--extra-data", type=Path, help="folder that holds the recipe's extra_dataset")
    parser.add_argument(
        "--out", type=Path, required=True, help="run folder; with --staged or several recipes, one in it each"
    )
    parser.add_argument("--recipe", type=Path, nargs="+", default=[], help="TOML files, trained in this order")
    parser.add_argument(
        "--staged", action="store_true", help="train fcn32s, fcn16s, fcn8s in turn, each from the one before"
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, or cuda:1")
    parser.add_argument("--workers", type=at_least(0), default=1, help="processes that prepare crops")
    parser.add_argument(
        "--processes",
        type=at_least(0),
        default=0,
        help="stop unless torchrun or accelerate started so many; 0 for any number",
    )
    parser.add_argument(
        "--save-every", type=at_least(0), default=0, help="steps between saved states; 0 for every epoch"
    )
    parser.add_argument("--tracker", choices=TRACKERS, default="none", help="log to this beside metrics.jsonl")
    add_flags(parser)
    return parser.parse_args(arguments)


def runs(options: argparse.Namespace) -> list[tuple[Recipe, Path]]:
    """The recipes to train, each with its run folder; the stages of several recipes lie in a folder each."""
    recipes = resolve(options.recipe, vars(options))
    named = list(zip(recipes, [path.stem for path in options.recipe] or [""], strict=True))
    if options.staged:
        several = len(named) > 1
        named = [
            (stage, f"{name}/{stage.variant}" if several else stage.variant)
            for recipe, name in named
            for stage in staged(recipe)
        ]
    if len(named) == 1:
        return [(named[0][0], options.out)]
    return [(recipe, options.out / name) for recipe, name in named]


def named_model(name: str, out: Path):
    """The model that `start_from` or `distill_from` names: a run beside `out`, a folder, or a checkpoint of the zoo."""
    if not name:
        return None
    for folder in (out.parent / name, Path(name)):
        if (folder / CONFIG_FILE).is_file():
            return load_folder(folder)
    return load(name)


def main(arguments: list[str] | None = None) -> int:
    """Train every run in turn; a finished one is skipped under --resume. Returns the exit status.

    Of several processes one says what is wrong, whichever meets it first.
    """
    first = os.environ.get("RANK", "0") == "0"  # torchrun numbers the processes; one of them tells how it goes
    level = logging.INFO if first else logging.ERROR
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["init"]:
        return suggestion.main(arguments[1:])
    with contextlib.nullcontext() if first else contextlib.redirect_stderr(io.StringIO()):
        options = parse(arguments)  # what is wrong with them, each process would say
    try:
        train_all(options)
    except (TrainingError, ValueError, OSError) as error:  # data and checkpoints raise subclasses of ValueError
        return end(f"training: {error}", 2)
    except RuntimeError as error:
        pass_on(error)
        return end("training: another process ended without a word; was memory enough? --resume goes on", 1)
    except KeyboardInterrupt:
        return end("training: interrupted; run the same command with --resume to go on", 130)
    if distributed.is_initialized():
        distributed.destroy_process_group()
    return 0


def end(reason: str, status: int) -> int:
    """Say why the command ends, unless another of its processes has said so; returns the exit status."""
    if is_first_to_speak():
        logging.error("%s", reason)
    return status


def train_all(options: argparse.Namespace) -> None:
    """Train every run of a command line in turn."""
    for variable in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):  # which accelerate reads
        whole_number(variable, 0, MOST_PROCESSES)
    for recipe, out in runs(options):
        if options.resume and (out / CONFIG_FILE).is_file():
            check_same_recipe(out, recipe)
            logging.info("%s is trained already", out)
            continue
        logging.info("Training %s, %s, %s -> %s", recipe.variant, recipe.loss, counted(recipe.epochs, "epoch"), out)
        model, teacher = named_model(recipe.start_from, out), named_model(recipe.distill_from, out)
        if model is not None:
            logging.info("Starting from %s (%s)", model.info.name, model.info.location)
        if teacher is not None:
            logging.info("Taught by %s (%s)", teacher.info.name, teacher.info.location)
        settings = {"resume": options.resume, "device": options.device, "workers": options.workers}
        settings |= {name: getattr(options, name) for name in ("extra_data", "processes", "save_every", "tracker")}
        info = train(recipe, options.data, out, start_from=model, teacher=teacher, **settings)
        logging.info("Wrote %s (%s parameters) to %s", info.name, f"{info.parameters:,}", out)


if __name__ == "__main__":
    keep_freed_memory(TRAINING)
    sys.exit(main())
