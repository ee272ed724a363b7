"""What a comparison on the page does: `python -m zoo.page.profile calls` and `python -m zoo.page.profile times`.

`calls` compares the three checkpoints of the ladder on a photo that is new, with their networks in memory, and counts
the calls from one file of this project to another. `times` prints as JSON the seconds of whole requests beside those
of their forward passes; the benchmark reads it.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image

from zoo.config import MAXIMUM_PANELS
from zoo.hub.catalog import Catalog
from zoo.hub.once import Once
from zoo.hub.settings import HubSettings
from zoo.images.examples import examples
from zoo.images.photo import LONG_SIDE, decode_image
from zoo.models.allocator import SERVING, keep_freed_memory
from zoo.models.segmentation import judge
from zoo.models.timing import in_turns
from zoo.page.comparison import View
from zoo.page.offer import Offer
from zoo.page.values import viewer_value
from zoo.places import REPOSITORY
from zoo.text import counted
from zoo.working_size import resize_photo

ROOMS = tuple(f"{REPOSITORY / name}/" for name in ("zoo", "evaluation", "training"))


def short(path: str) -> str:
    """A file's path inside the repository."""
    return Path(path).relative_to(REPOSITORY).as_posix()


@contextmanager
def counted_calls(calls: Counter):
    """Count calls between this project's files into `calls` as {(caller, callee): number}; resumed generators too."""

    def own(frame: FrameType | None) -> str | None:
        while frame is not None and not frame.f_code.co_filename.startswith(ROOMS):
            frame = frame.f_back
        return frame and frame.f_code.co_filename

    def note(frame: FrameType, event: str, _) -> None:
        callee = frame.f_code.co_filename
        if event == "call" and callee.startswith(ROOMS):
            caller = own(frame.f_back)
            if caller not in (None, callee, __file__) and callee != __file__:
                calls[
                    Path(caller).relative_to(REPOSITORY).as_posix(), Path(callee).relative_to(REPOSITORY).as_posix()
                ] += 1

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def compare(offer: Offer, path: Path, names: list[str]) -> None:
    """One comparison from the file to the viewer's value, as the page makes it."""
    work = offer.prepare(str(path), names)
    viewer_value(work, offer.scores, "en")
    for _ in work.advance(offer.segmenter):
        viewer_value(work, offer.scores, "en")


def count_calls() -> Counter:
    """The calls between files of one warm comparison of three checkpoints."""
    offer = Offer(Catalog(HubSettings(baselines="off")), lambda: {"rows": []})
    names, calls = offer.default_names(), Counter()
    first, second = examples()[:2]
    compare(offer, first.photo, names)
    with tempfile.TemporaryDirectory() as folder, Image.open(second.photo) as photo:
        own = Path(folder) / "photo.jpg"  # a visitor's, for which there is no ground truth
        photo.convert("RGB").save(own)
        with counted_calls(calls):
            compare(offer, own, names)
    return calls


def print_calls(calls: Counter) -> None:
    """Callers and callees with their numbers, then the sums and the pairs that call each other."""
    for (caller, callee), number in sorted(calls.items()):
        print(f"{number:5}  {caller} -> {callee}")
    both = sorted(pair for pair in calls if pair[::-1] in calls and pair[0] < pair[1])
    print(f"{counted(sum(calls.values()), 'call')} between {len({file for pair in calls for file in pair})} files")
    print(
        f"{counted(len(both), 'pair of files calls', 'pairs of files call')} each other"
        + "".join(f"\n  {a} <-> {b}" for a, b in both)
    )


def measure_times(photo: Path, checkpoint: str, rounds: int) -> dict[str, float]:
    """Median seconds: 'one' checkpoint on `photo` from file to PNGs, 'all' on an example, and their 'bare' passes.

    'ladder' is three checkpoints on `photo`, 'ladder displayed' the same at the size at which the photo is displayed.
    """
    offer = Offer(Catalog(HubSettings(baselines="off")), lambda: {"rows": []})
    infos = {info.offered_as: info for info in offer.infos.values() if info.source == "bundled"}
    names, example = list(infos)[:MAXIMUM_PANELS], examples()[0].photo
    engines = {name: offer.segmenter.model(infos[name]) for name in names}
    side = infos[checkpoint].working_size or LONG_SIDE
    seen = (resize_photo(decode_image(path).image, side) for path in (photo, example))
    large, small = (np.array(image) for image in seen)

    def request(path: Path, chosen: list[str], size: str | int = "trained") -> None:
        offer.segmenter.results = Once(0)  # nothing is at hand
        work = offer.prepare(str(path), chosen)
        work.view = View(work.decoded.display.size, size)
        for _ in work.advance(offer.segmenter):
            pass

    own = offer.segmenter.model(infos[checkpoint])
    functions = {
        "one bare": lambda: judge(own, large, large.shape[:2]),
        "one": lambda: request(photo, [checkpoint]),
        "ladder": lambda: request(photo, offer.default_names()),
        "ladder displayed": lambda: request(photo, offer.default_names(), LONG_SIDE),
        "all bare": lambda: [judge(engine, small, small.shape[:2]) for engine in engines.values()],
        "all": lambda: request(example, names),
    }
    return in_turns(functions, rounds) | {"checkpoints": len(names)}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m zoo.page.profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="action", required=True)
    commands.add_parser("calls", help="count the calls between files")
    times = commands.add_parser("times", help="seconds of whole requests, as JSON")
    times.add_argument("photo", type=Path)
    times.add_argument("--checkpoint", default="fcn8s-vgg16bn-w25-ce-camvid", help="a bundled one")
    times.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args(arguments)
    if options.action == "times" and options.rounds < 1:
        parser.error(f"--rounds: must be at least 1, not {options.rounds}")
    keep_freed_memory(SERVING)  # as the page does
    if options.action == "calls":
        print_calls(count_calls())
    else:
        print(json.dumps(measure_times(options.photo, options.checkpoint, options.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
