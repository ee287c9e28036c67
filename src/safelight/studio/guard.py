"""Who may ask, how much, and what a browser is told: a layer around the whole application.

Host          must be an address that the studio listens on: a stranger's page cannot reach it by another name
(DNS rebinding)
Origin        of what changes something, and Sec-Fetch-Site of everything under /api, must be the studio itself
token         where one is set: as a cookie, as a bearer token, or once as ?token= of the page
body          at most so many bytes; a part must arrive every few seconds
requests      at most so many at a time
answers       no script but the page's own files, no frames, no guessing of types, errors as one line of JSON
"""

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "safelight-token"
MOST_JSON_BYTES = 1_000_000
MOST_AT_ONCE = 64
"""Requests that are answered at a time."""
WAIT_S = 20.0
"""For the next part of a body."""
DISCARD_S = 2.0
"""How long the rest of a refused body is read."""
UPLOAD_PATH = "/api/pictures"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}


class BodyError(Exception):
    """A body that is too large, or too slow."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Guard:
    """`hosts`: values of the Host header that are answered; any if empty."""

    def __init__(self, app: Application, hosts: Iterable[str], token: str | None, most_upload_bytes: int) -> None:
        self.app, self.hosts, self.token = app, frozenset(hosts), token
        self.most_upload_bytes = most_upload_bytes
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        is_there = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        most = self.most_upload_bytes if scope["path"] == UPLOAD_PATH else MOST_JSON_BYTES
        body = _Body(receive, most, is_there)
        answer = _Answer(send, body)
        refusal = self._refusal(scope, headers)
        if refusal:
            await answer.error(*refusal)
            return
        if self.token and _asked_token(scope):
            await answer.redirect_with(self.token)
            return
        if self._at_once >= MOST_AT_ONCE:
            await answer.error(503, f"{MOST_AT_ONCE} requests are being answered; try again in a moment")
            return
        self._at_once += 1
        try:
            await self._pass_on(scope, body, headers.get("content-length"), answer)
        finally:
            self._at_once -= 1

    async def _pass_on(self, scope: Scope, body: "_Body", length: str | None, answer: "_Answer") -> None:
        """To the application, with a body that is counted and timed."""

        async def checked_send(message: Message) -> None:
            if body.error is None:
                await answer.send(message)

        try:
            body.check_length(length)
            await self.app(scope, body.receive, checked_send)
        except BodyError:
            pass
        except Exception:
            await answer.error(500, "internal error; the terminal that the studio runs in says more")
            raise
        if body.error is not None:  # whatever the application made of it
            await answer.error(body.error.status, str(body.error))

    def _refusal(self, scope: Scope, headers: MutableMapping[str, str]) -> tuple[int, str] | None:
        """Status and words for a request that is not answered."""
        host = headers.get("host", "")
        if self.hosts and host not in self.hosts:
            return 403, "this address is not the studio's; open the address that it printed"
        origin = headers.get("origin")
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "the request comes from another site; use the studio's own page"
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if foreign and (changes or scope["path"].startswith("/api/")):
            return 403, "the request comes from another site; use the studio's own page"
        if self.token and not self._knows_token(scope, headers):
            return 401, "a token is needed; open the address that the studio printed, with its token"
        return None

    def _knows_token(self, scope: Scope, headers: MutableMapping[str, str]) -> bool:
        assert self.token is not None
        given = [_asked_token(scope) or "", headers.get("authorization", "").removeprefix("Bearer ")]
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        if COOKIE in cookies:
            given.append(cookies[COOKIE].value)
        return sum(hmac.compare_digest(one.encode(), self.token.encode()) for one in given) > 0


def _asked_token(scope: Scope) -> str | None:
    """?token= of the page itself."""
    if scope["path"] != "/":
        return None
    given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
    return given[0] if given else None


class _Body:
    """What arrives, counted and timed."""

    def __init__(self, receive: Receive, most_bytes: int, is_there: bool) -> None:
        self._receive, self._most, self._seen = receive, most_bytes, 0
        self._ended = not is_there
        self.error: BodyError | None = None

    def check_length(self, told: str | None) -> None:
        """Raises BodyError for a length that is too large, or none."""
        if told is None:
            return
        if not told.isdigit():
            raise self._failed(400, "the length of the request is no number")
        if len(told) > 15 or int(told) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """As the server's; waits for a body for some seconds only."""
        if self._ended:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), WAIT_S)
        except TimeoutError:
            self._ended = True
            raise self._failed(408, f"nothing arrived for {WAIT_S:.0f} seconds; send it again") from None
        self._seen += len(message.get("body", b""))
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        if self._seen > self._most:
            raise self._too_large()
        return message

    async def discard(self) -> None:
        """The rest, for a short while: a client that is cut off while it sends does not read why."""
        limit = time.monotonic() + DISCARD_S
        while not self._ended and time.monotonic() < limit:
            try:
                message = await asyncio.wait_for(self._receive(), limit - time.monotonic())
            except TimeoutError:
                return
            self._ended = message["type"] != "http.request" or not message.get("more_body", False)

    def _too_large(self) -> BodyError:
        return self._failed(413, f"more than {self._most / 1e6:g} MB in one request")

    def _failed(self, status: int, words: str) -> BodyError:
        self.error = BodyError(status, words)
        return self.error


class _Answer:
    """What is sent, with the headers that every answer has."""

    def __init__(self, send: Send, body: _Body) -> None:
        self._send, self._body, self._begun = send, body, False

    async def send(self, message: Message) -> None:
        """As the server's."""
        if message["type"] == "http.response.start":
            self._begun = True
            await self._body.discard()
            known = {name.lower() for name, _ in message["headers"]}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in known]
            message = {**message, "headers": [*message["headers"], *more]}
        await self._send(message)

    async def error(self, status: int, words: str) -> None:
        """One line; nothing if an answer has begun."""
        if self._begun:
            return
        body = json.dumps({"error": words}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send(
            {"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]}
        )
        await self.send({"type": "http.response.body", "body": body})

    async def redirect_with(self, token: str) -> None:
        """To the page without the token in its address, which is kept as a cookie."""
        cookie = f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
        await self.send({"type": "http.response.start", "status": 303, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})
