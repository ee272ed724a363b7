"""CamVid in the layout of the SegNet tutorial repository: `train/ trainannot/ val/ valannot/`, 11 classes, void 11."""

from pathlib import Path

from evaluation.datasets.dataset import DatasetError, SegmentationDataset, pair_files
from zoo.labels import CAMVID


def open_camvid(root: Path, split: str) -> SegmentationDataset:
    """`split` is train, val or test."""
    images, masks = root / split, root / f"{split}annot"
    for folder in (images, masks):
        if not folder.is_dir():
            raise DatasetError(
                f"{folder}: no such folder; CamVid is read as {split}/ and {split}annot/ (SegNet tutorial layout)"
            )
    # Names such as 0016E5_07959.png or Seq05VD_f00000.png start with the video sequence.
    return pair_files("camvid", split, CAMVID, images, masks, sequence=lambda path: path.stem.split("_")[0])
