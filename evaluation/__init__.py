"""Datasets, metrics, result files and the leaderboard. `python -m evaluation --help` is the way in."""

from zoo.numbers import end_if_unreadable

end_if_unreadable()
