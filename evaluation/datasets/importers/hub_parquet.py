"""Parquet files of a data set on the Hub, fetched within limits: sizes are known before, and held to while, they come.

Only `.parquet` and `id2label.json` are asked for; nothing of a repository runs. Files land in
`CACHE/datasets/OWNER--NAME/COMMIT` (FCN_ZOO_CACHE) and are not asked for again.
"""

import os
import re
import tempfile
from pathlib import Path, PurePosixPath

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.project import Options
from evaluation.datasets.importers.splitting import SUBSETS
from zoo.checkpoints.information import CheckpointError
from zoo.hub.requests import (
    HubError,
    HubNotFound,
    Watch,
    commit,
    file_address,
    get_json,
    parse_repository,
    repository_address,
    stream,
    within,
)
from zoo.hub.settings import HubSettings

LABELS = "id2label.json"
CONVERTED = "refs/convert/parquet"  # the branch where the Hub keeps parquet files of data sets in other formats
MAXIMUM_LABELS_BYTES = 1_000_000
_NAME = re.compile(r"(?:[\w][\w.+=-]*/){0,6}[\w][\w.+=-]*\.parquet", re.ASCII)


def hub_files(source: str, options: Options) -> tuple[list[Path], Path | None, str]:
    """Parquet files of `OWNER/NAME` or `OWNER/NAME/FOLDER`, its file of labels if there is one, and what to call them.

    DatasetError when the Hub does not give them, or they are more than `options.megabytes`.
    """
    try:
        settings = HubSettings.from_environment()
    except CheckpointError as error:
        raise DatasetError(str(error)) from None
    repository, folder = "/".join(source.split("/")[:2]), "/".join(source.split("/")[2:])
    try:
        repository, _ = parse_repository(repository, settings.endpoint)
        quiet, total = settings.answer_seconds, settings.pull_seconds
        return within(
            lambda watch: fetch(repository, folder, options, settings, watch), quiet=quiet, total=total, subject=source
        )
    except HubError as error:
        raise DatasetError(f"{source}: {error}") from None
    except OSError as error:
        raise DatasetError(
            f"{source}: cannot be kept in {settings.cache} ({error.strerror}); set FCN_ZOO_CACHE"
        ) from None


def fetch(
    repository: str, folder: str, options: Options, settings: HubSettings, watch: Watch
) -> tuple[list[Path], Path | None, str]:
    """The work of `hub_files`: list, check, download what is not there yet."""
    sha, sizes = "", {}
    for revision in (options.revision,) if options.revision else (None, CONVERTED):
        try:
            sha, sizes = list_files(repository, revision, settings, watch)
        except HubNotFound:
            if revision != CONVERTED:
                raise
        wanted = sorted(name for name in sizes if _NAME.fullmatch(name) and name.startswith(folder))
        if wanted:
            break
    check_files(repository, folder, wanted, sizes, options)
    home = settings.cache / "datasets" / repository.replace("/", "--") / sha
    paths = [download(repository, sha, name, sizes[name], home, settings, watch) for name in wanted]
    labels = None
    if 0 < (sizes.get(LABELS) or 0) < MAXIMUM_LABELS_BYTES:
        labels = download(repository, sha, LABELS, sizes[LABELS], home, settings, watch)
    return paths, labels, f"{repository} at {sha[:12]}"


def list_files(
    repository: str, revision: str | None, settings: HubSettings, watch: Watch
) -> tuple[str, dict[str, int | None]]:
    """The commit of a revision and {file: bytes}."""
    address = repository_address(repository, revision, "dataset")
    answer = get_json(address, settings, watch, subject=repository, query=[("blobs", "true")])
    sha = commit(answer, repository)
    entries = answer.get("siblings") if isinstance(answer.get("siblings"), list) else []
    sizes = {
        entry["rfilename"]: entry.get("size") for entry in entries if isinstance(entry, dict) and "rfilename" in entry
    }
    return sha, {name: size if isinstance(size, int) else None for name, size in sizes.items()}


def check_files(
    repository: str, folder: str, wanted: list[str], sizes: dict[str, int | None], options: Options
) -> None:
    """DatasetError where there are no parquet files, those of several data sets, or too many bytes."""
    if not wanted:
        place = f"in folder {folder!r}" if folder else "in it"
        raise DatasetError(
            f"{repository}: there are no parquet files {place}; save it with Dataset.to_parquet and import the folder"
        )
    kinds = {re.sub(rf"/?({'|'.join(SUBSETS)})$", "", str(PurePosixPath(name).parent)) for name in wanted}
    if len(kinds) > 1:
        choice = ", ".join(f"{repository}/{kind}" for kind in sorted(kinds))
        raise DatasetError(f"{repository}: holds several data sets; import one of {choice}")
    total = sum(sizes[name] or 0 for name in wanted)
    if total > options.megabytes * 1e6 or not all(sizes[name] for name in wanted):
        raise DatasetError(
            f"{repository}: is {total / 1e6:.0f} MB; raise --megabytes ({options.megabytes:g}) to get it"
        )


def download(repository: str, sha: str, name: str, size: int, home: Path, settings: HubSettings, watch: Watch) -> Path:
    """The file of this commit, from the cache if it is there whole."""
    path = home / name
    if path.is_file() and path.stat().st_size == size:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    address, subject = file_address(repository, sha, name, "dataset"), f"{repository}: {name}"
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with open(handle, "wb") as file:
            for chunk in stream(address, settings, watch, subject=subject, limit=size):
                file.write(chunk)
        if os.path.getsize(part) != size:
            raise DatasetError(f"{subject}: arrived with {os.path.getsize(part)} of {size} bytes; try again")
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
    return path
