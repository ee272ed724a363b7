"""What a checkpoint cost to train, and what it saw beyond its data set: all that a fair comparison has to hold equal.

A run that started from another one counts that one's epochs too, down to the first; recorded training facts say so.
Where a run ended before its schedule did, `stop_epoch` says how many epochs it took.
"""

from collections.abc import Mapping


def effort(training: Mapping, known: Mapping[str, Mapping]) -> dict:
    """Epochs of every stage and what came from elsewhere; `known` has the training facts of checkpoints by name.

    {"epochs": in total, None where this run's are unknown; "complete": whether each earlier stage is known; "stages":
    [{"name": of the checkpoint that a stage gave, None for the last, "epochs", "dataset"}, ...], the first one first;
    "pretraining": text or None; "extra_dataset": name or None; "teacher": name of a checkpoint or None}
    """
    stages: list[dict] = []
    name, facts, complete = None, training, True
    seen: set[str] = set()
    pretraining = extra = teacher = None
    while True:
        stages.insert(0, {"name": name, "epochs": epochs_taken(facts), "dataset": facts.get("dataset")})
        pretraining = pretraining or facts.get("pretraining") or None
        extra = extra or facts.get("extra_dataset") or None
        teacher = teacher or _named(facts, "distill_from") or None
        name = _named(facts, "start_from")
        if not name:
            break
        if name not in known or name in seen:
            complete = False
            break
        seen.add(name)
        facts = known[name]
    counted = [stage["epochs"] for stage in stages]
    total = sum(epochs or 0 for epochs in counted) if counted[-1] else None
    complete = complete and all(counted)
    elsewhere = {"pretraining": pretraining, "extra_dataset": extra, "teacher": teacher}
    return {"epochs": total, "complete": complete, "stages": stages} | elsewhere


def epochs_taken(facts: Mapping) -> int | None:
    """The epochs that a run was trained for, which may be fewer than its schedule has; None where unknown."""
    return facts.get("stop_epoch") or facts.get("epochs")


def _named(facts: Mapping, field: str) -> str:
    """The checkpoint that a field names, by a name, a repository or a path; '' for none."""
    return str(facts.get(field) or "").rstrip("/").rsplit("/", 1)[-1]
