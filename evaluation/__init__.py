"""Datasets, metrics, result files and the leaderboard. `python -m evaluation --help` is the way in."""
