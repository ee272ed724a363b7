"""LabelMeFacade's street photos with CamVid's class ids: `train/images/` and `train/masks/`, partial labels.

Froehlich, Rodner, Denzler: A Fast Approach for Pixelwise Labeling of Facade Images, ICPR 2010. Six of CamVid's classes
are labelled; people, bicycles, poles, signs and fences are not, and lie under what is behind them. The photos of a
walk look alike, so a walk is either trained on or held out: `val` is the walks named here, `train` all others.
"""

from pathlib import Path

from evaluation.datasets.dataset import DatasetError, SegmentationDataset, pair_files
from zoo.labels import CAMVID

LABELLED = ("sky", "building", "road", "pavement", "tree", "car")
VOID = 255  # in the files; CamVid's void where they are read
# A town of Catalonia, two of its capital, a village of Mallorca and a walk through Boston: 96 photos.
HELD_OUT_WALKS = frozenset(
    {
        "boston_static_street",
        "static_barcelona_street_city_outdoor_2005",
        "static_barcelona_street_city_outdoor_2_2005",
        "static_outdoor_street_city_gerona_spain",
        "static_outdoor_street_village_puigpunyent_mallorca_spain",
    }
)


def open_street(root: Path, split: str) -> SegmentationDataset:
    """`split` is train, or val: the photos of `HELD_OUT_WALKS`. Both lie in the folder train/."""
    if split not in ("train", "val"):
        raise DatasetError(f"street: no split {split!r}; choose train, or val for the walks that are held out")
    ids = [CAMVID.classes.index(name) for name in LABELLED]
    class_ids = dict(zip(ids, ids, strict=True)) | {VOID: CAMVID.void}
    options = {"sequence": walk, "class_ids": class_ids, "labelled": LABELLED}
    whole = pair_files("street", split, CAMVID, root / "train" / "images", root / "train" / "masks", **options)
    held_out = HELD_OUT_WALKS & set(whole.sequences)
    if split == "val":
        if not held_out:
            raise DatasetError(f"{root}: holds no photo of the held-out walks ({', '.join(sorted(HELD_OUT_WALKS))})")
        return whole.select(held_out)
    return whole.select(held_out, exclude=True)


def walk(path: Path) -> str:
    """'boston_static_street' for boston_static_street__p1010736.jpg."""
    return path.stem.split("__")[0]
