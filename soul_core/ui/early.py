"""Puts a script before all others into the page that is served. It knows no script and no page."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = b"<head>"


class EarlyScript:
    """Middleware: every HTML page gets a tag right behind ``<head>``.

    Gradio adds a page's own scripts only once its own have run, which by then hold the functions that they found.
    """

    def __init__(self, app: ASGIApp, *, tag: str) -> None:
        self._app = app
        self._tag = tag.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def put(message: Message) -> None:
            if message["type"] == "http.response.start" and _header(message, b"content-type").startswith(b"text/html"):
                # Its length is known only with the first part of the body, which has the head in it.
                held.append(message)
                return
            if held and message["type"] == "http.response.body":
                body = message.get("body", b"")
                changed = body.replace(HEAD, HEAD + self._tag, 1)
                await send(_longer(held.pop(), len(changed) - len(body)))
                message = {**message, "body": changed}
            await send(message)

        await self._app(scope, receive, put)


def _header(message: Message, name: bytes) -> bytes:
    found: bytes = next((value for key, value in message["headers"] if key.lower() == name), b"")
    return found


def _longer(message: Message, more: int) -> Message:
    length = b"content-length"
    headers = [
        (key, str(int(value) + more).encode()) if key.lower() == length else (key, value)
        for key, value in message["headers"]
    ]
    return {**message, "headers": headers}
