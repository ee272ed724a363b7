"""Which checkpoints there are, bundled and on the Hub, and loading one of them by name.

Bundled checkpoints come first and never need a network. Those on the Hub are merged in by a background thread and
stored on disk, so that a page paints without waiting. A checkpoint that cannot be read is left
out and named, so that one broken folder costs neither the others nor a silent gap.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.atomic import write_text
from zoo.checkpoints.folder import bundled_folder, load_folder, read_info
from zoo.checkpoints.information import CheckpointError, CheckpointInfo
from zoo.checkpoints.libraries import check_library, is_installed, left_out
from zoo.checkpoints.prepared import prepare_folder
from zoo.config import FCNConfig
from zoo.hub.download import Progress, load_repository, pull
from zoo.hub.listing import AuthorScore, Listing, list_checkpoints, read_items
from zoo.hub.renewal import Renewal, hub_note
from zoo.hub.requests import HubError, parse_repository
from zoo.hub.runs import scan_runs, unreadable
from zoo.hub.settings import HubSettings
from zoo.hub.torchvision_weights import baseline_infos, is_baseline, load_baseline
from zoo.models.engine import Engine
from zoo.models.preparation import prepared
from zoo.models.segmentation import best_device
from zoo.text import Message

if TYPE_CHECKING:
    from zoo.models.protocol import Network

logger = logging.getLogger("zoo")

LISTING_FORMAT = 3
MAXIMUM_ADDED = 500


def scan(root: Path | None = None) -> tuple[list[CheckpointInfo], list[str]]:
    """The checkpoints in the folders of `root` (default: the bundled ones), by name.

    The second list has one message per broken one, or that `root` may not be read.
    """
    root = bundled_folder() if root is None else Path(root)
    found, problems = [], []
    try:
        folders = sorted(root.iterdir()) if root.is_dir() else []
    except OSError as error:
        return [], [unreadable(root, error)]
    for folder in folders:
        if folder.name.startswith((".", "__")):
            continue
        try:
            if not folder.is_dir():
                continue
            info = _read_bundled(folder, *_stamp(folder))
            if info.name != folder.name:
                raise CheckpointError(f"config.json names it {info.name!r}; folder and name must agree")
            if not info.file_bytes:
                raise CheckpointError("model.safetensors is missing")
            found.append(info)
        except (CheckpointError, OSError) as error:
            problems.append(f"Checkpoint {folder.name!r} is left out: {error}")
    return found, problems


@lru_cache(maxsize=256)
def _read_bundled(folder: Path, *_stamp) -> CheckpointInfo:
    """The configuration of a folder, read once for each change of its files."""
    return read_info(folder, source="bundled")


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the files of a folder that say what its checkpoint is."""
    files = sorted(file for file in folder.glob("[cm]*") if file.suffix in (".json", ".safetensors"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


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
    names = ", ".join(info.name for info in found) or "; ".join(["none", *problems])
    raise CheckpointError(broken[0] if broken else f"no bundled checkpoint {name!r}; there are: {names}")


def load(
    source: str | Path, *, revision: str | None = None, device: str = "cpu", progress: Progress | None = None
) -> Network:
    """The network of a bundled name, a checkpoint folder, OWNER/NAME on the Hub or torchvision:NAME, in eval mode.

    Weights are float32 in channels-last order, the fast one of torch's convolutions; a converter that reads them as
    they lie wants `model.to(memory_format=torch.contiguous_format)` first.
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
        read = partial(load_folder, device=device)
        return load_repository(text, revision=revision, progress=progress, read=read)
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
        self._root = bundled_folder() if root is None else Path(root)
        self._lock = threading.Lock()
        self._added: dict[str, CheckpointInfo] = {}
        self._logged: set[str] = set()
        stored = self._read_stored() if self.settings.lists_hub else None
        self._listing = Renewal(self._ask, self.settings.fresh_seconds, stored, "zoo-listing")

    def snapshot(self) -> Snapshot:
        """The catalog now, without waiting for anything but the bundled folders' small configurations."""
        bundled, problems = scan(self._root)
        now = self._listing.now() if self.settings.lists_hub else None
        listing, reason = (now.value, now.reason) if now else (None, "")
        if self.settings.checkpoints:
            own, broken = scan_runs(self.settings.checkpoints, {info.name for info in bundled})
            known = {info.sha256 for info in bundled}
            bundled += [info for info in own if info.sha256 not in known]
            problems += broken
        # A bundled folder's weights are here to be looked at; what one repository says of its weights hides no other.
        here = {info.sha256 for info in bundled}
        found = [*bundled, *(info for info in (listing.checkpoints if listing else ()) if info.sha256 not in here)]
        problems += listing.problems if listing else ()
        baselines = tuple(baseline_infos()) if self.settings.baselines == "on" else ()
        others = [info for info in (*found, *baselines) if not isinstance(info.config, FCNConfig)]
        lacking = left_out(others) if others else []  # an FCN needs nothing that may be absent
        problems += [f"{info.offered_as} is left out: {error}" for info, error in lacking if info not in baselines]
        self._log_new(problems)
        state = "failed" if reason else "listed" if listing else "waiting"
        state = state if now else "off"
        listed_at = listing.listed_at if listing else None
        scores = listing.author_scores() if listing else {}
        without = [info for info, _ in lacking]
        shown, baselines = (tuple(info for info in infos if info not in without) for infos in (found, baselines))
        return Snapshot(
            shown, tuple(problems), state, listed_at, reason, bool(now and now.refreshing), scores, baselines
        )

    def _log_new(self, problems: list[str]) -> None:
        """Tell whoever runs the page what is left out, each once."""
        with self._lock:
            new = [problem for problem in problems if problem not in self._logged]
            self._logged = set(problems)
        for problem in new:
            logger.warning("%s", problem)

    @property
    def refreshing(self) -> bool:
        """Whether the Hub is being asked for its list."""
        return self._listing.now().refreshing

    def find(self, name: str) -> CheckpointInfo:
        """The checkpoint of that name, listed or added; raises CheckpointError with the names of those listed."""
        snapshot = self.snapshot()
        known = {info.offered_as: info for info in (*snapshot.checkpoints, *snapshot.baselines)}
        with self._lock:
            added = self._added.get(name)
        if name not in known and added is not None:
            return added
        if name not in known:
            raise CheckpointError(Message("checkpoint_unknown", name=repr(name), names=", ".join(known) or "-"))
        return known[name]

    def load(self, name: str, *, progress: Progress | None = None, read: Callable = load_folder) -> Network:
        """The model of that name; of one on the Hub the listed commit, downloaded if it is not on disk.

        What `read(folder, info=info)` makes of its folder, if that is not the network; torchvision's have no folder.
        """
        info = self.find(name)
        if info.source == "torchvision":
            return load_baseline(name, settings=self.settings, progress=progress)
        if info.source != "hub":
            return read(info.location, info=info)
        token = None if self._listed(info.location) else False
        options = {"settings": self.settings, "progress": progress, "token": token}
        return load_repository(info.location, revision=info.revision, read=read, **options)

    def load_engine(self, info: CheckpointInfo, progress: Progress | None = None) -> Engine:
        """The engine of a checkpoint that is listed or that a visitor added, at exactly that revision.

        `progress(done, total)` gets bytes while it is downloaded. Another visitor may have added another revision
        under the same name: then the listed name is not asked, and the host's token is not used.
        """
        known = {one.offered_as: one for one in self.snapshot().checkpoints}.get(info.offered_as)
        if info.source != "hub" or (known and (known.revision, known.sha256) == (info.revision, info.sha256)):
            found = self.load(info.offered_as, progress=progress, read=prepare_folder)
            return found if isinstance(found, Engine) else prepared(found, device=best_device())
        options = {"settings": self.settings, "progress": progress, "token": False}
        return load_repository(info.location, revision=info.revision, read=prepare_folder, **options)

    def add(self, text: str, *, progress: Progress | None = None) -> CheckpointInfo:
        """Download the repository that a visitor names and check it; `find` and `load` know it from then on.

        `text` is OWNER/NAME, OWNER/NAME@REVISION or the address of its page. It does not enter the snapshot: what
        one visitor adds is not shown to the others. The host's token is used only for owners that the host listed,
        so that a visitor cannot reach the host's private repositories. Raises HubError with the reason, and
        CheckpointError where a library is not installed that the network needs.
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
        if not is_installed(info.config):  # as when the library was removed since the download
            check_library(info.config)
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
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps(document))
        except OSError as error:
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
