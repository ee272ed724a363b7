"""Bringing in a repository that a visitor names, with its progress while it comes.

The download runs in a thread of its own, so that a page can tell how far it is; what it gives belongs to one visitor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zoo.checkpoints.information import CheckpointInfo
from zoo.hub.background import watched
from zoo.hub.catalog import Catalog
from zoo.hub.requests import HubError
from zoo.page.values import hub_progress
from zoo.text import Message, fill, texts

if TYPE_CHECKING:
    pass

MAXIMUM_ADDED = 20  # checkpoints that one visitor may have brought in


def may_add(catalog: Catalog) -> bool:
    """Whether visitors of this page may name any repository at all."""
    rule = catalog.settings.visitors
    return rule == "any" or (rule == "listed" and catalog.settings.lists_hub)


def bring_in(catalog: Catalog, text: str, language: str) -> Iterator[tuple[str, CheckpointInfo | None]]:
    """`catalog.add(text)` in steps of (a sentence on the progress, None).

    The last step has the checkpoint. Raises what `Catalog.add` raises, HubError with the reason above all.
    """
    if not (text or "").strip():
        raise HubError(Message("error_no_repository"))
    found = {}

    def add():
        found["info"] = catalog.add(text, progress=lambda *amount: found.update(amount=amount))

    yield texts(language)["hub_reading"], None
    for amount in watched(add, lambda: found.get("amount")):
        yield hub_progress(*amount, language), None
    yield fill(texts(language)["hub_added"], name=found["info"].offered_as), found["info"]


def keep_added(added: dict[str, CheckpointInfo], info: CheckpointInfo) -> dict[str, CheckpointInfo]:
    """A visitor's checkpoints by name with one more, the oldest left out above `MAXIMUM_ADDED`."""
    rest = [(name, other) for name, other in added.items() if name != info.offered_as]
    return dict(rest[-MAXIMUM_ADDED + 1 :]) | {info.offered_as: info}
