"""Which photo goes into train, val and test: by the tool's own subsets, or a fraction, neighbours kept together.

Frames of one video, or crops of one photo, are nearly the same picture; on both sides of a split they would make a
model look better than it is. So what names tell of a sequence decides, with a seed, and never single frames.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence

from evaluation.datasets.dataset import DatasetError

SUBSETS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
NO_SUBSET = ("", "default", "all", "trainval", "train+val")


def split_by_subsets(subsets: Sequence[str]) -> list[str] | None:
    """'train', 'val' or 'test' of each photo where every subset is known and train and val are among them."""
    known = [SUBSETS.get(subset.strip().casefold()) for subset in subsets]
    return known if None not in known and {"train", "val"} <= set(known) else None


def split(
    names: Sequence[str], subsets: Sequence[str], how: str, seed: int, group: str | None
) -> tuple[list[str], str]:
    """The split of each photo, and a sentence on how it was made.

    how: 'auto' (subsets if they say train and val, otherwise 0.2), 'subsets' or a fraction for val. group: a regular
    expression whose first group names a photo's sequence. A subset 'test' is kept apart by all of them. DatasetError
    when the photos cannot be divided so.
    """
    found = split_by_subsets(subsets)
    if how in ("auto", "subsets") and found:
        return found, f"by the subsets of the export ({', '.join(sorted(set(subsets)))})"
    unknown = sorted({name for name in subsets if name.strip().casefold() not in {*SUBSETS, *NO_SUBSET}})
    if how == "subsets" or (how == "auto" and unknown):
        there = ", ".join(repr(name) for name in sorted(set(subsets))) or "none"
        asked = "--split subsets" if how == "subsets" else "to divide photos as the export does"
        raise DatasetError(
            f"{asked} needs subsets called train and val; the export has {there}; give a fraction, --split 0.2"
        )
    fraction = 0.2 if how == "auto" else read_fraction(how)
    apart = [SUBSETS.get(subset.strip().casefold()) == "test" for subset in subsets]
    rest = [index for index, test in enumerate(apart) if not test]
    chosen, sentence = choose([names[index] for index in rest], fraction, seed, group)
    places = {rest[index] for index in chosen}
    splits = ["test" if test else "val" if index in places else "train" for index, test in enumerate(apart)]
    return splits, sentence


def read_fraction(text: str) -> float:
    """A fraction from 0 up to, not including, 1."""
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1.0
    if not 0 <= fraction < 1:
        raise DatasetError(f"--split {text}: give a fraction for val such as 0.2 (0 for no val), or subsets")
    return fraction


def choose(names: Sequence[str], fraction: float, seed: int, group: str | None) -> tuple[set[int], str]:
    """The places of the photos that go to val, and a sentence."""
    if fraction == 0:
        return set(), "all in train (--split 0)"
    if len(names) < 2:
        raise DatasetError(f"{len(names)} photo cannot be divided into train and val; give --split 0 to only train")
    wanted = max(1, round(fraction * len(names)))
    groups = [group_of(name, group) for name in names]
    counts = Counter(groups)
    if len(counts) > 1:
        order = sorted(counts)
        random.Random(seed).shuffle(order)
        chosen = fill(order, counts, wanted, len(names))
        kind = "photos" if len(counts) == len(names) else "whole sequences"
        places = {index for index, name in enumerate(groups) if name in chosen}
        return places, f"{fraction:g} to val: {len(chosen)} of {len(counts)} {kind}, seed {seed}"
    order = sorted(range(len(names)), key=lambda index: natural(names[index]))
    return set(order[-wanted:]), (
        f"{fraction:g} to val: the last {wanted} of the one sequence {groups[0] or 'of numbers'!r}, so that neighbours "
        "stay together (--group REGEX names sequences otherwise)"
    )


def fill(order: Sequence[str], counts: Counter, wanted: int, total: int) -> set[str]:
    """Groups in this order while they bring val nearer to `wanted` photos; one at least, never all."""
    chosen: set[str] = set()
    taken = 0
    for name in order:
        if len(chosen) + 1 < len(counts) and abs(taken + counts[name] - wanted) < abs(taken - wanted):
            chosen.add(name)
            taken += counts[name]
    return chosen or {min(order, key=lambda name: counts[name])}


def group_of(name: str, pattern: str | None) -> str:
    """The sequence that a photo's name tells: its folder, and what stands before the number at its end.

    `city_000012_000019.png` is of `city_000012`, `frame_00001.png` of `frame`; Roboflow's `a_jpg.rf.1f2e.jpg` of
    `a_jpg`, the photo it was made from. A name without a number at its end is a sequence of its own.
    """
    if pattern is not None:
        try:
            found = re.search(pattern, name)
        except re.error as error:
            raise DatasetError(f"--group {pattern!r}: is not a regular expression ({error})") from None
        if not found:
            raise DatasetError(f"--group {pattern!r}: does not match the name {name!r}")
        sequence = found[1] if found.re.groups else found[0]
        if sequence is None:  # the whole matches, its group takes no part
            raise DatasetError(
                f"--group {pattern!r}: its group finds nothing in the name {name!r}; give one that always does"
            )
        return sequence
    folder, _, last = name.rpartition("/")
    stem = re.sub(r"^[0-9a-f]{8}-", "", last.rpartition(".")[0] or last)  # Label Studio puts this before an upload
    stem = stem.split(".rf.")[0] if ".rf." in stem else re.sub(r"\d+$", "", stem).rstrip("_-. ")
    return f"{folder}/{stem}".lstrip("/")


def natural(name: str) -> list:
    """A key by which frame10 comes after frame9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
