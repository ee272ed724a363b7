"""Security headers of every answer of the page."""

import os

HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin"}
HUB_FRAMES = " https://huggingface.co https://*.hf.space"  # a Space is shown inside a page of the Hub


class SecurityHeaders:
    """ASGI middleware that adds `HEADERS`, and who may frame the page, to each answer that does not say so itself."""

    def __init__(self, app):
        self.app = app
        frames = "frame-ancestors 'self'" + (HUB_FRAMES if "SPACE_ID" in os.environ else "")
        headers = HEADERS | {"content-security-policy": frames}
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope, receive, send):
        """Pass everything on, and the headers with the start of an answer."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in self.headers if pair[0] not in there)]
            await send(message)

        return await self.app(scope, receive, send_with_headers)
