"""`python -m evaluation.datasets NAME --data DIR`: get a dataset where its licence allows it, read every file of it."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from evaluation.datasets import DATASETS, DatasetError, download, open_dataset


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 whole, 1 with a message on standard error, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.datasets", description=__doc__)
    parser.add_argument("name", choices=DATASETS, metavar="NAME", help=", ".join(DATASETS))
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the dataset")
    parser.add_argument("--split", default="train", help="split to read (default: train)")
    parser.add_argument("--download", action="store_true", help="get it into that folder first (voc, sbd)")
    options = parser.parse_args(arguments)
    try:
        if options.download:
            download(options.name, options.data)
        dataset = open_dataset(options.name, options.data, options.split)
        for index in tqdm(range(len(dataset)), unit=" images", mininterval=0.5):
            dataset.image(index), dataset.mask(index)
    except DatasetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left behind", file=sys.stderr)
        return 130
    print(f"{options.name} {options.split}: {len(dataset)} images, {len(dataset.labels.classes)} classes, all readable")
    return 0


if __name__ == "__main__":
    sys.exit(main())
