"""Which checkpoints there are, bundled and on the Hub, and loading one of them by name.

Bundled checkpoints (`zoo/bundled/NAME/`) come first and never need a network. Those on the Hub are merged in by a
background thread and stored on disk, so that a page paints without waiting. A checkpoint that cannot be read is left
out and named, so that one broken folder costs neither the others nor a silent gap.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.baselines import baseline_infos, is_baseline, is_installed, load_baseline
from zoo.checkpoint import bundled_folder, load_folder, read_info
from zoo.checkpoint_info import CheckpointError, CheckpointInfo
from zoo.download import Progress, load_repository, pull
from zoo.hub import HubError, parse_repository
from zoo.listing import AuthorScore, Listing, list_checkpoints, read_items
from zoo.page import Message
from zoo.renewal import Renewal, hub_note
from zoo.settings import HubSettings

if TYPE_CHECKING:
    from zoo.fcn import FCN

logger = logging.getLogger("zoo")

LISTING_FORMAT = 2
MAXIMUM_ADDED = 500


def scan(root: Path | None = None) -> tuple[list[CheckpointInfo], list[str]]:
    """The checkpoints in the folders of `root` (default: the bundled ones), by name, and one message per broken one."""
    root = bundled_folder() if root is None else Path(root)
    found, problems = [], []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not folder.is_dir() or folder.name.startswith((".", "__")):
            continue
        try:
            info = read_info(folder, source="bundled")
            if info.name != folder.name:
                raise CheckpointError(f"config.json names it {info.name!r}; folder and name must agree")
            if not info.file_bytes:
                raise CheckpointError("model.safetensors is missing")
            found.append(info)
        except (CheckpointError, OSError) as error:
            problems.append(f"Checkpoint {folder.name!r} is left out: {error}")
    return found, problems


def catalog(root: Path | None = None, *, variant=None, loss=None, backbone=None, dataset=None) -> list[CheckpointInfo]:
    """Bundled checkpoints, filtered by the values given; a broken one is left out with a logged warning.

    `backbone` matches the backbone's name ("vgg16_bn") or its label ("vgg16bn-w25"). `Catalog` adds the Hub's.
    """
    found, problems = scan(root)
    for problem in problems:
        logger.warning(problem)
    return select(found, variant=variant, loss=loss, backbone=backbone, dataset=dataset)


def select(
    checkpoints: Iterable[CheckpointInfo], *, variant=None, loss=None, backbone=None, dataset=None
) -> list[CheckpointInfo]:
    """Those of `checkpoints` that have every value given; None leaves a property open."""
    wanted = {"variant": variant, "loss": loss, "dataset": dataset}
    return [
        info
        for info in checkpoints
        if all(value is None or getattr(info, name) == value for name, value in wanted.items())
        and backbone in (None, info.backbone, info.backbone_label)
    ]


def find(name: str, root: Path | None = None) -> CheckpointInfo:
    """The bundled checkpoint `name`; raises CheckpointError with the list of names."""
    found, problems = scan(root)
    for info in found:
        if info.name == name:
            return info
    broken = [problem for problem in problems if f"{name!r}" in problem]
    names = ", ".join(info.name for info in found) or "none"
    raise CheckpointError(broken[0] if broken else f"no bundled checkpoint {name!r}; there are: {names}")


def load(source: str | Path, *, revision: str | None = None, device: str = "cpu", progress: Progress | None = None):
    """The network of a bundled name, a checkpoint folder, OWNER/NAME on the Hub or torchvision:NAME, in eval mode.

    A name that exists as a folder is that folder. `revision` (Hub only) is a branch, tag or commit; `progress(done,
    total)` gets bytes while weights come down. Raises CheckpointError when it is not there or not sound.
    """
    text = str(source)
    if is_baseline(text):
        return load_baseline(text, device=device, progress=progress)
    folder = bundled_folder() / text if "/" not in text and "\\" not in text else Path(source)
    if not folder.is_dir():
        folder = Path(source)
    if not folder.is_dir() and text.count("/") and not text.startswith((".", "/", "~")):
        return load_repository(text, device=device, revision=revision, progress=progress)
    if revision is not None:
        raise CheckpointError(f"revision {revision!r}: only repositories on the Hub have revisions")
    if not folder.is_dir() and text.count("/"):
        raise CheckpointError(f"{text}: no such folder")
    return load_folder(folder if folder.is_dir() else find(text).location, device=device)


@dataclass(frozen=True)
class Snapshot:
    """The catalog at one moment. `checkpoints`: bundled first, then those of the Hub that are not the same weights.

    author_scores: by name, what the cards on the Hub claim. baselines: torchvision's networks, if they are shown.
    hub: 'off' (no part of the Hub named), 'waiting' (first answer not there), 'listed' or 'failed' (the last attempt;
    what is shown comes from an earlier one). listed_at: seconds since 1970 of the Hub's answer. reason: of a failure.
    """

    checkpoints: tuple[CheckpointInfo, ...]
    problems: tuple[str, ...]
    hub: str
    listed_at: float | None = None
    reason: str = ""
    refreshing: bool = False
    author_scores: dict[str, tuple[AuthorScore, ...]] = field(default_factory=dict)
    baselines: tuple[CheckpointInfo, ...] = ()

    def age_seconds(self) -> float | None:
        """Seconds since the Hub gave its list, None if it never did."""
        return None if self.listed_at is None else max(0.0, time.time() - self.listed_at)

    def note(self) -> str:
        """State of the Hub's part in one sentence for the page, a Message; empty when there is nothing to say."""
        return hub_note("hub", self.hub, self.listed_at, self.reason, self.refreshing)


