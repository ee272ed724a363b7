"""What is wrong with a data set, or worth knowing: files and names, values and shares, one finding a kind.

Unlike opening a data set, which stops at its first fault, a check goes on and collects all of them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluation.datasets import DATASETS, open_dataset
from evaluation.datasets.dataset import DatasetError, SegmentationDataset
from evaluation.datasets.folder import SPLITS, open_leniently
from evaluation.datasets.pairing import some
from evaluation.datasets.survey import Look, look_at, palette_faults
from zoo.images.truth import Reading
from zoo.text import counted, word_for

KNOWN_SPLITS = {"camvid": ("train", "val", "test"), "voc": ("train", "val"), "sbd": ("train", "val")}
LEVELS = ("error", "warning", "note")
RARE = 0.005  # share of the labelled pixels below which a class is called rare
MOSTLY_VOID = 0.5
SMALL_SIDE = 32


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one split. level: 'error' (cannot be used so), 'warning' (may spoil it) or 'note'.

    `pictures` are places in the split whose image shows it, `files` are named.
    """

    level: str
    kind: str
    split: str
    text: str
    files: tuple[Path, ...] = ()
    pictures: tuple[int, ...] = ()


@dataclass(frozen=True)
class Split:
    """A split as it could be read: `looks[i]` is None where image or mask `i` cannot be used."""

    dataset: SegmentationDataset
    looks: tuple[Look | None, ...]

    @property
    def pixels(self) -> np.ndarray:
        """(n, 256) int64 pixels of each value in each mask, zero where it cannot be used."""
        return np.stack([np.zeros(256, np.int64) if look is None else look.pixels for look in self.looks])


@dataclass
class Check:
    """A checked data set: its splits by name, and the findings."""

    name: str
    root: Path
    splits: dict[str, Split] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def worst(self) -> str:
        """The gravest level found, 'note' where nothing was."""
        return min((finding.level for finding in self.findings), key=LEVELS.index, default="note")


def check_files(name: str, root: Path, splits: Iterable[str] = (), *, progress: bool = False) -> Check:
    """Read every file of the splits (all there are where none is named) and collect what stands out."""
    found = Check(name, root)
    for split in tuple(splits) or splits_of(name, root):
        dataset, faults = open_split(name, root, split)
        found.findings += [Finding("error", "names", split, fault) for fault in faults]
        if dataset is None:
            continue
        looks, broken = look_at(dataset, progress=progress)
        found.splits[split] = Split(dataset, looks)
        found.findings += split_findings(split, found.splits[split], broken)
    found.findings += class_findings(found.splits)
    return found


def splits_of(name: str, root: Path) -> tuple[str, ...]:
    """The splits that a data set on disk has."""
    if name == "folder":
        parents = [root, root / "images"]
        there = {path.name for parent in parents if parent.is_dir() for path in parent.iterdir() if path.is_dir()}
        return tuple(split for split in SPLITS if split in there) or ("all",)
    wanted = KNOWN_SPLITS.get(name, ("train", "val"))
    there = tuple(split for split in wanted if not isinstance(attempt(name, root, split), DatasetError))
    return there or wanted[:1]


def attempt(name: str, root: Path, split: str) -> SegmentationDataset | DatasetError:
    """The split, or why it cannot be opened."""
    try:
        return open_dataset(name, root, split)
    except DatasetError as error:
        return error


def open_split(name: str, root: Path, split: str) -> tuple[SegmentationDataset | None, list[str]]:
    """The split with whatever of it can be used, None if nothing can, and what is wrong with names and lists."""
    opened = attempt(name, root, split)
    if not isinstance(opened, DatasetError):
        return opened, []
    if name != "folder" or name not in DATASETS:
        return None, [str(opened)]
    dataset, faults = open_leniently(root, split)
    return dataset, faults or [str(opened)]


