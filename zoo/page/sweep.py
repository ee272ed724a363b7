"""Keeping the promise that a visitor's files are gone after about an hour, by the page's own means.

Gradio deletes them too, but not what a page that was killed left behind, and its own deletion can end unnoticed. The
sweep goes by the age of what lies in the page's folder, at the start and every few minutes; it also clears the cache of
downloads of what dead processes left.
"""

import contextlib
import logging
import os
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path

from gradio.utils import get_upload_folder

from zoo.atomic import remove_leftovers
from zoo.hub.download import remove_excess
from zoo.hub.settings import HubSettings
from zoo.page.uploads import KEPT_SECONDS, KNOWN

logger = logging.getLogger("zoo")

SWEEP_SECONDS = 300.0
FOLDER_VARIABLE = "GRADIO_TEMP_DIR"


def private_folder(given: str | None = None) -> str:
    """A folder for visitors' files that other programs, and other people on this machine, do not share.

    It lies in `given`, or where the system keeps temporary files. It is never `given` itself: hosts name folders such
    as /tmp, and whatever lies in the page's folder is deleted after an hour. Raises OSError where none can be made.
    """
    user = getattr(os, "getuid", lambda: "")()
    place = Path(given or tempfile.gettempdir()).resolve()
    place.mkdir(parents=True, exist_ok=True)
    folder = place / f"fcn-zoo-page-{user}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and (user == "" or found.st_uid == user):
            folder.chmod(0o700)
            return str(folder)
    return tempfile.mkdtemp(prefix="fcn-zoo-page-", dir=place)  # somebody else has that name


def take_private_folder() -> None:
    """Let Gradio, and everything here that asks it, keep visitors' files in `private_folder`; before any is served.

    Raises OSError where none can be made.
    """
    folder = os.environ[FOLDER_VARIABLE] = private_folder(os.environ.get(FOLDER_VARIABLE))
    for name, module in list(sys.modules.items()):  # some of Gradio's have read the variable when they were imported
        if name.startswith("gradio.") and "DEFAULT_TEMP_DIR" in vars(module):
            vars(module)["DEFAULT_TEMP_DIR"] = folder


def sweep(folder: Path, older_than: float = KEPT_SECONDS) -> int:
    """Delete the files in `folder` that came more than `older_than` seconds ago, and empty folders; returns how many.

    A file's age is that of its name here: copies keep the date of what they copy.
    """
    gone = 0
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            with contextlib.suppress(OSError):  # Gradio has deleted it meanwhile
                path = Path(root) / name
                if time.time() - path.lstat().st_ctime > older_than:
                    path.unlink()
                    gone += 1
        for name in folders:
            with contextlib.suppress(OSError):  # not empty
                path = Path(root) / name
                if time.time() - path.lstat().st_ctime > min(older_than, 60):
                    path.rmdir()
                    gone += 1
    return gone


def forget_gone() -> None:
    """Drop what is remembered of files that are gone: Gradio keeps the path of each, for ever."""
    for known in KNOWN:
        known.difference_update([path for path in list(known) if not os.path.lexists(path)])


def sweep_cache(settings: HubSettings) -> None:
    """Remove what downloads that were killed left in the cache, and downloads above its limit."""
    remove_excess(settings)
    for home in (settings.cache / "results").glob("*/"):
        remove_leftovers(home, older_than=settings.pull_seconds + 3600)


class Sweeper(threading.Thread):
    """Sweeps now and every `SWEEP_SECONDS`; an error is logged and the next round comes all the same."""

    def __init__(self, settings: HubSettings, every: float = SWEEP_SECONDS, older_than: float = KEPT_SECONDS):
        super().__init__(daemon=True, name="zoo-sweep")
        self.settings, self.every, self.older_than = settings, every, older_than
        self.ended = threading.Event()

    def run(self) -> None:
        """Until `ended` is set."""
        while True:
            try:
                sweep(Path(get_upload_folder()), self.older_than)
                forget_gone()
                sweep_cache(self.settings)
            except Exception as error:  # the next round is due whatever went wrong in this one
                logger.error("old files were not deleted (%s); it is tried again", type(error).__name__)
            if self.ended.wait(self.every):
                return
