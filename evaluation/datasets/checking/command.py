"""`python -m evaluation.datasets check NAME --data DIR`: find what would spoil training or scores, before they begin.

Exit status: 0 when there are no errors, 1 otherwise (with --strict also for warnings), 130 interrupted.
"""

import argparse
import sys
from pathlib import Path

from evaluation.datasets import DATASETS
from evaluation.datasets.checking.findings import LEVELS, Check, check_files
from evaluation.datasets.checking.leaks import leak_findings
from evaluation.datasets.checking.report import split_table, write_page
from evaluation.datasets.checking.suspects import Predict, suspect_findings
from evaluation.datasets.dataset import DatasetError
from zoo.checkpoints.information import CheckpointError
from zoo.text import counted


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.datasets check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=DATASETS, metavar="NAME", help=", ".join(DATASETS))
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the dataset")
    parser.add_argument("--split", nargs="+", default=[], help="splits to check (default: all there are)")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page with pictures")
    parser.add_argument(
        "--checkpoints",
        nargs="+",
        default=[],
        metavar="CHECKPOINT",
        help="also list masks that these trained checkpoints all contradict; it takes a pass of each over all images",
    )
    parser.add_argument("--device", default="cpu", help="where the checkpoints work: cpu, cuda or cuda:0")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    options = parser.parse_args(arguments)
    shown = sys.stderr.isatty()
    try:
        if options.checkpoints:
            check_device(options.device)
        if not options.data.is_dir():
            raise DatasetError(f"{options.data}: no such folder; give the folder that holds the dataset with --data")
        found = check_files(options.name, options.data, options.split, progress=shown)
        found.findings += leak_findings(found)
        if options.checkpoints:
            checkpoints = open_checkpoints(options.checkpoints, found, options.device)
            found.findings += suspect_findings(found, checkpoints, progress=shown)
        found.findings.sort(key=lambda finding: LEVELS.index(finding.level))
        print(text_of(found))
        if options.report:
            print(f"written {write_page(found, options.report)}")
    except (DatasetError, CheckpointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return int(found.worst() == "error" or (options.strict and found.worst() == "warning"))


def check_device(device: str) -> None:
    """Raise CheckpointError for a device that torch does not have here."""
    from zoo.models.devices import device_fault  # torch takes a second to import, and only checkpoints need it

    if fault := device_fault(device):
        raise CheckpointError(fault)


def open_checkpoints(names: list[str], found: Check, device: str) -> dict[str, Predict]:
    """Functions that segment an image, by name; CheckpointError where one knows other classes than the data set."""
    from zoo.hub.catalog import load
    from zoo.models.segmentation import segment

    classes = next((split.dataset.labels.classes for split in found.splits.values()), ())
    checkpoints = {}
    for name in names:
        model = load(name, device=device)
        if model.info.labels.classes != classes:
            raise CheckpointError(
                f"{name}: knows other classes than {found.name}; name checkpoints trained on such data"
            )

        def predict(image, model=model):
            answer = segment(model, image)
            return answer.mask, answer.confidence

        checkpoints[name] = predict
    return checkpoints


def text_of(found: Check) -> str:
    """The findings for a terminal, the gravest first, and a table of the splits."""
    lines = [split_table(found), ""]
    lines += [f"{finding.level}: {finding.split}: {finding.text}" for finding in found.findings]
    counts = {level: sum(finding.level == level for finding in found.findings) for level in LEVELS}
    lines.append(", ".join(counted(number, level) for level, number in counts.items()))
    return "\n".join(lines)
