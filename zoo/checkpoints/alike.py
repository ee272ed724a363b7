"""Which checkpoints may be compared by their loss: those whose training differs in nothing else.

The one meaning of 'trained alike', for the page's presets and for the leaderboard's plots.
"""

import json
from collections.abc import Mapping

# What belongs to the loss itself, is chance, or follows from the rest and from the machine.
FREE = ("loss", "gamma", "seed", "steps", "processes", "start_from", "dataset_title", "recipe")


def trained_alike(training: Mapping, loss: str) -> str | None:
    """A text that two checkpoints share when their recorded training differs in their loss and in chance alone.

    Everything else that is recorded counts: epochs, batches, crops and their augmentation, learning rate, averaged
    weights, class weights, pretraining, and the stage a run started from, where each loss starts from its own; a start
    from another data set is one and the same checkpoint, whatever its loss. A fact that is absent is at its default.
    None for a checkpoint of whose training nothing is known.
    """
    if not training.get("epochs"):
        return None
    facts = {name: value for name, value in training.items() if name not in FREE and value not in (None, "")}
    facts["start_from"] = start = str(training.get("start_from") or "")
    own = f"-{loss}-{training.get('dataset') or ''}"
    if own in start:
        facts["start_from"] = start.replace(f"-{loss}-", "-*-")
    return json.dumps(facts, sort_keys=True, default=str)
