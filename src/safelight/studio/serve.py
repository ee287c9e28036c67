"""Run the studio until it is interrupted."""

import ipaddress
import secrets
import socket
import webbrowser
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from safelight.errors import UsageError
from safelight.studio.app import guarded
from safelight.studio.house import House, open_house
from safelight.studio.settings import StudioSettings

BACKLOG, MOST_CONNECTIONS, IDLE_S = 256, 256, 15


def studio(settings: StudioSettings, tell: Callable[[str], None] = print) -> None:
    """Listen, print the address, and answer. Raises UsageError for an address or a folder that cannot be used."""
    is_own = _is_own(settings.host)
    if not is_own and settings.token is None:
        settings = settings.model_copy(update={"token": secrets.token_urlsafe(24)})
    listening = listen(settings.host, settings.port)
    port = listening.getsockname()[1]
    house = open_house(settings)
    address = f"http://{_in_url(settings.host)}:{port}/" + (
        f"?token={quote(settings.token, safe='')}" if settings.token else ""
    )
    server = server_of(house, hosts_of(settings.host, port) if is_own else [])
    tell(f"Safelight studio: {address}")
    tell("Ctrl-C ends it")
    if settings.open and not webbrowser.open(address):
        tell("no browser is at hand here; open the address yourself")
    try:
        server.run(sockets=[listening])
    finally:
        house.close()


def server_of(house: House, hosts: list[str]) -> uvicorn.Server:
    """Answers those who call it by one of the names; anybody if there are none."""
    return uvicorn.Server(
        uvicorn.Config(
            guarded(house, hosts),
            log_level="error",
            access_log=False,
            http=PatientProtocol,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=2,
            server_header=False,
            lifespan="off",
        )
    )


class PatientProtocol(H11Protocol):
    """Hangs up on a client that neither ends its request nor takes its answer for so long.

    The server's own limit holds between requests only. Without this one, a few silent connections would keep everybody
    else out.
    """

    def connection_made(self, transport: Any) -> None:
        """Begin to look at it."""
        super().connection_made(transport)
        self._look(None)

    def _look(self, before: tuple[int, bool, int] | None) -> None:
        if self.transport.is_closing():
            return
        is_answered = self.cycle is None or self.cycle.response_complete
        to_send = self.transport.get_write_buffer_size()
        now = (id(self.cycle), is_answered, to_send)
        if now == before and (is_answered or to_send):
            self.transport.abort()
            return
        self.loop.call_later(IDLE_S, self._look, now)


def _is_own(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hosts_of(host: str, port: int) -> list[str]:
    """What a browser on this machine calls the studio."""
    return [f"{name}:{port}" for name in sorted({"localhost", "127.0.0.1", "[::1]", _in_url(host)})]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def listen(host: str, port: int) -> socket.socket:
    """Raises UsageError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(found[0], found[1])
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
        listening.listen(BACKLOG)
        return listening
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{host}:{port} cannot be listened on ({why}); choose another --port or --host") from None