class Catalog:
    """Bundled and Hub checkpoints for a page with several visitors; every method is safe to call from any thread.

    `snapshot()` answers at once, `refresh()` asks the Hub in the background, `add()` brings in a repository that a
    visitor names. Names: a bundled checkpoint goes by its name, one on the Hub by OWNER/NAME.
    """

    def __init__(self, settings: HubSettings | None = None, root: Path | None = None):
        self.settings = settings or HubSettings.from_environment()
        self._root = root
        self._lock = threading.Lock()
        self._added: dict[str, CheckpointInfo] = {}
        stored = self._read_stored() if self.settings.lists_hub else None
        self._listing = Renewal(self._ask, self.settings.fresh_seconds, stored, "zoo-listing")

    def snapshot(self) -> Snapshot:
        """The catalog now, without waiting for anything but the bundled folders' small configurations."""
        bundled, problems = scan(self._root)
        now = self._listing.now()
        listing, reason = now.value, now.reason
        found = {info.sha256: info for info in bundled}
        for info in listing.checkpoints if listing else ():
            found.setdefault(info.sha256, info)
        problems += listing.problems if listing else ()
        state = "failed" if reason else "listed" if listing else "waiting"
        state = state if self.settings.lists_hub else "off"
        listed_at = listing.listed_at if listing else None
        scores = listing.author_scores() if listing else {}
        baselines = tuple(baseline_infos()) if self.settings.baselines == "on" else ()
        shown = tuple(info for info in found.values() if is_installed(info.config))
        return Snapshot(shown, tuple(problems), state, listed_at, reason, now.refreshing, scores, baselines)

    def find(self, name: str) -> CheckpointInfo:
        """The checkpoint of that name, listed or added; raises CheckpointError with the names of those listed."""
        snapshot = self.snapshot()
        known = {name_of(info): info for info in (*snapshot.checkpoints, *snapshot.baselines)}
        with self._lock:
            added = self._added.get(name)
        if name not in known and added is not None:
            return added
        if name not in known:
            raise CheckpointError(Message("checkpoint_unknown", name=repr(name), names=", ".join(known) or "-"))
        return known[name]

    def load(self, name: str, *, device: str = "cpu", progress: Progress | None = None) -> FCN:
        """The model of that name; of one on the Hub the listed commit, downloaded if it is not on disk."""
        info = self.find(name)
        if info.source == "torchvision":
            return load_baseline(name, device=device, settings=self.settings, progress=progress)
        if info.source != "hub":
            return load_folder(info.location, device=device, info=info)
        token = None if self._listed(info.location) else False
        return load_repository(
            info.location,
            revision=info.revision,
            device=device,
            settings=self.settings,
            progress=progress,
            token=token,
        )

    def add(self, text: str, *, progress: Progress | None = None) -> CheckpointInfo:
        """Download the repository that a visitor names and check it; `find` and `load` know it from then on.

        `text` is OWNER/NAME, OWNER/NAME@REVISION or the address of its page. It does not enter the snapshot: what
        one visitor adds is not shown to the others. The host's token is used only for owners that the host listed,
        so that a visitor cannot reach the host's private repositories. Raises HubError with the reason.
        """
        repository, revision = parse_repository(text, self.settings.endpoint)
        listed = self._listed(repository)
        if self.settings.visitors == "off":
            raise HubError(Message("hub_adding_off"))
        if self.settings.visitors == "listed" and not listed:
            raise HubError(Message("hub_listed_only", subject=repository))
        _, info = pull(
            repository,
            revision=revision,
            settings=self.settings,
            progress=progress,
            token=None if listed else False,
        )
        with self._lock:
            self._added.pop(repository, None)
            self._added[repository] = info
            if len(self._added) > MAXIMUM_ADDED:
                del self._added[next(iter(self._added))]
        return info

    def _listed(self, repository: str) -> bool:
        names = {parse_repository(name)[0] for name in self.settings.repos}
        listing = self._listing.now().value
        names |= {item["id"] for item in listing.items} if listing else set()
        return repository in names or repository.split("/")[0] in self.settings.authors

    def refresh(self, *, force: bool = False, wait: float = 0.0) -> Snapshot:
        """Ask the Hub in a background thread, unless the listing is fresh (`force` asks anyway) or one is on its way.

        Waits at most `wait` seconds for the answer, then gives the snapshot.
        """
        if self.settings.lists_hub:
            self._listing.refresh(force=force, wait=wait)
        return self.snapshot()

    def _ask(self) -> Listing:
        earlier = self._listing.now().value
        listing = list_checkpoints(self.settings, earlier.items if earlier else ())
        self._store(listing)
        return listing

    @property
    def _path(self) -> Path:
        return self.settings.cache / "listing.json"

    def _source(self) -> dict:
        settings = self.settings
        named = {"authors": settings.authors, "repos": settings.repos, "collections": settings.collections}
        return {"endpoint": settings.endpoint} | {name: list(values) for name, values in named.items()}

    def _store(self, listing: Listing) -> None:
        document = {"format": LISTING_FORMAT, "source": self._source(), "listed_at": listing.listed_at}
        document |= {"items": list(listing.items), "problems": list(listing.problems)}
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(document), encoding="utf-8")
            os.replace(temporary, self._path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            logger.warning("The list of checkpoints on the Hub could not be stored: %s", error)

    def _read_stored(self) -> Listing | None:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["format"] != LISTING_FORMAT or document["source"] != self._source():
                return None
            return read_items(document["items"], document["problems"], float(document["listed_at"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning(
                "The stored list of checkpoints on the Hub is not readable and is asked for again: %s", error
            )
            return None


def name_of(info: CheckpointInfo) -> str:
    """The name by which a catalog knows a checkpoint: OWNER/NAME on the Hub, its own name elsewhere."""
    return info.location if info.source == "hub" else info.name