def split_findings(split: str, found: Split, broken: list[tuple[int, str]]) -> list[Finding]:
    """Findings on the files of one split."""
    dataset, paths = found.dataset, found.dataset.mask_paths
    binary = dataset.reading is Reading.BINARY
    findings = [Finding("warning", "passed over", split, note) for note in dataset.notes[: -1 if binary else None]]
    findings += [Finding("note", "0 and 255", split, note) for note in dataset.notes[-1:] if binary]
    by_reason: dict[str, list[int]] = {}
    for index, message in broken:
        by_reason.setdefault(reason_of(message), []).append(index)
    messages = dict(broken)
    for reason, indices in by_reason.items():
        files = tuple(paths[index] for index in indices)
        text = messages[indices[0]]
        text += f" ({len(indices) - 1} more like this: {some(files[1:])})" if len(indices) > 1 else ""
        findings.append(Finding("error", reason, split, text, files))
    findings += [Finding("error", "palettes", split, text) for text in palette_faults(dataset, found.looks)]
    return findings + void_findings(split, found) + content_findings(split, found) + size_findings(split, found)


def reason_of(message: str) -> str:
    """What kind of fault a message of a data set tells of."""
    signs = {
        "same size": "sizes", "is there already": "names", "not an image": "broken file", "damaged": "broken file",
        "missing": "names", "no class of": "values", "only 0 and 255": "0 and 255", "different values": "smoothed",
        "contradicts itself": "palettes", "JPEG file": "lossy", "transparent": "transparent", "colour": "colours",
    }  # fmt: skip
    return next((kind for sign, kind in signs.items() if sign in message), "unusable")


def void_findings(split: str, found: Split) -> list[Finding]:
    """Findings on pixels without a label."""
    dataset, pixels = found.dataset, found.pixels
    labels, total = dataset.labels, pixels.sum(1)
    void, read = pixels[:, labels.void], total > 0
    if not read.any():
        return []
    findings, share = [], void.sum() / total.sum()
    empty = np.flatnonzero(read & (void == total))
    if len(empty) == read.sum():
        text = word_for(len(empty), "the one mask is", f"all {len(empty)} masks are")
        text += " void all over; nothing can be learnt or measured"
        return [Finding("error", "void", split, text, paths(dataset, empty), tuple(empty[:6].tolist()))]
    if len(empty):
        text = (
            f"{counted(len(empty), 'mask is', 'masks are')} void all over ({some(paths(dataset, empty))}); "
            f"nobody labelled {word_for(len(empty), 'it', 'them')}, or 255 was "
        )
        text += "meant as a class"
        findings.append(Finding("warning", "void", split, text, paths(dataset, empty), tuple(empty[:6].tolist())))
    if share > MOSTLY_VOID:
        text = f"{percent(share)} of the pixels are void; what is not labelled is neither learnt nor measured"
        findings.append(Finding("warning", "void", split, text))
    values = set(np.flatnonzero(pixels.sum(0)).tolist())
    if values == {0, 255} and labels.void == 255:
        text = (
            f"the masks hold only 0 and 255, so {labels.classes[0]} is the only class; if 255 is an object, save its id"
        )
        findings.append(Finding("error", "0 and 255", split, text))
    white = np.flatnonzero(read & (pixels[:, 0] > 0) & (void > 0) & (pixels[:, 0] + void == total))
    if len(labels.classes) == 2 and labels.void == 255 and 0 < len(white) < read.sum() and len(values) > 2:
        text = f"{counted(len(white), 'mask holds', 'masks hold')} only 0 and 255, others also 1 "
        text += f"({some(paths(dataset, white))}); 255 is void, so "
        text += f"if it is meant as {labels.classes[1]} there, save it as 1"
        findings.append(Finding("warning", "0 and 255", split, text, paths(dataset, white), tuple(white[:6].tolist())))
    return findings


