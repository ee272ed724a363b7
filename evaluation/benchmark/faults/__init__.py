"""Attacks on everything that takes something from outside, on the loopback alone: what is refused, and what breaks.

`python -m evaluation.benchmark --sections faults --into SECURITY.md` runs them and puts their table there. Inputs are
made by code as they are needed; none of them is kept.
"""
