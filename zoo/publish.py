"""A checkpoint folder to a model repository on the Hub: only sound folders, only known files, only what changed.

What changed is known before anything is sent, from the hashes that the Hub lists, so a dry run tells the truth and a
second run sends nothing. The commit names its parent; when somebody else was faster (HTTP 412) it is planned anew.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx

from zoo.checkpoint import CONFIG_FILE, GOLDEN_FILE, WEIGHTS_FILE, CheckpointError, file_sha256, load_folder
from zoo.hub import HubError, HubNotFound, HubUnreachable, commit, get_json, model_address, parse_repository, within
from zoo.settings import TAG, HubSettings

PUBLISHED = re.compile(
    rf"{re.escape(CONFIG_FILE)}|{re.escape(WEIGHTS_FILE)}|{re.escape(GOLDEN_FILE)}|README\.md|LICENSE"
    r"|training_args\.json|metrics\.jsonl|[\w.-]+\.toml|[\w.-]+\.png|\.eval_results/[\w.-]+\.yaml",
    re.ASCII,
)
ATTEMPTS = 3


@dataclass(frozen=True)
class Push:
    """What a push did, or would do: files sent and left alone, the commit that the repository is at, its page."""

    repository: str
    sent: tuple[str, ...]
    unchanged: tuple[str, ...]
    sent_bytes: int
    created: bool
    commit: str | None
    page: str
    dry_run: bool


def push(
    folder: str | Path,
    repository: str,
    *,
    private: bool = False,
    pull_request: bool = False,
    revision: str | None = None,
    dry_run: bool = False,
    settings: HubSettings | None = None,
) -> Push:
    """Upload a checkpoint folder to OWNER/NAME; creates the repository if needed, sends nothing if nothing changed.

    private holds for a repository that is created now; pull_request proposes the change instead of making it;
    revision is a branch, created if needed. The token comes from HF_TOKEN or the stored login.
    Raises CheckpointError when the folder is not a sound checkpoint, HubError when the Hub does not take it.
    """
    settings = settings or HubSettings.from_environment()
    folder = Path(folder)
    repository, named = parse_repository(repository, settings.endpoint)
    revision = revision or named
    if pull_request and revision not in (None, "main"):
        raise HubError(f"{repository}: a pull request goes to the main branch; leave out the revision {revision!r}")
    load_folder(folder)
    files = local_files(folder)
    if "README.md" not in files:
        raise CheckpointError(f"{folder}: no README.md; write the model card first: python -m zoo card {folder}")
    if not dry_run and not get_token():
        raise HubError(f"{repository}: no token; set HF_TOKEN or log in once with: hf auth login")
    api = HfApi(endpoint=settings.endpoint, library_name=TAG)
    for attempt in range(1, ATTEMPTS + 1):
        state = _state(repository, revision, settings)
        changed = [name for name, path in files.items() if not _same(path, state.files.get(name))]
        page = f"{settings.endpoint.rstrip('/')}/{repository}"
        sent_bytes = sum(files[name].stat().st_size for name in changed)
        unchanged = tuple(name for name in files if name not in changed)
        result = Push(repository, tuple(changed), unchanged, sent_bytes, not state.exists, state.sha, page, dry_run)
        if dry_run or not changed:
            return result
        try:
            done = within(
                lambda _, state=state, changed=changed: _send(
                    api, repository, {name: files[name] for name in changed}, state, private, pull_request, revision
                ),
                quiet=settings.pull_seconds,
                total=settings.pull_seconds,
                subject=f"Upload to {repository}",
            )
        except HfHubHTTPError as error:
            if error.response.status_code == 412 and attempt < ATTEMPTS:
                continue
            raise _explained(error, repository) from None
        except (httpx.HTTPError, ConnectionError, RuntimeError) as error:  # RuntimeError: of Git LFS and hf_xet
            reason = str(error.__cause__ or error).strip().split("\n", 1)[0]
            raise HubUnreachable(f"{repository}: the upload broke off ({reason}); run it again") from None
        page = done.pr_url or done.commit_url
        return Push(repository, tuple(changed), unchanged, sent_bytes, not state.exists, done.oid, page, False)
    raise AssertionError("unreachable")


def local_files(folder: Path) -> dict[str, Path]:
    """{name in the repository: path} of the files of a checkpoint folder that are published."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path for name, path in names.items() if PUBLISHED.fullmatch(name)}


@dataclass(frozen=True)
class _State:
    exists: bool
    branch_exists: bool
    sha: str | None
    files: dict[str, dict]


def _state(repository: str, revision: str | None, settings: HubSettings) -> _State:
    def ask(address: str):
        return within(
            lambda watch: get_json(address, settings, watch, subject=repository, query=[("blobs", "true")]),
            quiet=settings.answer_seconds,
            total=settings.list_seconds,
            subject=repository,
        )

    try:
        model = ask(model_address(repository, None))
    except HubNotFound:
        return _State(False, False, None, {})
    try:
        model = ask(model_address(repository, revision)) if revision else model
    except HubNotFound:
        return _State(True, False, commit(model, repository), {})
    entries = {str(entry.get("rfilename")): entry for entry in model.get("siblings") or []}
    return _State(True, True, commit(model, repository), entries)


def _same(path: Path, entry: dict | None) -> bool:
    """Whether the Hub's entry describes this very file: by sha256 where it stores large files, by git blob id else."""
    if not entry:
        return False
    if lfs := entry.get("lfs"):
        return lfs.get("sha256") == file_sha256(path)
    data = path.read_bytes()
    return entry.get("blobId") == hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _send(api: HfApi, repository, files: dict[str, Path], state: _State, private, pull_request, revision):
    if not state.exists:
        api.create_repo(repository, private=private, exist_ok=True)
    if revision not in (None, "main") and not state.branch_exists:
        api.create_branch(repository, branch=revision, exist_ok=True)
    return api.create_commit(
        repository,
        [CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()],
        commit_message=f"Update {', '.join(files)}"[:200] if state.exists else "Add the checkpoint",
        create_pr=pull_request,
        revision=None if pull_request else revision,
        parent_commit=state.sha if state.branch_exists else None,
    )


def _explained(error: HfHubHTTPError, repository: str) -> HubError:
    status = error.response.status_code
    if status == 412:
        return HubError(f"{repository}: it changed during each of {ATTEMPTS} attempts; run the command again")
    if status in (401, 403):
        return HubError(f"{repository}: this token may not write there (status {status}); use one with write access")
    said = error.server_message or error.response.reason_phrase
    return HubError(f"{repository}: the Hub refused the upload with status {status}: {said}")
