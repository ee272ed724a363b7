"""Training FCNs: recipes, augmentation, losses and the loop."""


class TrainingError(RuntimeError):
    """A run that cannot start or go on; the message says at which step or in which field, and what to do."""


class OutOfTime(TrainingError):
    """A run that reached its deadline; its state is saved, and it goes on from there when it is resumed."""
