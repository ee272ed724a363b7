"""Files to a repository on the Hub: only sound checkpoints, only known files, only what changed.

What changed is known before anything is sent, from the hashes that the Hub lists, so a dry run tells the truth and a
second run sends nothing. Where the Hub does not answer, a dry run takes it for empty, and says so. The commit names its
parent; when somebody else was faster (HTTP 412) it is planned anew.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx

from zoo.checkpoints.activation_ranges import RANGES_FILE
from zoo.checkpoints.folder import GOLDEN_FILE, file_sha256, load_folder
from zoo.checkpoints.information import CONFIG_FILE, DOMAIN_FILE, INDEX_FILE, TAG, WEIGHTS_FILE, CheckpointError
from zoo.checkpoints.shards import SHARD_NAME
from zoo.hub.metadata import with_hub_metadata
from zoo.hub.requests import (
    HubError,
    HubNotFound,
    HubUnreachable,
    commit,
    get_json,
    parse_repository,
    repository_address,
    within,
)
from zoo.hub.settings import HubSettings
from zoo.text import counted

PUBLISHED = re.compile(
    rf"{re.escape(CONFIG_FILE)}|{re.escape(WEIGHTS_FILE)}|{SHARD_NAME.pattern}|{re.escape(INDEX_FILE)}"
    rf"|{re.escape(GOLDEN_FILE)}|{re.escape(DOMAIN_FILE)}|{re.escape(RANGES_FILE)}|README\.md|LICENSE"
    r"|training_args\.json|metrics\.jsonl|[\w.-]+\.toml|[\w.-]+\.png|\.eval_results/[\w.-]+\.yaml",
    re.ASCII,
)
ATTEMPTS = 3


@dataclass(frozen=True)
class Push:
    """What an upload did or would do: files sent, left alone, removed; the commit the repository is at; its page.

    unasked: why a dry run could not ask what is there already; '' where the Hub said it.
    """

    repository: str
    sent: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    sent_bytes: int
    created: bool
    commit: str | None
    page: str
    dry_run: bool
    unasked: str = ""


@dataclass(frozen=True)
class Target:
    """Where files go.

    kind: 'model', 'dataset' or 'space', of an `sdk`; branch None is main; mirror removes what is not sent.
    """

    repository: str
    kind: str = "model"
    branch: str | None = None
    private: bool = False
    pull_request: bool = False
    mirror: bool = False
    sdk: str = "gradio"


def push(
    folder: str | Path,
    repository: str,
    *,
    private: bool = False,
    pull_request: bool = False,
    revision: str | None = None,
    dry_run: bool = False,
    settings: HubSettings | None = None,
    results: Sequence[dict] = (),
    exports: Mapping[str, Path] | None = None,
) -> Push:
    """Upload a checkpoint folder to OWNER/NAME; creates the repository if needed, sends nothing if nothing changed.

    private holds for a repository that is created now; pull_request proposes the change instead of making it;
    revision is a branch, created if needed. The token comes from HF_TOKEN or the stored login.
    results: result documents of these weights, whose scores go along under the settings' `benchmark` repository.
    exports: ONNX files of these weights by their names in the repository.
    dry_run: only plan; without an answer of the Hub all files are planned, and the reason is in `Push.unasked`.
    Raises CheckpointError when the folder is not a sound checkpoint, HubError when the Hub does not take it.
    """
    settings = settings or HubSettings.from_environment()
    folder = Path(folder)
    repository, named = parse_repository(repository, settings.endpoint)
    branch = revision or named
    if pull_request and branch not in (None, "main"):
        raise HubError(f"{repository}: a pull request goes to the main branch; leave out the revision {branch!r}")
    info = load_folder(folder).info
    files = local_files(folder)
    if "README.md" not in files:
        raise CheckpointError(f"{folder}: no README.md; write the model card first: python -m zoo card {folder}")
    target = Target(repository, branch=branch, private=private, pull_request=pull_request)
    with TemporaryDirectory() as place:
        files = with_hub_metadata(files, info, results, settings.benchmark, Path(place))
        return upload(files | dict(exports or {}), target, settings, dry_run=dry_run)


def local_files(folder: Path) -> dict[str, Path]:
    """{name in the repository: path} of the files of a checkpoint folder that are published."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path for name, path in names.items() if PUBLISHED.fullmatch(name)}


def upload(files: dict[str, Path], target: Target, settings: HubSettings, *, dry_run: bool = False) -> Push:
    """Make the repository hold `files` ({name there: path here}) in one commit, or find that it does already."""
    if not dry_run and not get_token():
        raise HubError(f"{target.repository}: no token; set HF_TOKEN or log in once with: hf auth login")
    for _ in range(ATTEMPTS):
        state = _state(target, settings, may_guess=dry_run)
        plan = _plan(files, target, state, settings, dry_run)
        if dry_run or not (plan.sent or plan.removed):
            return plan
        try:
            done = within(
                lambda _, state=state, plan=plan: _send(files, plan, target, state, settings),
                quiet=settings.pull_seconds,
                total=settings.pull_seconds,
                subject=f"Upload to {target.repository}",
            )
        except HfHubHTTPError as error:
            if error.response.status_code == 412:
                continue
            raise _explained(error, target.repository) from None
        except (httpx.HTTPError, ConnectionError, RuntimeError) as error:  # RuntimeError: of Git LFS and hf_xet
            reason = str(error.__cause__ or error).strip().split("\n", 1)[0]
            raise HubUnreachable(f"{target.repository}: the upload broke off ({reason}); run it again") from None
        return replace(plan, commit=done.oid, page=done.pr_url or done.commit_url)
    raise HubError(f"{target.repository}: it changed during each of {ATTEMPTS} attempts; run the command again")


