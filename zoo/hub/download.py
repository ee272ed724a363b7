"""One checkpoint from the Hub to a folder on disk, checked before it costs anything and again before it counts.

Order: revision resolved to a commit, names and sizes from the listing of files, `config.json` read and validated,
weights streamed under the size limit while their sha256 is taken, shapes compared. Everything lands in a temporary
folder that becomes `CACHE/checkpoints/OWNER--NAME/COMMIT` in one step, or disappears.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from zoo.atomic import remove_leftovers, replace_folder, temporary_folder, whole_folder, write_text
from zoo.checkpoints.activation_ranges import MAXIMUM_RANGES_BYTES, RANGES_FILE, read_ranges
from zoo.checkpoints.folder import (
    MAXIMUM_CONFIG_BYTES,
    compare_shapes,
    expected_shapes,
    load_folder,
    merged_shapes,
    read_info,
    weightless,
)
from zoo.checkpoints.information import CONFIG_FILE, DOMAIN_FILE, WEIGHTS_FILE, CheckpointError, CheckpointInfo
from zoo.checkpoints.libraries import check_library
from zoo.checkpoints.shards import weights_names, weights_paths
from zoo.checkpoints.statistics import read_domain
from zoo.config import FCNConfig
from zoo.hub.background import Locks
from zoo.hub.requests import (
    HubError,
    HubUnreachable,
    Watch,
    check_text,
    commit,
    file_address,
    get_json,
    parse_repository,
    repository_address,
    stream,
    within,
)
from zoo.hub.settings import HubSettings
from zoo.text import Message

if TYPE_CHECKING:
    from zoo.models.protocol import Network

logger = logging.getLogger("zoo")

# Besides configuration and weights; anything else in a repository is left where it is.
COMPANIONS = re.compile(
    r"README\.md|LICENSE|golden\.safetensors|domain\.safetensors|training_args\.json|metrics\.jsonl|\.eval_results/[\w.-]+\.yaml",
    re.ASCII,
)
MAXIMUM_COMPANION_BYTES = 4_000_000
MAXIMUM_COMPANIONS = 20
IDLE_SECONDS = 60.0
MAXIMUM_FAILURES = 100
FILES = {"config": CONFIG_FILE, "weights": WEIGHTS_FILE}  # as messages call them
COMMIT = re.compile(r"[0-9a-f]{40}")

Progress = Callable[[int, int], None]

_locks = Locks()
_failures: OrderedDict[str, tuple[float, type[HubError], Message]] = OrderedDict()  # the last ones, without tracebacks


def amount(done: int, total: int) -> str:
    """'41 of 58 MB', or in kB below one megabyte."""
    unit, name = (1_000_000, "MB") if total >= 1_000_000 else (1_000, "kB")
    return f"{done / unit:.0f} of {total / unit:.0f} {name}"


def pull(
    repository: str,
    *,
    revision: str | None = None,
    settings: HubSettings | None = None,
    progress: Progress | None = None,
    token: str | bool | None = None,
    companions: bool = False,
) -> tuple[Path, CheckpointInfo]:
    """The folder of a checkpoint on the Hub, downloaded unless it is there, and its CheckpointInfo.

    `repository` is OWNER/NAME, OWNER/NAME@REVISION or the address of its page; `progress(done, total)` gets bytes of
    weights; token False asks without one; `companions` adds card, results and training records. A downloaded copy
    of the revision serves when the Hub is away. Raises HubError with the reason, and leaves nothing on disk.
    """
    settings = settings or HubSettings.from_environment()
    repository, named = parse_repository(repository, settings.endpoint)
    if revision and named and revision != named:
        raise HubError(Message("hub_two_revisions", subject=repository, first=repr(named), second=repr(revision)))
    revision = revision or named
    key, arrived = f"{repository}@{revision}", time.monotonic()
    try:
        with _locks.hold(repository, settings.pull_seconds):
            failed, kind, reason = _failures.get(key, (0.0, HubError, None))
            if kind is HubUnreachable and failed >= arrived:
                raise kind(reason)  # what the download in front got; each in the queue trying again would take minutes
            with _remembered(key):
                folder, sha = _resolve(repository, revision, settings, token, progress, companions)
                return folder, read_info(folder, source="hub", location=repository, revision=sha)
    except HubError:
        raise
    except TimeoutError:
        raise HubUnreachable(Message("hub_busy", subject=repository)) from None
    except OSError as error:
        facts = {"place": str(settings.cache), "reason": error.strerror or str(error), "variable": "FCN_ZOO_CACHE"}
        raise HubError(Message("hub_cache", subject=repository, **facts)) from None


@contextlib.contextmanager
def _remembered(key: str):
    """Keep why the block failed for those who wait for the same download."""
    try:
        yield
    except HubError as error:
        _failures[key] = (time.monotonic(), type(error), error.args[0])
        while len(_failures) > MAXIMUM_FAILURES:
            _failures.popitem(last=False)
        raise


def load_repository(repository: str, *, read: Callable = load_folder, **options) -> Network:
    """What `read(folder, info=info)` makes of a checkpoint on the Hub, its network in eval mode by default.

    `options` are those of `pull`.
    """
    folder, info = pull(repository, **options)
    return read(folder, info=info)


def _resolve(repository, revision, settings, token, progress, companions) -> tuple[Path, str]:
    home = settings.cache / "checkpoints" / repository.replace("/", "--")
    reference = home / "revisions" / quote(revision or "main", safe="")
    if revision and COMMIT.fullmatch(revision) and _complete(home / revision, companions):
        return _used(home / revision), revision
    home.mkdir(parents=True, exist_ok=True)

    def work(watch: Watch, staging: Path) -> tuple[Path, str]:
        query = [("blobs", "true")]
        address = repository_address(repository, revision)
        model = get_json(address, settings, watch, subject=repository, token=token, query=query)
        sha = commit(model, repository)
        if not _complete(home / sha, companions):
            _fetch(repository, sha, model, staging, settings, watch, token, progress, companions)
        return home / sha, sha

    limits = {"quiet": settings.answer_seconds, "total": settings.pull_seconds}
    try:
        with temporary_folder(home / "download") as staging:
            folder, sha = within(lambda watch: work(watch, staging), **limits, subject=repository)
            if not _complete(folder, companions):
                replace_folder(staging, folder)
        reference.parent.mkdir(exist_ok=True)
        write_text(reference, sha)
        if companions:
            _companions_mark(folder).touch()
    except HubUnreachable as error:
        sha = reference.read_text(encoding="ascii") if reference.is_file() else ""
        if not COMMIT.fullmatch(sha) or not _complete(home / sha, False):
            raise
        logger.warning("%s. The copy of commit %s on disk is used.", error, sha[:7])
        folder = home / sha
    finally:
        for empty in (home, home.parent):
            with contextlib.suppress(OSError):
                empty.rmdir()
    _used(folder)
    remove_excess(settings, keep=folder)
    return folder, sha


def _complete(folder: Path, companions: bool) -> bool:
    return bool(weights_paths(folder)) and (not companions or _companions_mark(folder).is_file())


def _companions_mark(folder: Path) -> Path:
    return folder.parent / "revisions" / f"{folder.name}+companions"


def _used(folder: Path) -> Path:
    os.utime(folder)
    return folder


def _fetch(repository, sha, model, staging, settings, watch, token, progress, companions) -> None:
    files = _files(repository, model)
    limit = int(settings.file_megabytes * 1e6)
    weights = weights_names(files)
    sizes = [files[name].get("size") for name in weights]
    size = sum(sizes) if all(isinstance(size, int) for size in sizes) else None
    if size is not None and size > limit:
        facts = {"file": WEIGHTS_FILE, "size": round(size / 1e6), "limit": round(settings.file_megabytes)}
        raise HubError(Message("hub_over_limit", subject=repository, **facts))
    total = size or 0

    def save(names: list[str], maximum: int, report: Progress | None = None) -> str:
        digest, done = hashlib.sha256(), 0
        for name in names:
            address, subject = file_address(repository, sha, name), f"{repository}: {name}"
            with open(staging / name, "wb") as file:
                for chunk in stream(address, settings, watch, subject=subject, limit=maximum - done, token=token):
                    file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    if report:
                        report(done, max(done, total))
        return digest.hexdigest()

    save([CONFIG_FILE], MAXIMUM_CONFIG_BYTES)
    info = _named(repository, lambda: read_info(staging))
    _named(repository, lambda: check_text(info))
    expected = _named(repository, lambda: _expected_shapes(info))
    _check_size(repository, expected, total)
    stored = (files[weights[0]].get("lfs") or {}).get("sha256") if len(weights) == 1 else None
    if stored is not None and stored != info.sha256:
        raise HubError(Message("hub_other_weights", subject=repository, **FILES))
    if save(weights, min(limit, total or limit), progress) != info.sha256:
        raise HubError(Message("hub_damaged", subject=repository, **FILES))
    paths = [staging / name for name in weights]
    _named(repository, lambda: compare_shapes(expected, merged_shapes(paths), Path(WEIGHTS_FILE)))
    if info.domain and DOMAIN_FILE in files:
        save([DOMAIN_FILE], MAXIMUM_COMPANION_BYTES)
        _named(repository, lambda: read_domain(staging, info))
    if RANGES_FILE in files:
        save([RANGES_FILE], MAXIMUM_RANGES_BYTES)
        _named(repository, lambda: read_ranges(staging))
    if companions:
        for name in [name for name in files if COMPANIONS.fullmatch(name)][:MAXIMUM_COMPANIONS]:
            (staging / name).parent.mkdir(exist_ok=True)
            save([name], MAXIMUM_COMPANION_BYTES)


def _files(repository: str, model: dict) -> dict[str, dict]:
    """{name: entry} of a repository's files; refuses unsafe names and repositories without safe weights."""
    entries = model.get("siblings")
    entries = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    files = {str(entry.get("rfilename")): entry for entry in entries}
    for name in files:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.search(r"[\x00-\x1f]", name) or ":" in name:
            raise HubError(Message("hub_unsafe_name", subject=repository, name=repr(name[:80])))
    if CONFIG_FILE not in files:
        raise HubError(Message("hub_no_config", subject=repository, **FILES))
    if not weights_names(files):
        others = [name for name in files if name.endswith((".bin", ".pth", ".pt", ".pkl", ".ckpt", ".h5"))]
        if others:
            raise HubError(Message("hub_pickle_only", subject=repository, other=others[0][:120], **FILES))
        raise HubError(Message("hub_no_weights", subject=repository, **FILES))
    return files


