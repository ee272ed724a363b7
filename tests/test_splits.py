"""What a run trains on and what it leaves out: whole videos, or single frames of a video."""

from dataclasses import replace

import pytest
from conftest import write_camvid

from tests.test_training import TINY
from training import TrainingError, splits
from training.recipe import Recipe

BY_VIDEO = replace(TINY, hold_out="0001TP")
BY_FRAME = replace(BY_VIDEO, hold_out_every=3)


def test_a_split_by_frame_trains_on_a_videos_other_frames_and_on_as_many_images(tmp_path):
    """Ten frames of each video: of 0001TP's the first of every three are held out, six of 0016E5's make way."""
    data = write_camvid(tmp_path / "camvid", train=20)
    (by_video, theirs), (by_frame, held_out) = (splits.open_splits(recipe, data) for recipe in (BY_VIDEO, BY_FRAME))
    assert held_out.image_ids == ("0001TP_00001", "0001TP_00007", "0001TP_00013", "0001TP_00019")
    assert set(held_out.image_ids) <= set(theirs.image_ids) and len(by_frame) == len(by_video) == 10
    near = [name for name in by_frame.image_ids if name.startswith("0001TP")]
    assert set(near) == set(theirs.image_ids) - set(held_out.image_ids)
    assert [name[-2:] for name in by_frame.image_ids if name not in near] == ["00", "06", "12", "18"]
    assert list(by_frame.image_ids) == sorted(by_frame.image_ids)
    assert [path.stem for path in by_frame.mask_paths] == list(by_frame.image_ids)


def test_frames_that_nothing_can_make_way_for_are_refused(tmp_path):
    data = write_camvid(tmp_path / "camvid", train=8)
    for folder in ("train", "trainannot"):
        for index in (2, 4):
            path = data / folder / f"0016E5_{index:05d}.png"
            path.rename(path.with_name(f"0001TP_{index:05d}.png"))
    message = "hold_out_every: 4 frames would replace as many of the 2 of other sequences; hold out shorter sequences"
    with pytest.raises(TrainingError, match=message):
        splits.open_splits(BY_FRAME, data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hold_out_every": 4}, "hold_out_every: counts the frames of sequences in hold_out; name those too"),
        ({"hold_out": "0001TP", "hold_out_every": 0}, "hold_out_every: 0 is below 1"),
    ],
)
def test_a_step_between_frames_needs_a_video(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)
