"""Training FCNs: recipes, augmentation, losses and the loop."""

from zoo.numbers import end_if_unreadable

end_if_unreadable()


class TrainingError(RuntimeError):
    """A run that cannot start or go on; the message says at which step or in which field, and what to do."""


class OutOfTime(TrainingError):
    """A run that reached its deadline; its state is saved, and it goes on from there when it is resumed."""
