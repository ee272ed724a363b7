"""Speaking to a visitor: the language of a request, and errors and warnings in it."""

from collections import OrderedDict

import gradio as gr
from gradio.context import LocalContext

from zoo.text import DEFAULT_LANGUAGE, choose_language, in_language, texts


def language_of(request: gr.Request | None) -> str:
    """The visitor's language, 'en' or 'pt-BR': the one in the page's address, else the browser's."""
    if request is None:
        return DEFAULT_LANGUAGE
    return choose_language(request.query_params.get("lang") or request.headers.get("accept-language"))


def refuse(message: str, language: str) -> gr.Error:
    """The error that shows `message` to the visitor and leaves no trace in the log."""
    title = texts(language)["error_title"]
    return gr.Error(in_language(message, language), title=title, duration=12, print_exception=False)


WAITING: OrderedDict[str, list[tuple[str, str]]] = OrderedDict()  # by session: warnings that have yet to be shown
MOST_WAITING = 1000  # sessions; the oldest are forgotten


def warn(message: str, language: str) -> None:
    """Show `message`, until it is closed, beside what the page goes on to do.

    Gradio shows warnings in queued events alone: one from another event waits for `tell` in the session's next one.
    """
    text, title = in_language(message, language), texts(language)["warning_title"]
    request = LocalContext.request.get(None)
    session = getattr(request, "session_hash", None)
    if session is None or LocalContext.event_id.get(None) is not None:
        gr.Warning(text, title=title, duration=None)
        return
    WAITING.setdefault(session, []).append((text, title))
    while len(WAITING) > MOST_WAITING:
        WAITING.popitem(last=False)


def tell(request: gr.Request) -> None:
    """Show the warnings that waited for a queued event of this session."""
    for text, title in WAITING.pop(getattr(request, "session_hash", None), ()):
        gr.Warning(text, title=title, duration=None)
