"""The profile of a comparison: what it counts, and that the way from upload to mask stays short."""

from collections import Counter

from zoo.page.profile import count_calls, print_calls


def test_the_way_from_upload_to_mask_is_short_and_goes_one_way():
    calls = count_calls()
    assert calls["zoo/page/offer.py", "zoo/images/photo.py"]  # the photo is decoded ...
    assert calls["zoo/page/comparison.py", "zoo/models/segmentation.py"] == 3  # ... and each checkpoint runs on it
    assert sum(calls.values()) <= 90 and len({file for pair in calls for file in pair}) <= 16
    assert not [pair for pair in calls if pair[::-1] in calls]


def test_calls_are_printed_with_their_sum(capsys):
    print_calls(Counter({("a.py", "b.py"): 2, ("b.py", "a.py"): 1, ("a.py", "c.py"): 4}))
    said = capsys.readouterr().out
    assert "7 calls between 3 files" in said and "1 pair of files calls each other\n  a.py <-> b.py" in said
