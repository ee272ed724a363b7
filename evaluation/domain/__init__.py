"""Which photos are unlike what a checkpoint was trained on: statistics of its training photos, and how well they tell.

`python -m evaluation.domain` measures on streets that no statistic has seen, and on other pictures; --fit writes the
statistics into the checkpoints' folders first.
"""
