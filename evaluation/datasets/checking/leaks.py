"""Images that two splits share, or nearly: what is measured there was learnt by heart.

Images are compared by the fine structure of a small grey picture, so that JPEG, resizing and brightness do not hide a
copy, and two photographs of the same kind of thing are not taken for one.
"""

from itertools import combinations

import numpy as np
from PIL import Image, ImageFilter

from evaluation.datasets.checking.findings import Check, Finding, Split
from evaluation.datasets.survey import THUMBNAIL
from zoo.text import counted, word_for

ALIKE = 0.8  # least correlation of two structures; eyes' backgrounds reach 0.7, a copy at half the size 0.85
STRONGEST = 3  # times the median: no edge, such as the rim of a picture, outweighs the rest
BLOCK = 512


def leak_findings(found: Check) -> list[Finding]:
    """Findings on videos and images that lie in two splits, and on copies within one."""
    findings = []
    structures = {name: structures_of(split) for name, split in found.splits.items()}
    for name, split in found.splits.items():
        findings += copies_within(name, split, structures[name])
    for first, second in combinations(found.splits, 2):
        one, other = found.splits[first], found.splits[second]
        shared = sorted((set(one.dataset.sequences) & set(other.dataset.sequences)) - {""})
        if shared:
            text = f"{kind_of(shared)} {', '.join(shared[:6])} in {first} and in {second}: frames of one video look "
            text += "alike, so scores there say little of other places"
            findings.append(Finding("warning", "leak", second, text))
        pairs = near_pairs(structures[first], structures[second])
        pairs = [(a, b) for a, b in pairs if one.dataset.sequences[a] not in shared]
        if pairs:
            findings.append(shared_images(first, second, one, other, pairs))
    return findings


def kind_of(sequences: list[str]) -> str:
    """The words in front of a list of sequences."""
    return "video sequence" if len(sequences) == 1 else f"{len(sequences)} video sequences,"


def shared_images(first: str, second: str, one: Split, other: Split, pairs: list[tuple[int, int]]) -> Finding:
    """The finding of images that lie in both splits."""
    a, b = pairs[0]
    number = len({place for _, place in pairs})
    names = f"{one.dataset.image_paths[a].name} and {other.dataset.image_paths[b].name}"
    text = (
        f"{counted(number, 'image lies', 'images lie')} in {first} too, as {word_for(number, 'it is', 'they are')} "
        f"or nearly ({names}); take {word_for(number, 'it', 'them')} out of one of the two"
    )
    files = tuple(other.dataset.image_paths[place] for _, place in pairs)
    return Finding("warning", "leak", second, text, files, tuple(place for _, place in pairs[:6]))


def copies_within(name: str, split: Split, structures: np.ndarray) -> list[Finding]:
    """Findings on images that are there twice; frames of one video that look alike are a note only."""
    pairs = [(a, b) for a, b in near_pairs(structures, structures) if a < b]
    exact = [(a, b) for a, b in pairs if split.looks[a].image_digest == split.looks[b].image_digest]
    findings = []
    contrary = [(a, b) for a, b in exact if split.looks[a].mask_digest != split.looks[b].mask_digest]
    if contrary:
        findings.append(twice("error", "labels differ", name, split, contrary, "the same image with two masks"))
    elif exact:
        findings.append(twice("warning", "copies", name, split, exact, "the same image twice"))
    sequences = split.dataset.sequences
    near = [pair for pair in pairs if pair not in exact]
    strange = [(a, b) for a, b in near if not sequences[a] or sequences[a] != sequences[b]]
    if strange:
        findings.append(twice("warning", "copies", name, split, strange, "nearly the same image twice"))
    return findings


def twice(level: str, kind: str, name: str, split: Split, pairs: list[tuple[int, int]], what: str) -> Finding:
    """A finding on pairs of images within a split."""
    first, second = (split.dataset.image_paths[place] for place in pairs[0])
    text = f"{what}, {counted(len(pairs), 'time')} ({first.name} and {second.name})"
    files = tuple(split.dataset.image_paths[b] for _, b in pairs)
    return Finding(level, kind, name, text, files, tuple(place for pair in pairs[:3] for place in pair))


def near_pairs(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    """Places (in the first, in the second) of structures that are nearly the same."""
    found = []
    for start in range(0, len(first), BLOCK):
        rows, columns = np.nonzero(first[start : start + BLOCK] @ second.T > ALIKE)
        found += zip((rows + start).tolist(), columns.tolist(), strict=True)
    return found


def structures_of(split: Split) -> np.ndarray:
    """(n, side * side) float32 structures of the images of a split, zero where one cannot be used."""
    nothing = np.zeros(THUMBNAIL[0] * THUMBNAIL[1], np.float32)
    return np.stack([nothing if look is None else structure(look.thumbnail) for look in split.looks])


def structure(image: Image.Image) -> np.ndarray:
    """(side * side,) float32 of unit length: a small grey picture without what is smooth in it, all zero if flat."""
    values = np.asarray(image, np.float32) - np.asarray(image.filter(ImageFilter.BoxBlur(3)), np.float32)
    most = STRONGEST * max(1.0, float(np.median(np.abs(values))))
    values = values.clip(-most, most).ravel()
    values -= values.mean()
    length = np.linalg.norm(values)
    return values / length if length > 1 else np.zeros_like(values)
