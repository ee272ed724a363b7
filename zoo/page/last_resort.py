"""What failed in a way that nobody foresaw: whoever asked gets a sentence, and the log one line without what they sent.

Gradio answers {"error": null} in its place, and prints a traceback whose message may hold a visitor's paths.
"""

import json
import logging
import traceback
from pathlib import Path

import gradio as gr

from zoo.page.refusal import language_of, refuse
from zoo.text import Message

logger = logging.getLogger("zoo")


def note(error: Exception) -> None:
    """Log what failed and where, not what it says: that may be a visitor's. `logging.DEBUG` shows all of it."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = ", ".join(f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in last)
    logger.error("A request failed: %s, %s", type(error).__name__, where)
    logger.debug("It said:", exc_info=error)


class WordedBlocks(gr.Blocks):
    """Gradio's, whose events and endpoints fail in words alone."""

    async def process_api(self, *args, **options):
        """As Gradio's; raises gr.Error with a sentence in place of anything unforeseen."""
        try:
            return await super().process_api(*args, **options)
        except gr.Error:
            raise
        except Exception as error:
            note(error)
            raise refuse(Message("error_unexpected"), language_of(options.get("request"))) from None


class WordedAnswers:
    """ASGI middleware: a request that fails before its answer begins is answered in words, a later one just ends."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        """Pass everything on; an unknown endpoint, event or session is the client's mistake (404)."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = False

        async def watched(message):
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            note(error)
            body = b""
            if not begun:
                unknown = isinstance(error, LookupError) or type(error).__name__ == "FnIndexInferError"
                key, status = ("error_no_endpoint", 404) if unknown else ("error_unexpected", 500)
                body = json.dumps({"detail": str(Message(key))}).encode()
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
