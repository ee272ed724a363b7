"""What a visitor takes along from one state of the page to another: the files brought, as the browser remembers them.

The browser keeps the paths of a comparison in its history, and over a change of language; they are only ever taken from
the folder of uploads.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from zoo.page.uploads import uploaded_path


@dataclass(frozen=True)
class Visit:
    """Paths of the visitor's own photo and ground truth; expired: whether one of them has been deleted since."""

    photo: str | None = None
    truth: str | None = None
    expired: bool = False


def read_visit(text: str | None) -> Visit:
    """The visit that the browser remembered as JSON ('photo' and 'truth' are paths); an empty one for nonsense."""
    try:
        kept = json.loads(text or "{}")
    except ValueError:
        return Visit()
    paths = [kept.get(name) if isinstance(kept, dict) else None for name in ("photo", "truth")]
    if not all(isinstance(path, str | None) for path in paths):
        return Visit()
    try:
        photo, truth = (path and uploaded_path({"path": path}) for path in paths)
    except gr.Error:  # no upload of this page
        return Visit()
    if any(path and not Path(path).is_file() for path in (photo, truth)):
        return Visit(expired=True)
    return Visit(photo or None, truth or None)
