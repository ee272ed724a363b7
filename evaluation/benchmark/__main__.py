"""The command: `python -m evaluation.benchmark [--data DIR] [--sections ...] [--quick]`."""

import argparse
import json
import os
import sys
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import torch

import evaluation.benchmark
from evaluation.benchmark import against
from evaluation.benchmark.both import MEASURES
from evaluation.benchmark.both import NEED_BROWSER as MEASURES_NEED_BROWSER
from evaluation.benchmark.both import NEED_DATA as MEASURES_NEED_DATA
from evaluation.benchmark.counting import bootstrap_seconds, evaluation_rate
from evaluation.benchmark.faults.section import FAMILIES, faults
from evaluation.benchmark.hub import hub
from evaluation.benchmark.measure import Row, Settings
from evaluation.benchmark.peers import matrix_rate, peers
from evaluation.benchmark.requests import area, whole_requests
from evaluation.benchmark.server import memory, start, visitors
from evaluation.benchmark.sides import AgainstError, Wanted
from evaluation.benchmark.soak import MOST_REQUESTS, MOST_SESSIONS, soak
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.datasets.dataset import refuse_partial_labels
from evaluation.measuring.cost import device_name
from evaluation.measuring.evaluate import PRECISIONS, EvaluationError, check_device
from evaluation.measuring.provenance import environment
from evaluation.measuring.sources import open_source
from zoo.atomic import write_text
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import load
from zoo.models.allocator import SERVING, keep_freed_memory
from zoo.numbers import at_least

SECTIONS = {
    "peers": peers,
    "matrix": matrix_rate,
    "requests": whole_requests,
    "area": area,
    "start": start,
    "memory": memory,
    "hub": hub,
    "visitors": visitors,
    "soak": soak,
    "faults": faults,
}
if find_spec("onnx") and find_spec("onnxruntime"):  # ../../zoo/export-requirements.txt
    from evaluation.benchmark.engines import engines

    SECTIONS["engines"] = engines
    if find_spec("playwright"):  # ../../tests/requirements.txt
        from evaluation.benchmark.browser import browser

        SECTIONS["browser"] = browser
NEED_DATA = {"evaluation": evaluation_rate, "bootstrap": bootstrap_seconds}
LONG = ("soak", "faults")  # minutes each
DEFAULT_CHECKPOINT = "fcn8s-vgg16bn-w25-ce-camvid"
DEFAULT_RECIPE = "training/recipes/fcn8s-vgg16bn-w25-ce-camvid.toml"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    options = _parser().parse_args(arguments)
    if options.against:
        return _against(options)
    keep_freed_memory(SERVING)  # as the page does
    sections = SECTIONS | (NEED_DATA if options.data else {})
    chosen = options.sections or [name for name in sections if name not in LONG]
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
    return _write(options.out, document)


def _write(path: str, document: dict) -> int:
    """Write what was found; the exit status."""
    try:
        write_text(path, json.dumps(document, indent=1) + "\n")
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"\nwritten {path}")
    return 0


def _against(options: argparse.Namespace) -> int:
    """Measure another commit beside this code; the exit status."""
    lacking = () if options.data else MEASURES_NEED_DATA
    browserless = () if find_spec("playwright") else MEASURES_NEED_BROWSER  # ../../tests/requirements.txt
    names = options.measures or [name for name in MEASURES if name not in (*lacking, *browserless)]
    for needed, what in (
        (lacking, "name the folder of CamVid with --data"),
        (browserless, "need a browser; run: pip install -r tests/requirements.txt"),
    ):
        if missing := [name for name in names if name in needed]:
            print(f"error: {', '.join(missing)}: {what}", file=sys.stderr)
            return 1
    wanted = Wanted(
        checkpoint=options.checkpoint,
        recipe=options.recipe,
        data=str(Path(options.data).resolve()) if options.data else "",
        rounds=options.rounds or (1 if options.quick else 5),
        requests=min(options.requests, 1) if options.quick else options.requests,
        quick=options.quick,
    )
    machine = f"{device_name(torch.device('cpu'))}, {torch.get_num_threads()} CPU threads"
    print(f"{machine}, load {os.getloadavg()[0]:.1f} at the start")
    print(f"{options.against} and this code, medians of {wanted.rounds} turns each and their ratio (range over turns)")
    found = {}
    try:
        for name, rows in against.against(options.against, names, wanted):
            found[name] = [asdict(row) for row in rows]
            print("\n".join(map(against.line, rows)), flush=True)
    except AgainstError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    document = {"against": options.against, "device": machine, "quick": options.quick, "measures": found}
    return _write(options.out, document | {"environment": environment("python -m evaluation.benchmark")})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmark", description=evaluation.benchmark.__doc__)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", default=DEFAULT_CHECKPOINT, help="a bundled one")
    parser.add_argument("--dataset", default="camvid")
    parser.add_argument("--data", metavar="DIR", help="folder of the dataset; adds evaluation and bootstrap")
    parser.add_argument("--split", default="val")
    parser.add_argument("--device", default="cpu", help="of the section evaluation")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the section evaluation")
    parser.add_argument("--batch-size", type=at_least(1), default=1, help="of the section evaluation")
    parser.add_argument(
        "--images", type=at_least(1), default=40, help="images of the split that are used (default: 40)"
    )
    parser.add_argument(
        "--rounds", type=at_least(1), help="how often each is measured (default: 10, 5 against a commit)"
    )
    parser.add_argument(
        "--sessions", type=at_least(1), default=50, help=f"of the section soak, at most {MOST_SESSIONS}"
    )
    parser.add_argument(
        "--requests",
        type=at_least(1),
        default=2000,
        help=f"of the section soak, at most {MOST_REQUESTS}, and of the memory of --against",
    )
    parser.add_argument(
        "--families", nargs="+", choices=FAMILIES, default=(), help="of the section faults (default: all)"
    )
    parser.add_argument("--into", metavar="FILE", type=Path, help="put the table of the section faults into FILE")
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS | NEED_DATA, help=f"default: all but {' and '.join(LONG)}"
    )
    parser.add_argument("--against", metavar="COMMIT", help="measure another commit of this repository beside this one")
    parser.add_argument(
        "--measures", nargs="+", choices=MEASURES, help="of --against (default: all that data and browser allow)"
    )
    parser.add_argument("--recipe", metavar="FILE", default=DEFAULT_RECIPE, help="of --against, in both commits")
    parser.add_argument("--quick", action="store_true", help="check that it works; the figures say nothing")
    parser.add_argument("--out", metavar="FILE", default="benchmark.json", help="JSON file (default: benchmark.json)")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    check_device(options.device)
    dataset, images = None, 2 if options.quick else options.images
    if options.data:
        whole = open_dataset(options.dataset, options.data, options.split)
        refuse_partial_labels(whole)
        dataset = _first_images(whole, images)
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
        sessions=min(options.sessions, MOST_SESSIONS),
        into=options.into,
        families=tuple(options.families),
        requests=min(options.requests, MOST_REQUESTS),
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
