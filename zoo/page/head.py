"""Puts a script at the top of the served page: `launch(head=...)` adds one only after Gradio has begun.

Pure ASGI, so that nothing else that the server sends is touched or held back.
"""

from collections.abc import Awaitable, Callable


class HeadFirst:
    """ASGI middleware: `content` follows `<head>` in the page that GET / answers with."""

    def __init__(self, app: Callable[..., Awaitable], content: str):
        self.app, self.content = app, content.encode()

    async def __call__(self, scope, receive, send):
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].removeprefix("/") != "":
            return await self.app(scope, receive, send)
        start, parts = None, []

        async def held(message):
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = b"".join(parts)
                    body = body.replace(b"<head>", b"<head>" + self.content, 1)
                    kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
                    await send(start | {"headers": [*kept, (b"content-length", str(len(body)).encode())]})
                    await send({"type": "http.response.body", "body": body})

        return await self.app(scope, receive, held)
