"""`python -m evaluation CHECKPOINT --dataset camvid --data DIR --split val`: measure checkpoints, write result files.

CHECKPOINT is a bundled name, a checkpoint folder, 'owner/repository' on the Hub or 'torchvision:fcn_resnet50'; several
may follow one another, and --all-bundled adds those that ship with the repository.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
import torch.distributed as distributed

from evaluation.counting.bootstrap import BLOCK, RESAMPLES
from evaluation.counting.confusion import CHANCE, foreground, kappa
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.datasets.dataset import refuse_partial_labels
from evaluation.datasets.survey import Survey, survey
from evaluation.measuring.corruptions import measure_corruptions
from evaluation.measuring.cost import measure_cost
from evaluation.measuring.evaluate import PRECISIONS, EvaluationError, check_device, evaluate, intra_op_threads
from evaluation.measuring.processes import is_first_to_speak, pass_on
from evaluation.measuring.provenance import command_line, dataset_facts, environment, protocol
from evaluation.measuring.record import LONGEST_BLOCK, MOST_RESAMPLES
from evaluation.measuring.results import ResultError, add_part, read_document, result_name, write_result
from evaluation.measuring.sources import Source, open_source
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import catalog
from zoo.models.allocator import TRAINING, keep_freed_memory
from zoo.numbers import MOST_PROCESSES, whole_number
from zoo.places import folder_for_results
from zoo.text import counted


def option(default, text: str, **extra):
    """A dataclass field that becomes a command-line flag."""
    return field(default=default, metadata={"help": text, **extra})


@dataclass(frozen=True)
class Options:
    """Settings of one evaluation run; each field is a flag of the command."""

    dataset: str = option("camvid", "camvid, voc, sbd, cityscapes, or folder for images/ masks/ classes.txt")
    data: str = option("", "folder that holds the dataset (required)", metavar="DIR")
    split: str = option("val", "split to measure")
    revision: str = option("", "commit, branch or tag of a checkpoint on the Hub")
    device: str = option("cpu", "cpu, cuda or cuda:0")
    precision: str = option("fp32", "precision of the forward pass", choices=PRECISIONS)
    batch_size: int = option(1, "images that pass the model together on a GPU")
    workers: int = option(0, "threads that share the images; 0 is one per CPU thread")
    threads: int = option(0, "CPU threads of the forward pass; 0 leaves torch's choice")
    passes: int = option(20, "forward passes whose median time is reported")
    resamples: int = option(RESAMPLES, "bootstrap resamples of the 95 %% intervals")
    block: int = option(BLOCK, "frames in a block of the block bootstrap")
    out: str = option("", "folder for the result files (default: that of this repository)", metavar="DIR")
    report: str = option("", "also write an HTML report with overlays into this folder", metavar="DIR")
    corruptions: bool = option(False, "also measure images with fog, darkness, motion blur, noise, JPEG, scale")
    all_bundled: bool = option(False, "measure every bundled checkpoint of this dataset")


def parse(arguments: list[str] | None = None) -> tuple[list[str], Options]:
    """Checkpoints and Options from the command line; exits with a message when they do not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT")
    for item in fields(Options):
        kind = {"action": "store_true"} if item.type is bool else {"type": item.type}
        default = "" if item.default in ("", False) else f" (default: {item.default})"
        settings = dict(item.metadata) | kind
        settings["help"] += default
        parser.add_argument(f"--{item.name.replace('_', '-')}", default=item.default, **settings)
    parsed = vars(parser.parse_args(arguments))
    checkpoints = parsed.pop("checkpoints")
    options = Options(**parsed)
    if not options.data:
        parser.error("--data DIR is needed: the folder that holds the dataset")
    if not checkpoints and not options.all_bundled:
        parser.error("name a CHECKPOINT, or add --all-bundled")
    for name, least in {"batch_size": 1, "passes": 1, "block": 1, "workers": 0, "threads": 0}.items():
        if getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    if options.resamples < 100:
        parser.error("--resamples must be at least 100")
    for name, most in {"resamples": MOST_RESAMPLES, "block": LONGEST_BLOCK}.items():
        if getattr(options, name) > most:
            parser.error(f"--{name} must be at most {most:,}")
    return checkpoints, options


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error, 130 interrupted."""
    checkpoints, options = parse(arguments)
    with intra_op_threads(options.threads or torch.get_num_threads()):
        return run(checkpoints, options)


def run(checkpoints: list[str], options: Options) -> int:
    """Measure the checkpoints; returns the exit status."""
    try:
        shared = (whole_number("WORLD_SIZE", 1, MOST_PROCESSES) or 1) > 1  # started by torchrun
        if shared:
            distributed.init_process_group("gloo")
    except ValueError as error:
        return end(f"error: {error}", 1)
    try:
        check_device(options.device)
        dataset = open_dataset(options.dataset, options.data, options.split)
        refuse_partial_labels(dataset)
        if options.all_bundled:
            checkpoints = [*checkpoints, *(info.name for info in catalog(dataset=dataset.labels.name))]
            if not checkpoints:
                raise EvaluationError(f"no bundled checkpoint was trained on {dataset.labels.title}")
        first = not shared or distributed.get_rank() == 0
        if first:
            check_writable(options.out or folder_for_results())
        found = look_at(dataset) if first else None
        for text in checkpoints:
            measure(text, dataset, options, found, shared=shared)
    except (CheckpointError, DatasetError, EvaluationError, ResultError, OSError) as error:
        return end(f"error: {error}", 1)
    except RuntimeError as error:
        pass_on(error)
        return end("error: another process ended without a word; was memory enough?", 1)
    except KeyboardInterrupt:
        return end("interrupted; nothing half-written is left behind", 130)
    finally:
        if shared:
            distributed.destroy_process_group()
    return 0


def end(reason: str, status: int) -> int:
    """Say why the command ends, unless another of its processes has said so; returns the exit status."""
    if is_first_to_speak():
        print(reason, file=sys.stderr)
    return status


def check_writable(folder: str | Path) -> None:
    """Raise ResultError where no result can be written, before hours are spent on one; creates nothing."""
    there = Path(folder).absolute()
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        told = f"{folder}: no result can be written there ({error.strerror}); name another folder with --out"
        raise ResultError(told) from None


def look_at(dataset: SegmentationDataset) -> Survey:
    """Read all files of the data set once, before anything is measured, and say what a reader should know of them."""
    found = survey(dataset, progress=sys.stderr.isatty())
    for note in (*dataset.notes, *found.notes()):
        print(f"note: {note}", file=sys.stderr)
    return found


def measure(
    text: str, dataset: SegmentationDataset, options: Options, found: Survey | None, *, shared: bool = False
) -> Path | None:
    """Measure one checkpoint and write its result (only process 0 does, the others return None)."""
    source = open_source(text, dataset.labels, revision=options.revision or None, device=options.device)
    first = not shared or distributed.get_rank() == 0
    if first:
        if options.report:
            from evaluation.board.report import check_replaceable  # matplotlib takes a second to import

            check_replaceable(Path(options.report) / result_name(source.name, dataset.name, dataset.split))
        print(
            f"{source.name} on {dataset.labels.title} {dataset.split}, {counted(len(dataset), 'image')}",
            file=sys.stderr,
        )
    counts, seconds = evaluate(
        source.model,
        dataset,
        device=options.device,
        precision=options.precision,
        batch_size=options.batch_size,
        workers=options.workers,
        progress=True,
        shared=shared,
    )
    if not first:
        return None
    height, width = dataset.image(0).shape[:2]
    cost = measure_cost(source.model, height, width, precision=options.precision, repeats=options.passes)
    document = {
        "checkpoint": checkpoint_facts(source),
        "dataset": dataset_facts(dataset),
        "protocol": protocol(options),
        "cost": cost | {"evaluation_seconds": seconds},
        "environment": environment(command_line(text, source, options)),
    }
    out, names = options.out or folder_for_results(), (dataset.image_ids, dataset.sequences)
    path = write_result(out, counts, *names, document, found.digests)
    print_scores(path)
    if options.corruptions:
        add_corruptions(path, source, dataset, options)
    if options.report:
        from evaluation.board.report import write_report

        print(write_report(path, source.model, dataset, options.report, device=options.device))
    return path


def add_corruptions(path: Path, source: Source, dataset: SegmentationDataset, options: Options) -> None:
    """Measure the corrupted images as well and add what comes out to the result."""
    models, where = {source.name: source.model}, {"device": options.device, "precision": options.precision}
    tally = measure_corruptions(models, dataset, progress=True, **where)[source.name]
    facts = {"split": dataset.split, "images": len(dataset), "precision": options.precision, "found": tally.document()}
    add_part(path, "corruptions", facts)


def checkpoint_facts(source: Source) -> dict:
    """What the result says of the checkpoint."""
    names = ("name", "variant", "backbone", "loss", "repository", "revision", "sha256", "file_bytes", "training")
    return {"source": source.kind} | {name: getattr(source, name) for name in names}


def print_scores(path: Path) -> None:
    """The main figures of a result, and where it lies."""
    document = read_document(path)
    scores, interval = document["scores"], document["intervals"]["miou"]["shown"]
    around = f" [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]" if interval else ""
    lines = {"mIoU": scores["miou"], "pixel accuracy": scores["pixel_accuracy"]}
    lines |= {"mean accuracy": scores["mean_accuracy"], "boundary F": document["boundary"]["boundary_f"]}
    if found := foreground(np.array(document["confusion_matrix"]), tuple(document["dataset"]["classes"])):
        lines |= {f"{name} of {found['class']}": found[name.lower()] for name in ("F1", "precision", "recall")}
    timing, cost = document["cost"]["timings"][-1], document["cost"]
    print(
        f"{'one image':16} {timing['milliseconds']:6.1f} ms, {timing['peak_memory_bytes'] / 1e6:.0f} MB of tensors at "
        f"{cost['width']}x{cost['height']} on {timing['device']}"
    )
    for name, value in lines.items():
        shown = "-" if value is None else f"{100 * value:6.2f} %"
        print(f"{name:16} {shown}{around if name == 'mIoU' else ''}")
    agreement = kappa(np.array(document["confusion_matrix"]))
    if agreement is not None and agreement < CHANCE:
        print(
            f"warning: predictions and masks agree no more than by chance (Cohen's kappa {agreement:.2f}); are these "
            f"the masks of these images, with the ids of {document['dataset']['title']}?",
            file=sys.stderr,
        )
    print(f"{'written':16} {path}")


if __name__ == "__main__":
    keep_freed_memory(TRAINING)
    sys.exit(main())
