"""What a reader must know before comparing rows: what a split shares with the training images, and what seeds do."""

from zoo.checkpoints.seeds import same_recipe
from zoo.checkpoints.terms import OTHER_TERMS, TERMS


def splits(rows: list[dict]) -> dict[str, dict]:
    """{"dataset/split": {"images", "shares"}} of every set of images of the rows; `shares` is that of `shared`."""
    found = {}
    for row in rows:
        place = f"{row['dataset']}/{row['split']}"
        if place not in found or not found[place]["images"]:
            found[place] = {"images": row["images"], "shares": shared(row["dataset"], row["sequences"])}
    return found


def shared(dataset: str, sequences: dict[str, dict]) -> dict | None:
    """How many images of a split come from videos that also gave training frames; None where nobody recorded that.

    {"images": such images, "of": all, "videos": [name, ...], "frames": training frames of these videos, "training": all
    training frames}
    """
    videos = TERMS.get(dataset, OTHER_TERMS).training_videos
    if not videos or not sequences:
        return None
    names = [name for name in sequences if name in videos]
    return {
        "images": sum(sequences[name]["images"] for name in names),
        "of": sum(part["images"] for part in sequences.values()),
        "videos": names,
        "frames": sum(videos[name] for name in names),
        "training": sum(videos.values()),
    }


def seed_figures(document: dict, others: list[dict]) -> list[dict]:
    """The figures of each seed of the recipe behind a result, in the order of the seeds; [] where only one is known.

    Each has "seed", "miou", "boundary_f" and "class_iou", fractions in [0, 1] or None, and their 95 % intervals over
    images as "miou_interval", "boundary_f_interval" and "class_intervals".
    """
    found = same_recipe(document, others)
    if len(found) < 2:
        return []
    return [_figures_of(seed, one) for seed, one in found.items()]


def _figures_of(seed: int, document: dict) -> dict:
    intervals = document["intervals"]
    return {
        "seed": seed,
        "miou": document["scores"]["miou"],
        "miou_interval": intervals["miou"]["shown"],
        "boundary_f": document["boundary"]["boundary_f"],
        "boundary_f_interval": intervals["boundary_f"]["shown"],
        "class_iou": document["scores"]["class_iou"],
        "class_intervals": {name: one["shown"] for name, one in intervals.get("class_iou", {}).items()},
    }
