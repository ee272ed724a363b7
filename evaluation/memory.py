"""`python -m evaluation.memory CHECKPOINT ...`: what a worker of the evaluation holds at most, by the size of an image.

Bytes of tensors alive at once in one forward pass in float32, weights included, counted on torch's device 'meta'
without computing anything: as the evaluation does it, in tiles, and beside it whole.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial

import pandas as pd
import torch

from evaluation.measuring.cost import held_bytes
from evaluation.measuring.evaluate import whole_logits
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import catalog, load

SIZES = ("360x480", "1024x2048", "1600x1600")


def rows(name: str, sizes: list[tuple[int, int]]) -> list[dict]:
    """One line per size (height, width), in MB."""
    model = load(name).to("meta")
    found = []
    for height, width in sizes:
        image = torch.zeros(1, 3, height, width, dtype=torch.uint8, device="meta")
        tiled = held_bytes(model, image, partial(see, partial(whole_logits, model), image))
        whole = held_bytes(model, image, partial(see, model, image))
        line = {"checkpoint": name, "image": f"{height}x{width}"}
        found.append(line | {"MB, as evaluated": round(tiled / 1e6), "MB, whole": round(whole / 1e6)})
    return found


def see(network: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """Logits of a uint8 image."""
    return network(image.float() / 255)


def size(text: str) -> tuple[int, int]:
    """(height, width) of 'HEIGHTxWIDTH'; ValueError for anything else."""
    height, width = (int(part) for part in text.split("x"))
    if not (0 < height <= 30_000 and 0 < width <= 30_000):
        raise ValueError(text)
    return height, width


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.memory", description=__doc__, allow_abbrev=False)
    parser.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT", help="default: all bundled ones")
    parser.add_argument("--sizes", nargs="+", type=size, default=[*map(size, SIZES)], metavar="HEIGHTxWIDTH")
    options = parser.parse_args(arguments)
    try:
        names = options.checkpoints or [info.name for info in catalog()]
        found = [row for name in names for row in rows(name, options.sizes)]
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(pd.DataFrame(found).to_markdown(index=False, tablefmt="plain"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