def content_findings(split: str, found: Split) -> list[Finding]:
    """Findings on classes, masks without an object, and masks that are all alike."""
    dataset, pixels = found.dataset, found.pixels
    classes = len(dataset.labels.classes)
    counts, read = pixels[:, :classes], pixels.sum(1) > 0
    labelled, findings = counts.sum(), []
    if not labelled:
        return []
    held = counts.sum(0) > 0
    if held.sum() == 1 and labelled:
        only = dataset.labels.classes[int(held.argmax())]
        findings.append(Finding("error", "one class", split, f"every labelled pixel of the masks is {only}"))
    elif absent := [name for name, there in zip(dataset.labels.classes, held, strict=True) if not there]:
        text = f"no mask holds {', '.join(absent)}: such a class is not learnt and has no IoU"
        findings.append(Finding("warning", "absent class", split, text))
    share = counts.sum(0) / labelled
    rare = [
        f"{dataset.labels.classes[index]} {percent(share[index])}"
        for index in range(classes)
        if 0 < share[index] < RARE
    ]
    if rare:
        text = f"rare: {', '.join(rare)} of the labelled pixels; losses ce+dice or focal, or class weights, help"
        findings.append(Finding("note", "imbalance", split, text))
    empty = np.flatnonzero(read & (counts[:, 1:].sum(1) == 0) & (counts[:, 0] > 0))
    if held.sum() > 1 and len(empty) and classes == 2:
        text = (
            f"{len(empty)} of {counted(int(read.sum()), 'mask')} {word_for(len(empty), 'holds', 'hold')} "
            f"{dataset.labels.classes[0]} alone ({some(paths(dataset, empty))})"
        )
        level = "warning" if len(empty) > read.sum() / 2 else "note"
        findings.append(Finding(level, "empty masks", split, text, paths(dataset, empty), tuple(empty[:6].tolist())))
    masks = Counter(look.mask_digest for look in found.looks if look)
    most, times = masks.most_common(1)[0]
    if times > 2 and times > len(masks) and held.sum() > 1:
        alike = np.array([index for index, look in enumerate(found.looks) if look and look.mask_digest == most])
        text = (
            f"{times} masks are the same to the pixel ({some(paths(dataset, alike))}); was one file copied over others?"
        )
        findings.append(
            Finding("warning", "equal masks", split, text, paths(dataset, alike), tuple(alike[:6].tolist()))
        )
    return findings


def size_findings(split: str, found: Split) -> list[Finding]:
    """Findings on the sizes of images."""
    sizes = Counter(look.size for look in found.looks if look)
    small = [index for index, look in enumerate(found.looks) if look and min(look.size) < SMALL_SIDE]
    findings = []
    if small:
        files = tuple(found.dataset.image_paths[index] for index in small)
        text = f"{counted(len(small), 'image has', 'images have')} a side below {SMALL_SIDE} pixels, "
        text += "a cell of the coarsest score map "
        text += f"({some(files)})"
        findings.append(Finding("warning", "small images", split, text, files))
    if len(sizes) > 1:
        low, high = (order(sizes, key=lambda size: size[0] * size[1]) for order in (min, max))
        text = f"{len(sizes)} sizes, from {low[0]}x{low[1]} to {high[0]}x{high[1]}; crops of training come in one size"
        findings.append(Finding("note", "sizes differ", split, text))
    return findings


def class_findings(splits: dict[str, Split]) -> list[Finding]:
    """Classes that are measured but never learnt, and lists of classes that differ."""
    train = splits.get("train") or splits.get("training")
    findings = []
    for name, split in splits.items():
        if train is None or split is train:
            continue
        if split.dataset.labels.classes != train.dataset.labels.classes:
            findings.append(Finding("error", "classes", name, "has other classes than train; keep one list for all"))
            continue
        learnt, measured = train.pixels.sum(0), split.pixels.sum(0)
        lost = [one for index, one in enumerate(train.dataset.labels.classes) if measured[index] and not learnt[index]]
        if lost and learnt.any():
            text = f"holds {', '.join(lost)}, which no mask of train holds; nothing can learn it"
            findings.append(Finding("warning", "absent class", name, text))
    return findings


def paths(dataset: SegmentationDataset, indices: np.ndarray) -> tuple[Path, ...]:
    """The mask files at these places."""
    return tuple(dataset.mask_paths[int(index)] for index in indices)


def percent(share: float) -> str:
    """A share in [0, 1] as per cent with three digits that count."""
    return f"{100 * share:.3g} %"
