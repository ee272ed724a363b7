"""The linter of data sets: `python -m evaluation.datasets check NAME --data DIR` finds what would spoil a training.

`findings` looks at files and values, `leaks` at images that two splits share, `suspects` at labels that checkpoints
contradict, `report` draws a page, `command` is the command line.
"""
