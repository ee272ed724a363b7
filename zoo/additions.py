"""Bringing in a repository that a visitor names, with its progress while it comes.

The download runs in a thread of its own, so that a page can tell how far it is; what it gives belongs to one visitor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zoo.catalog import Catalog, name_of
from zoo.checkpoint_info import CheckpointInfo
from zoo.comparison import version
from zoo.download import Progress, load_repository
from zoo.hub import HubError
from zoo.page import Message, texts
from zoo.presentation import hub_progress
from zoo.waiting import watched

if TYPE_CHECKING:
    from zoo.fcn import FCN

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
    yield texts(language)["hub_added"].format(name=name_of(found["info"])), found["info"]


def keep_added(added: dict[str, CheckpointInfo], info: CheckpointInfo) -> dict[str, CheckpointInfo]:
    """A visitor's checkpoints by name with one more, the oldest left out above `MAXIMUM_ADDED`."""
    rest = [(name, other) for name, other in added.items() if name != name_of(info)]
    return dict(rest[-MAXIMUM_ADDED + 1 :]) | {name_of(info): info}


def load_offered(catalog: Catalog, info: CheckpointInfo, progress: Progress | None = None) -> FCN:
    """The model of a checkpoint that the catalog lists or that a visitor added, at exactly that revision.

    `progress(done, total)` gets bytes while it is downloaded.

    Another visitor may have added another revision under the same name: then the listed name is not asked, and the
    host's token is not used.
    """
    known = {name_of(one): one for one in catalog.snapshot().checkpoints}
    if info.source != "hub" or (name_of(info) in known and version(known[name_of(info)]) == version(info)):
        return catalog.load(name_of(info), progress=progress)
    options = {"settings": catalog.settings, "progress": progress, "token": False}
    return load_repository(info.location, revision=info.revision, **options)
