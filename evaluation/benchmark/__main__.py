"""The command: `python -m evaluation.benchmark [--data DIR] [--sections ...] [--quick]`."""

import argparse
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch

import evaluation.benchmark
from evaluation.benchmark.counting import bootstrap_seconds, evaluation_rate
from evaluation.benchmark.hub import hub
from evaluation.benchmark.measure import Row, Settings
from evaluation.benchmark.peers import matrix_rate, peers
from evaluation.benchmark.requests import area, whole_requests
from evaluation.benchmark.server import memory, start, visitors
from evaluation.cost import device_name
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.evaluate import PRECISIONS, EvaluationError
from evaluation.provenance import environment
from evaluation.sources import open_source
from zoo.allocator import SERVING, keep_freed_memory
from zoo.catalog import load
from zoo.checkpoint_info import CheckpointError

SECTIONS = {
    "peers": peers,
    "matrix": matrix_rate,
    "requests": whole_requests,
    "area": area,
    "start": start,
    "memory": memory,
    "hub": hub,
    "visitors": visitors,
}
NEED_DATA = {"evaluation": evaluation_rate, "bootstrap": bootstrap_seconds}
DEFAULT_CHECKPOINT = "fcn8s-vgg16bn-w25-ce-camvid"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    keep_freed_memory(SERVING)  # as the page does
    sections = SECTIONS | (NEED_DATA if options.data else {})
    chosen = options.sections or list(sections)
    if missing := [name for name in chosen if name not in sections]:
        print(f"error: {', '.join(missing)}: name the dataset's folder with --data", file=sys.stderr)
        return 1
    try:
        settings = _settings(options)
    except (CheckpointError, DatasetError, EvaluationError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    machine = f"{device_name(settings.device)}, {torch.get_num_threads()} CPU threads"
    print(f"{machine}\n{settings.checkpoint}" + ("\nquick: these figures say nothing" if options.quick else ""))
    found = {}
    for name in chosen:
        found[name] = sections[name](settings)
        _print_rows(name, found[name])
    document = {"checkpoint": settings.checkpoint, "device": machine, "quick": options.quick}
    document |= {"sections": {name: [asdict(row) for row in rows] for name, rows in found.items()}}
    document |= {"environment": environment("python -m evaluation.benchmark")}
    path = Path(options.out)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    print(f"\nwritten {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmark", description=evaluation.benchmark.__doc__)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", default=DEFAULT_CHECKPOINT, help="a bundled one")
    parser.add_argument("--dataset", default="camvid")
    parser.add_argument("--data", metavar="DIR", help="folder of the dataset; adds evaluation and bootstrap")
    parser.add_argument("--split", default="val")
    parser.add_argument("--device", default="cpu", help="of the section evaluation")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the section evaluation")
    parser.add_argument("--batch-size", type=int, default=1, help="of the section evaluation")
    parser.add_argument("--images", type=int, default=40, help="images of the split that are used (default: 40)")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default: 10)")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS | NEED_DATA, help="default: all")
    parser.add_argument("--quick", action="store_true", help="check that it works; the figures say nothing")
    parser.add_argument("--out", metavar="FILE", default="benchmark.json", help="JSON file (default: benchmark.json)")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    dataset, images = None, 2 if options.quick else options.images
    if options.data:
        dataset = _first_images(open_dataset(options.dataset, options.data, options.split), images)
        model = open_source(options.checkpoint, dataset.labels, device=options.device).model
    else:
        model = load(options.checkpoint)
    return Settings(
        checkpoint=options.checkpoint,
        model=model,
        dataset=dataset,
        device=torch.device(options.device),
        precision=options.precision,
        batch_size=options.batch_size,
        rounds=options.rounds or (1 if options.quick else 10),
        quick=options.quick,
    )


def _first_images(dataset: SegmentationDataset, count: int) -> SegmentationDataset:
    names = ("image_ids", "sequences", "image_paths", "mask_paths")
    return replace(dataset, **{name: getattr(dataset, name)[:count] for name in names})


def _print_rows(section: str, rows: list[Row]) -> None:
    print(f"\n{section}")
    for row in rows:
        goal = f"  (goal: {row.goal})" if row.goal else ""
        print(f"  {row.what:66}{row.value:10.3f} {row.unit}{goal}")


if __name__ == "__main__":
    sys.exit(main())
