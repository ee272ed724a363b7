"""Files between the page and its visitors: what they uploaded, and what is made for them to fetch."""

import secrets
from collections.abc import Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path

import gradio as gr
from gradio.route_utils import API_PREFIX, GradioUploadFile, get_root_url
from gradio.utils import get_upload_folder

from zoo.atomic import write_bytes
from zoo.images.photo import UPLOAD_MEGABYTES
from zoo.page.refusal import refuse
from zoo.text import DEFAULT_LANGUAGE, Message

UPLOAD_LIMIT = f"{UPLOAD_MEGABYTES}mb"
KEPT_SECONDS = 3600  # uploads and downloads are deleted after this time
MADE: set[str] = set()  # paths of downloads, which `app.build` hands to Gradio for that
KNOWN: list[set[str]] = [MADE]  # all sets of paths that Gradio keeps for a page


def give_each_upload_its_own_path() -> None:
    """Let no two uploads share a path; once for the process, before a page is served.

    Gradio names an upload by the hash of its content: equal files of two visitors would be one, which goes for both
    when one of them deletes it, and its path would tell who has the file that somebody else brought it.
    """
    start = GradioUploadFile.__init__
    if hasattr(start, "__wrapped__"):
        return

    @wraps(start)
    def start_salted(self, *arguments, **options):
        start(self, *arguments, **options)
        self.sha.update(secrets.token_bytes(32))

    GradioUploadFile.__init__ = start_salted


def uploaded_path(payload) -> str | None:
    """The uploaded file itself, in place of what Gradio's components would make of it.

    `gr.Image` would decode it, whatever its size, and report bad files as bugs. A request may name any path of this
    machine, and Gradio checks only those marked as files: what does not lie in the folder of uploads is refused here.
    """
    if not payload:
        return None
    path = payload.get("path") if isinstance(payload, dict) else getattr(payload, "path", None)
    if not isinstance(path, str) or "\0" in path:
        raise refuse(Message("error_no_upload"), DEFAULT_LANGUAGE)
    if not Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise refuse(Message("error_not_uploaded"), DEFAULT_LANGUAGE)
    return path


def cached_file(content: bytes, name: str) -> str:
    """Path of a new file with this content, see `new_path`; it is renamed into place, so that nobody reads a part."""
    path = new_path(name)
    write_bytes(path, content)
    return str(path)


def new_path(name: str) -> Path:
    """A path for a visitor's file that Gradio may serve and deletes after `KEPT_SECONDS`, its folder made.

    Its address is a new one that nobody can guess, whatever the content: who has a photo, or its mask, does not learn
    whether someone brought it here.
    """
    folder = Path(get_upload_folder()).resolve() / secrets.token_urlsafe(24)
    folder.mkdir(parents=True)
    path = folder / Path(name).name  # a checkpoint of the Hub is called OWNER/NAME
    MADE.add(str(path))
    return path


def delete_files(paths: Iterable[str | None]) -> None:
    """Delete these files of a visitor's at once, with the folders that they leave empty."""
    for path in {Path(path) for path in paths if path}:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # holds another file, or is gone
            path.parent.rmdir()


def file_data(path: str, request: gr.Request) -> gr.FileData:
    """A file with its whole address, which Gradio itself gives to its own clients alone."""
    http = request.request
    root = get_root_url(http, http.url.path, http.app.root_path)
    return gr.FileData(path=path, orig_name=Path(path).name, url=f"{root}{API_PREFIX}/file={path}")
