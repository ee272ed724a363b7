"""Whether what the page shows is what its controls ask for now, so that a result never stands under another's name."""

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.text import Message, in_language, texts


@dataclass(frozen=True)
class Asked:
    """What a comparison was asked for: the photo's file, checkpoint names, the ground truth's file, and the size."""

    photo: str | None
    names: frozenset[str]
    truth: str | None
    size: object

    @classmethod
    def of(cls, photo: str | None, names: Iterable[str], truth: str | None, size: object) -> "Asked":
        """The same from what the controls hold."""
        return cls(photo or None, frozenset(names), truth or None, size)


def differences(shown: Asked, now: Asked) -> list[Message]:
    """What has changed since `shown` was compared, one sentence each; none while the results answer the controls."""
    changed = []
    if now.photo != shown.photo:
        changed.append(Message("stale_photo" if now.photo else "stale_removed"))
    if now.names != shown.names:
        changed.append(Message("stale_checkpoints"))
    if now.truth != shown.truth:
        changed.append(Message("stale_truth"))
    if now.size != shown.size:
        changed.append(Message("stale_size"))
    return changed


def stale_value(shown: Asked | None, now: Asked, language: str) -> dict | None:
    """The value of the mark on results that are out of date; None where they are not, or where there are none."""
    reasons = differences(shown, now) if shown else []
    if not reasons:
        return None
    return {
        "reasons": [in_language(reason, language) for reason in reasons],
        "possible": bool(now.photo and now.names),
        "strings": texts(language),
    }
