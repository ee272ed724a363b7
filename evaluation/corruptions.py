"""`python -m evaluation.corruptions CHECKPOINT ... --data DIR`: mIoU and calibration under corruptions.

Prints mIoU and the expected calibration error in fog, darkness, motion blur, noise, JPEG and at other scales, at three
levels each. --into adds both to the results that stand in a folder, --plots draws them; without --data it prints what
the results hold.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from evaluation.board.plots import write_plots
from evaluation.board.rows import read_results
from evaluation.datasets import DatasetError, open_dataset
from evaluation.datasets.dataset import refuse_partial_labels
from evaluation.measuring.corruptions import LEVELS, measure_corruptions
from evaluation.measuring.evaluate import PRECISIONS, EvaluationError, check_device
from evaluation.measuring.results import ResultError
from evaluation.measuring.sources import open_source
from evaluation.sizes import add_to_result
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import catalog
from zoo.numbers import at_least
from zoo.places import RESULTS
from zoo.text import counted

FIGURES = {"miou": "mIoU in %", "expected_calibration_error": "expected calibration error in %"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    options = parser().parse_args(arguments)
    try:
        found = measured(options) if options.data else stored(options)
    except (CheckpointError, DatasetError, EvaluationError, ResultError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for (dataset, split, images), documents in found.items():
        print(f"{dataset} {split}, {counted(images, 'image')}")
        for name, title in FIGURES.items():
            print(f"\n{title}\n{frame(documents, name).to_markdown(tablefmt=options.format, disable_numparse=True)}")
        print()
        if options.plots:
            for path in write_plots(documents, options.plots):
                print(path)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    whole = argparse.ArgumentParser(prog="python -m evaluation.corruptions", description=__doc__, allow_abbrev=False)
    whole.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT", help="default: all bundled ones of the dataset")
    whole.add_argument("--dataset", default="camvid", help="as in python -m evaluation")
    whole.add_argument("--data", default="", metavar="DIR", help="folder that holds the dataset")
    whole.add_argument("--split", default="val", help="split to measure (default: %(default)s)")
    whole.add_argument("--images", type=at_least(0), default=0, help="only about so many images, evenly spread")
    whole.add_argument("--device", default="cpu", help="cpu, cuda or cuda:0")
    whole.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the network (default: %(default)s)")
    whole.add_argument(
        "--into", metavar="DIR", nargs="?", const=str(RESULTS), help="add the figures to the results in DIR"
    )
    whole.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="results to print without --data")
    whole.add_argument("--plots", type=Path, metavar="DIR", help="draw a plot for each kind of corruption into DIR")
    whole.add_argument("--format", choices=("plain", "pipe"), default="plain", help="of the tables; pipe is Markdown")
    return whole


def measured(options) -> dict[tuple, dict[str, dict]]:
    """Measure the checkpoints; {(data set, split, images): {checkpoint: its `corruptions`}}."""
    check_device(options.device)
    dataset = whole = open_dataset(options.dataset, options.data, options.split)
    refuse_partial_labels(whole)
    if options.images:
        dataset = whole.subset(range(0, len(dataset), -(-len(dataset) // options.images)))
    names = options.checkpoints or [info.name for info in catalog(dataset=dataset.labels.name)]
    sources = {name: open_source(name, dataset.labels, device=options.device) for name in names}
    models = {name: source.model for name, source in sources.items()}
    tallies = measure_corruptions(
        models, dataset, device=options.device, precision=options.precision, progress=sys.stderr.isatty()
    )
    facts = {"split": dataset.split, "images": len(dataset), "precision": options.precision}
    documents = {name: facts | {"found": tally.document()} for name, tally in tallies.items()}
    if options.into:
        for name, document in documents.items():
            path = add_to_result(Path(options.into), sources[name], whole, document, "corruptions")
            print(path, file=sys.stderr)
    return {(dataset.labels.title, dataset.split, len(dataset)): documents}


def stored(options) -> dict[tuple, dict[str, dict]]:
    """What the results hold of corruptions, as `measured` gives it; ResultError where they hold nothing."""
    if not options.results.is_dir():
        raise ResultError(f"{options.results}: no such folder")
    found: dict[tuple, dict[str, dict]] = {}
    for result in read_results(options.results)[0]:
        document = result.document
        if (part := document.get("corruptions")) and (not options.checkpoints or result.name in options.checkpoints):
            place = document["dataset"]["title"], part["split"], part["images"]
            found.setdefault(place, {})[result.name] = part
    if not found:
        raise ResultError(f"{options.results}: no result tells of corruptions; measure them with --data DIR --into")
    return found


def frame(documents: dict[str, dict], figure: str) -> pd.DataFrame:
    """One row per checkpoint, one column for the clean images and for each corruption with its three levels."""
    lines = {}
    for name, document in documents.items():
        values = {(entry["corruption"], entry["level"]): entry[figure] for entry in document["found"]}
        kinds = dict.fromkeys(kind for kind, level in values if level)
        cells = {"clean": shown(values["clean", 0])}
        for kind in kinds:
            cells[kind] = " / ".join(shown(values.get((kind, level))) for level in LEVELS)
        lines[name] = cells
    return pd.DataFrame.from_dict(lines, orient="index", dtype=str).rename_axis("checkpoint")


def shown(value: float | None) -> str:
    """A share in per cent."""
    return "-" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
