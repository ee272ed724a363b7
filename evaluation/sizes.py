"""`python -m evaluation.sizes CHECKPOINT ... --data DIR`: mIoU against the size at which a photo is shown.

Prints the curve of each checkpoint, and what it loses on photos of other shapes under each rule for the working size.
--into adds both to the results that stand in a folder.
"""

import argparse
import sys
from pathlib import Path

from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.datasets.dataset import refuse_partial_labels
from evaluation.datasets.survey import survey
from evaluation.measuring.evaluate import PRECISIONS, EvaluationError
from evaluation.measuring.results import ResultError, add_part, image_list_sha256, read_document, result_paths
from evaluation.measuring.sizes import RULES, SIZES, measure_sizes
from evaluation.measuring.sources import Source, open_source
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import catalog
from zoo.numbers import at_least
from zoo.places import RESULTS
from zoo.text import counted


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    options = parser().parse_args(arguments)
    try:
        dataset = whole = open_dataset(options.dataset, options.data, options.split)
        refuse_partial_labels(whole)
        if options.images:
            dataset = whole.subset(range(0, len(dataset), -(-len(dataset) // options.images)))
        names = options.checkpoints or [info.name for info in catalog(dataset=dataset.labels.name)]
        sources = {name: open_source(name, dataset.labels) for name in names}
        working = {name: working_size(source) for name, source in sources.items()}
        models = {name: source.model for name, source in sources.items()}
        tallies = measure_sizes(
            models,
            dataset,
            working,
            sizes=tuple(options.sizes),
            rules=tuple(options.rules),
            precision=options.precision,
            progress=True,
        )
        found = {name: tally.document(working[name]) for name, tally in tallies.items()}
        print(
            f"{dataset.labels.title} {dataset.split}, {counted(len(dataset), 'image')}, mIoU in % ({options.precision})"
        )
        print_curve(found)
        print_photos(found)
        if options.into:
            for name, document in found.items():
                facts = {"split": dataset.split, "images": len(dataset), "precision": options.precision}
                print(add_to_result(Path(options.into), sources[name], whole, facts | document, "sizes"))
    except (CheckpointError, DatasetError, EvaluationError, ResultError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    whole = argparse.ArgumentParser(
        prog="python -m evaluation.sizes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    whole.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT", help="default: all bundled ones of the dataset")
    whole.add_argument("--dataset", default="camvid", help="as in python -m evaluation")
    whole.add_argument("--data", required=True, metavar="DIR", help="folder that holds the dataset")
    whole.add_argument("--split", default="val", help="split to measure (default: %(default)s)")
    whole.add_argument(
        "--sizes", type=at_least(1), nargs="+", default=SIZES, metavar="PIXELS", help="long sides of the curve"
    )
    whole.add_argument("--rules", nargs="+", choices=RULES, default=RULES, help="for the working size (default: all)")
    whole.add_argument("--images", type=at_least(0), default=0, help="only about so many images, evenly spread")
    whole.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the network (default: %(default)s)")
    whole.add_argument(
        "--into", metavar="DIR", nargs="?", const=str(RESULTS), help="add the figures to the results in DIR"
    )
    return whole


def working_size(source: Source) -> int:
    """The checkpoint's working size; EvaluationError where it has none to measure."""
    info = getattr(source.model, "info", None)
    if info is None or info.working_size is None:
        raise EvaluationError(f"{source.name}: says nothing of its working size; add working_size to its config.json")
    return info.working_size


def print_curve(found: dict[str, dict]) -> None:
    """One row per checkpoint, one column per size."""
    sizes = [entry["longest_edge"] for entry in next(iter(found.values()))["curve"]]
    print(f"\n{'long side shown':36}" + "".join(f"{size:7}" for size in sizes))
    for name, document in found.items():
        values = "".join(f"{100 * entry['miou']:7.2f}" for entry in document["curve"])
        print(f"{name:36}{values}   working size {document['working_size']}")


def print_photos(found: dict[str, dict]) -> None:
    """One table per kind of photo: native figure, and the figure under each rule."""
    for photo in dict.fromkeys(entry["photo"] for document in found.values() for entry in document["photos"]):
        columns = [entry["rule"] for entry in next(iter(found.values()))["photos"] if entry["photo"] == photo]
        print(f"\n{photo:36}" + "".join(f"{column:>12}" for column in columns))
        for name, document in found.items():
            row = {entry["rule"]: entry["miou"] for entry in document["photos"] if entry["photo"] == photo}
            print(f"{name:36}" + "".join(f"{100 * row[column]:12.2f}" for column in columns))


def add_to_result(folder: Path, source: Source, dataset: SegmentationDataset, found: dict, part: str) -> Path:
    """Put what was found on images of `dataset`, a whole split, into its result of these weights; returns its path.

    Raises ResultError where there is no result of these weights on these images.
    """
    digests = None
    for path in result_paths(folder):
        document = read_document(path)
        facts = document["dataset"]
        of_these = document["checkpoint"]["name"] == source.name and document["checkpoint"]["sha256"] == source.sha256
        if not of_these or (facts["name"], facts["split"]) != (dataset.labels.name, dataset.split):
            continue
        if facts.get("content_sha256"):
            digests = digests or survey(dataset).content
            same = facts["content_sha256"] == digests
        else:
            same = facts["image_list_sha256"] == image_list_sha256(dataset.image_ids)
        if same:
            add_part(path, part, found)
            return path
    raise ResultError(
        f"{folder}: has no result of {source.name} on these images of {dataset.labels.title} {dataset.split}; run "
        "python -m evaluation first"
    )


if __name__ == "__main__":
    sys.exit(main())
