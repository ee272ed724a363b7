"""How fast this code is, measured on the machine that runs it. `python -m evaluation.benchmark --help`.

Each section is a function from `Settings` to rows. What is compared is measured in turns within one run, and medians
count, so that a busy machine slows all alike.
"""