def push_report(done: Push) -> str:
    """What a push did, line by line."""
    if not done.sent and not done.removed:
        return f"{done.page} already holds these files at commit {done.commit}; nothing sent"
    verb = "would send" if done.dry_run else "sent"
    lines = [f"{verb} {counted(len(done.sent), 'file')}, {done.sent_bytes / 1e6:.1f} MB, to {done.page}"]
    if done.unasked:
        lines.append(f"the Hub was not asked, so files that are there already are listed too: {done.unasked}")
    if done.created:
        lines.append("the repository does not exist yet" if done.dry_run else "the repository was created")
    lines += [f"  {name}" for name in done.sent]
    lines += [f"  {name} (removed)" for name in done.removed]
    lines += [f"  {name} (unchanged)" for name in done.unchanged]
    return "\n".join(lines)


@dataclass(frozen=True)
class _State:
    """The repository as the Hub describes it; `files` are its entries by name, `unasked` says why that is a guess."""

    exists: bool
    branch_exists: bool
    sha: str | None
    files: dict[str, dict]
    unasked: str = ""


def _state(target: Target, settings: HubSettings, *, may_guess: bool = False) -> _State:
    def ask(revision: str | None):
        address = repository_address(target.repository, revision, target.kind)
        return within(
            lambda watch: get_json(address, settings, watch, subject=target.repository, query=[("blobs", "true")]),
            quiet=settings.answer_seconds,
            total=settings.list_seconds,
            subject=target.repository,
        )

    try:
        found = ask(None)
    except HubNotFound:
        return _State(False, False, None, {})
    except HubUnreachable as error:
        if not may_guess:
            raise
        return _State(True, True, None, {}, str(error))
    try:
        found = ask(target.branch) if target.branch else found
    except HubNotFound:
        return _State(True, False, commit(found, target.repository), {})
    entries = {str(entry.get("rfilename")): entry for entry in found.get("siblings") or []}
    return _State(True, True, commit(found, target.repository), entries)


def _plan(files: dict[str, Path], target: Target, state: _State, settings: HubSettings, dry_run: bool) -> Push:
    changed = tuple(name for name, path in files.items() if not same_file(path, state.files.get(name)))
    others = (name for name in state.files if name not in files and name != ".gitattributes")
    prefix = "" if target.kind == "model" else f"{target.kind}s/"
    return Push(
        repository=target.repository,
        sent=changed,
        unchanged=tuple(name for name in files if name not in changed),
        removed=tuple(others) if target.mirror else (),
        sent_bytes=sum(files[name].stat().st_size for name in changed),
        created=not state.exists,
        commit=state.sha,
        page=f"{settings.endpoint.rstrip('/')}/{prefix}{target.repository}",
        dry_run=dry_run,
        unasked=state.unasked,
    )


def same_file(path: Path, entry: dict | None) -> bool:
    """Whether the Hub's entry describes this very file: by sha256 where it stores large files, by git blob id else."""
    if not entry:
        return False
    if lfs := entry.get("lfs"):
        return lfs.get("sha256") == file_sha256(path)
    data = path.read_bytes()
    return entry.get("blobId") == hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _send(files: dict[str, Path], plan: Push, target: Target, state: _State, settings: HubSettings):
    api = HfApi(endpoint=settings.endpoint, library_name=TAG)
    where = {"repo_id": target.repository, "repo_type": target.kind}
    if not state.exists:
        sdk = {"space_sdk": target.sdk} if target.kind == "space" else {}
        api.create_repo(**where, **sdk, private=target.private, exist_ok=True)
    if target.branch not in (None, "main") and not state.branch_exists:
        api.create_branch(**where, branch=target.branch, exist_ok=True)
    operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=files[name]) for name in plan.sent]
    operations += [CommitOperationDelete(path_in_repo=name) for name in plan.removed]
    names = ", ".join(plan.sent + plan.removed)
    return api.create_commit(
        **where,
        operations=operations,
        commit_message=f"Update {names}"[:200] if state.exists else f"Add the {target.kind}",
        create_pr=target.pull_request,
        revision=None if target.pull_request else target.branch,
        parent_commit=state.sha if state.branch_exists else None,
    )


def _explained(error: HfHubHTTPError, repository: str) -> HubError:
    status = error.response.status_code
    if status in (401, 403):
        return HubError(f"{repository}: this token may not write there (status {status}); use one with write access")
    said = error.server_message or error.response.reason_phrase
    return HubError(f"{repository}: the Hub refused the upload with status {status}: {said}")
