"""`python -m evaluation.exports CHECKPOINT FILE.onnx ... --data DIR`: what exported files cost, engine by engine.

Every file of `python -m zoo export` is run on the split's images by ONNX Runtime, by OpenVINO where it is installed,
and with `--web` in Chromium: its size, milliseconds in turns with `zoo.segment`, the share of pixels on which its
masks are the checkpoint's in float32, and its mIoU. The table is Markdown.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from evaluation.browser import chromium, in_browser
from evaluation.counting.confusion import confusion_matrix, scores
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.datasets.dataset import refuse_partial_labels
from evaluation.measuring.cost import device_name
from evaluation.measuring.evaluate import EvaluationError, intra_op_threads, progress_bar
from evaluation.measuring.sources import open_source
from zoo.checkpoints.export import REQUIREMENTS, logits_of, open_session
from zoo.checkpoints.information import CheckpointError
from zoo.models import compiled
from zoo.models.segmentation import segment
from zoo.models.timing import in_turns
from zoo.numbers import at_least

Mask = Callable[[np.ndarray], np.ndarray]  # an image (H, W, 3) uint8 -> its mask (H, W) uint8


@dataclass(frozen=True)
class Runner:
    """One row of the table: `what` runs, stored in how many bytes, by which engine, and the function that does it."""

    what: str
    file_bytes: int
    engine: str
    mask: Mask


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        dataset = open_dataset(options.dataset, options.data, options.split)
        refuse_partial_labels(dataset)
        source = open_source(options.checkpoint, dataset.labels)
        with contextlib.ExitStack() as opened:
            opened.enter_context(intra_op_threads(options.threads))
            browser = opened.enter_context(chromium()) if options.web else None
            runners = [Runner("checkpoint", source.file_bytes, "zoo.segment", partial(segmented, source.model))]
            for path in map(Path, options.files):
                runners += exported(path, source.sha256, options.threads)
                if options.web:
                    mask = opened.enter_context(in_browser(browser, options.web, path))
                    runners.append(replace(runners[-1], engine="onnxruntime-web, WASM, one thread", mask=mask))
            print_table(source.model, runners, dataset, options)
    except (CheckpointError, DatasetError, EvaluationError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def segmented(model: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """The mask that `zoo.segment` gives."""
    return segment(model, image).mask


def print_table(model, runners: list[Runner], dataset: SegmentationDataset, options: argparse.Namespace) -> None:
    """Measure every runner and print the table."""
    indices = range(min(options.images or len(dataset), len(dataset)))
    height, width = dataset.image(0).shape[:2]
    seconds = timed(runners, dataset.image(0), options.rounds)
    agreement, miou = measure(model, runners, dataset, indices)
    machine = f"{device_name(torch.device('cpu'))}, {options.threads} of its threads"
    print(f"{machine}; milliseconds for {width}x{height} pixels, median of {options.rounds}; mIoU on {len(indices)}")
    print(f"images of {dataset.labels.title} {dataset.split}, the checkpoint's in float32 is {percent(miou[-1])}.\n")
    print("| weights | MB | engine | ms | same pixels | mIoU |\n|:--|--:|:--|--:|--:|--:|")
    for runner, time, same, score in zip(runners, seconds, agreement, miou, strict=False):
        cells = f"{runner.file_bytes / 1e6:.1f}", runner.engine, f"{1000 * time:.0f}", percent(same), percent(score)
        print(f"| {runner.what} | {' | '.join(cells)} |")


def percent(share: float) -> str:
    """A share as a table shows it."""
    return f"{100 * share:.2f} %"


def timed(runners: list[Runner], image: np.ndarray, rounds: int) -> list[float]:
    """Median seconds of each runner on one image, in turns."""
    functions = {str(index): partial(runner.mask, image) for index, runner in enumerate(runners)}
    return list(in_turns(functions, rounds).values())


def add_what_is_measured(parser: argparse.ArgumentParser) -> None:
    """The flags that say on which images, and how often."""
    parser.add_argument("--dataset", default="camvid")
    parser.add_argument("--data", metavar="DIR", required=True, help="folder that holds the dataset")
    parser.add_argument("--split", default="val")
    parser.add_argument(
        "--images", type=at_least(0), default=0, help="the first so many images of the split (default: all)"
    )
    parser.add_argument("--rounds", type=at_least(1), default=20, help="how often each is timed (default: 20)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation.exports", description=__doc__, allow_abbrev=False)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="what the files were exported from")
    parser.add_argument("files", metavar="FILE.onnx", nargs="+")
    add_what_is_measured(parser)
    parser.add_argument("--web", metavar="DIR", type=Path, help="folder dist of the npm package onnxruntime-web")
    parser.add_argument("--threads", type=at_least(1), default=1, help="CPU threads of native engines (default: 1)")
    return parser


def exported(path: Path, sha256: str, threads: int) -> list[Runner]:
    """The runners of one file, by engine. Raises EvaluationError where it was not exported from these weights."""
    try:
        session = open_session(path, threads=threads)
    except ModuleNotFoundError as error:
        raise EvaluationError(f"{error.name} is not installed; run: pip install -r {REQUIREMENTS}") from None
    except Exception as error:  # ONNX Runtime has no base class for its errors
        raise EvaluationError(f"{path}: ONNX Runtime cannot open it ({error})") from None
    facts = session.get_modelmeta().custom_metadata_map
    if facts.get("sha256") != sha256:
        raise EvaluationError(f"{path}: was not exported from this checkpoint, its weights have another sha256")
    if session.get_outputs()[0].name != "mask":
        raise EvaluationError(f"{path}: gives logits; export it without --logits")
    found = [("ONNX Runtime", lambda image: session.run(["mask"], {"photo": image})[0])]
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    network = compiled.runtime().compile_model(str(path), "CPU", settings)
    precision = network.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    found.append((f"OpenVINO, {precision}", lambda image: network(image)["mask"]))
    return [Runner(facts["weights"], path.stat().st_size, engine, mask) for engine, mask in found]


def measure(
    model: torch.nn.Module, runners: list[Runner], dataset: SegmentationDataset, indices: range
) -> tuple[list[float], list[float]]:
    """Share of pixels on which each runner's masks are the model's in float32, and its mIoU, then the model's mIoU."""
    labels = dataset.labels
    matrices = [torch.zeros(len(labels.classes), len(labels.classes), dtype=torch.int64) for _ in (*runners, model)]
    same, pixels = [0] * len(runners), 0
    with progress_bar(len(indices), True) as bar:
        for index in indices:
            image, truth = dataset.image(index), torch.from_numpy(np.array(dataset.mask(index)))
            reference = logits_of(model, image).argmax(0).astype(np.uint8)
            masks = [runner.mask(image) for runner in runners]
            for matrix, mask in zip(matrices, (*masks, reference), strict=True):
                matrix += confusion_matrix(torch.from_numpy(mask), truth, len(labels.classes), labels.void)
            same = [count + int((mask == reference).sum()) for count, mask in zip(same, masks, strict=True)]
            pixels += reference.size
            bar.update()
    return [count / pixels for count in same], [scores(matrix, labels.classes).miou for matrix in matrices]


if __name__ == "__main__":
    sys.exit(main())