def _expected_shapes(info: CheckpointInfo) -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of the weights that a checkpoint needs; of an FCN, whose graph tells them, without torch.

    Raises CheckpointError where a library is not installed that the network needs.
    """
    if isinstance(info.config, FCNConfig) and find_spec("onnx"):
        from zoo.models import graph

        return graph.expected_shapes(info.config)
    check_library(info.config)
    return expected_shapes(weightless(info.config))


def _check_size(repository: str, expected: dict, total: int) -> None:
    """Refuse a weights file that cannot hold the described network, before it is downloaded."""
    numbers = sum(math.prod(shape) for shape in expected.values())
    if total and not 2 * numbers <= total <= 8 * numbers + 10_000_000:
        facts = {"size": round(total / 1e6, 1), "numbers": round(numbers / 1e6, 1)}
        raise HubError(Message("hub_size_mismatch", subject=repository, **facts, **FILES))


def _named(repository: str, check: Callable):
    """The value of `check()`; its CheckpointError comes out under the repository's name, without a local path."""
    try:
        return check()
    except HubError:
        raise
    except CheckpointError as error:
        reason = error.args[0]
        if isinstance(reason, Message) and reason.key == "checkpoint_at":
            reason = Message("checkpoint_at", **reason.values | {"place": Path(reason.values["place"]).name})
        raise HubError(Message("checkpoint_at", place=repository, reason=reason)) from None


def copy_folder(source: Path, target: Path) -> None:
    """Copy a checkpoint folder so that `target` appears whole or not at all; an existing `target` is replaced."""
    with whole_folder(target) as staging:
        shutil.copytree(source, staging, dirs_exist_ok=True)


def remove_excess(settings: HubSettings, keep: Path | None = None, idle: float = IDLE_SECONDS) -> list[Path]:
    """Remove downloads, least recently used first, until they fit the cache limit; returns the removed folders.

    What was used in the last `idle` seconds stays: another thread may be about to load it.
    """
    home = settings.cache / "checkpoints"
    for repository in home.glob("*/"):
        remove_leftovers(repository, older_than=settings.pull_seconds + 3600)
    folders = [folder for folder in home.glob("*/*") if COMMIT.fullmatch(folder.name)]
    sizes = {folder: sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) for folder in folders}
    removed = []
    for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime):
        if sum(sizes.values()) <= settings.cache_megabytes * 1e6:
            break
        if folder != keep and time.time() - folder.stat().st_mtime >= idle:
            shutil.rmtree(folder, ignore_errors=True)
            sizes.pop(folder)
            removed.append(folder)
    return removed
