"""`python -m evaluation.datasets NAME --data DIR`: get a dataset where its licence allows it, read every file of it.

`python -m evaluation.datasets check NAME --data DIR` finds what would spoil training or scores;
`python -m evaluation.datasets import FORMAT SOURCE OUT` makes a data set of what an annotation tool exported.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from evaluation.datasets import DATASETS, DatasetError, download, open_dataset
from evaluation.datasets.survey import survey
from zoo.text import counted

COMMANDS = {
    "check": "evaluation.datasets.checking.command",
    "import": "evaluation.datasets.importers.command",
}  # modules whose `main` takes the arguments that follow


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 whole, 1 with a message on standard error, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in COMMANDS:
        return import_module(COMMANDS[arguments[0]]).main(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.datasets",
        description=__doc__,
        epilog=f"also: {', '.join(COMMANDS)}; see their --help",
    )
    parser.add_argument("name", choices=DATASETS, metavar="NAME", help=", ".join(DATASETS))
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the dataset")
    parser.add_argument("--split", default="train", help="split to read (default: train)")
    parser.add_argument("--download", action="store_true", help="get it into that folder first (voc, sbd)")
    options = parser.parse_args(arguments)
    try:
        if options.download:
            download(options.name, options.data)
        dataset = open_dataset(options.name, options.data, options.split)
        found = survey(dataset, progress=sys.stderr.isatty())
        for note in (*dataset.notes, *found.notes()):
            print(f"note: {note}", file=sys.stderr)
    except DatasetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left behind", file=sys.stderr)
        return 130
    found = f"{counted(len(dataset), 'image')}, {counted(len(dataset.labels.classes), 'class', 'classes')}"
    print(f"{options.name} {options.split}: {found}, all readable")
    return 0


if __name__ == "__main__":
    sys.exit(main())
