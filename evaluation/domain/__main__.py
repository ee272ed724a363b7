"""The command: `python -m evaluation.domain CHECKPOINT ... --camvid DIR --street DIR [--fit] [--calibration]`."""

import argparse
import sys
from pathlib import Path

import numpy as np

import evaluation.domain
from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from evaluation.domain.measure import CONDITIONS, descriptors, spoilt, tell
from evaluation.domain.photos import carried_photos, drawing, images_in, is_held_out, noise, walk_of
from zoo.checkpoints.folder import load_folder
from zoo.checkpoints.information import CheckpointError
from zoo.checkpoints.statistics import write_domain
from zoo.hub.catalog import catalog, find
from zoo.models.domain import fit
from zoo.models.engine import Engine
from zoo.models.preparation import engine_of
from zoo.numbers import at_least
from zoo.text import counted

DRAWINGS = NOISES = 30


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 with a message on standard error."""
    options = parser().parse_args(arguments)
    try:
        infos = [find(name) for name in options.checkpoints] or catalog(dataset="camvid")
        train, val = (open_dataset("camvid", options.camvid, split) for split in ("train", "val"))
        streets = images_in(options.street)
        if options.fit:
            write_statistics(infos, train, streets, options.every)
        engines = {info.name: engine_of(load_folder(info.location)) for info in infos}
        if missing := [name for name, engine in engines.items() if engine.domain is None]:
            raise CheckpointError(f"{missing[0]}: has no statistics of its training photos; add them with --fit")
        print_told(engines, val, streets, options)
        if options.calibration:
            print_calibration(engines, every(val, options.every))
    except (CheckpointError, DatasetError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    whole = argparse.ArgumentParser(prog="python -m evaluation.domain", description=evaluation.domain.__doc__)
    whole.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT", help="default: all bundled ones of CamVid")
    whole.add_argument("--camvid", type=Path, required=True, metavar="DIR", help="CamVid; train is fitted, val told")
    whole.add_argument("--street", type=Path, required=True, metavar="DIR", help="street photos named WALK__PHOTO")
    for name in ("vessels", "cracks", "photos"):
        whole.add_argument(f"--{name}", type=Path, metavar="DIR", help="pictures of another kind")
    whole.add_argument("--fit", action="store_true", help="write the statistics into the checkpoints' folders first")
    whole.add_argument("--calibration", action="store_true", help="also measure confidence on spoilt photos of val")
    whole.add_argument("--every", type=at_least(1), default=3, metavar="N", help="take every N-th photo (default: 3)")
    return whole


def every(dataset: SegmentationDataset, step: int) -> SegmentationDataset:
    """Every `step`-th image of a video, whose neighbours are alike."""
    return dataset.subset(range(0, len(dataset), step))


def write_statistics(infos: list, train: SegmentationDataset, streets: list[Path], step: int) -> None:
    """Fit the training photos and those walks that are not held out, and write each checkpoint's file."""
    engines: dict[str, Engine] = {info.name: engine_of(load_folder(info.location)) for info in infos}
    frames, walks = every(train, step), [path for path in streets if not is_held_out(path)][::step]
    photos = [*frames.image_paths, *walks]
    groups = [*frames.sequences, *map(walk_of, walks)]
    for (name, found), info in zip(descriptors(engines, photos, what="fit").items(), infos, strict=True):
        write_domain(info.location, fit(found, groups), {"camvid train": len(frames), "street": len(walks)})
        print(f"{name}: statistics of {counted(len(photos), 'photo')} from {len(set(groups))} videos and walks")


def print_told(engines: dict[str, Engine], val: SegmentationDataset, streets: list[Path], options) -> None:
    """Tables of false alarms on streets, and of hits and AUROC for each family alone."""
    step = options.every
    known = {"CamVid val": list(every(val, step).image_paths)}
    known["walks held out"] = [path for path in streets if is_held_out(path)][::step]
    others = {name: images_in(getattr(options, name)) for name in ("vessels", "cracks") if getattr(options, name)}
    others["ordinary photos"] = carried_photos() + (images_in(options.photos) if options.photos else [])
    others |= {
        "drawings": [drawing(seed) for seed in range(DRAWINGS)],
        "noise": [noise(seed) for seed in range(NOISES)],
    }
    distances = {
        family: {name: engines[name].domain.distance(rows) for name, rows in described.items()}
        for family, photos in (known | others).items()
        for described in (descriptors(engines, photos, what=family),)
    }
    counts = {family: len(photos) for family, photos in (known | others).items()}
    print("\n" + " " * 36 + "".join(f"{f'{family} ({counts[family]})':>24}" for family in counts))
    for name in engines:
        street = np.concatenate([distances[family][name] for family in known])
        cells = [f"{int((distances[family][name] > 1).sum())} beyond" for family in known]
        for family in others:
            told = tell(street, distances[family][name])
            cells.append(f"{told.beyond} beyond, {told.auroc:.3f}")
        print(f"{name:36}" + "".join(f"{cell:>24}" for cell in cells))


def print_calibration(engines: dict[str, Engine], val: SegmentationDataset) -> None:
    """One table per checkpoint: what each way of spoiling does to mIoU, confidence and calibration."""
    for name, engine in engines.items():
        measured = f"   in %, {counted(len(val), 'frame')} of val"
        print(f"\n{name:36}{'mIoU':>8}{'confidence':>12}{'off by':>8}{'beyond':>8}{measured}")
        for condition in CONDITIONS:
            row = spoilt(engine, val, condition)
            values = [f"{100 * row[key]:.1f}" for key in ("miou", "confidence", "calibration_error", "beyond")]
            print(f"  {condition:34}{values[0]:>8}{values[1]:>12}{values[2]:>8}{values[3]:>8}")


if __name__ == "__main__":
    sys.exit(main())
