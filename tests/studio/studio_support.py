"""A studio on a free port of this machine, in a thread or in a process of its own."""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("fastapi", reason="the studio's extra is not installed")


from safelight.studio.house import House, open_house
from safelight.studio.serve import hosts_of, listen, server_of
from safelight.studio.settings import StudioSettings


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server(NamedTuple):
    address: str
    house: House | None

    def ask(self, path: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if isinstance(body, bytes) or body is None else {"content-type": "application/json"}
        request = urllib.request.Request(self.address + path, data, {**kind, **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.headers.items()})
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), {k.lower(): v for k, v in error.headers.items()})

    def raw(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """A path as it is, without a library that mends it; redirections are not followed."""
        with contextlib.closing(http.client.HTTPConnection(self.address.removeprefix("http://"))) as connection:
            connection.putrequest("GET", path)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()})

    def drop(self, data: bytes, name: str) -> str:
        answer = self.ask(f"/api/pictures?name={urllib.request.quote(name)}", "POST", data)
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def ended(self, job: str, seconds: float = 60) -> Any:
        """The job's state after its end."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            state = self.ask(f"/api/jobs/{job}").json
            if state["state"] not in ("waiting", "running"):
                return state
            time.sleep(0.05)
        raise AssertionError(f"job {job} does not end")


@contextlib.contextmanager
def served(state: Path, folder: Path | None = None, **options: Any) -> Iterator[Server]:
    """In a thread of this process."""
    settings = StudioSettings(folder=folder, state=state, port=0, **options)
    house, listening = open_house(settings), listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = server_of(house, hosts_of("127.0.0.1", port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{port}", house)
    finally:
        server.should_exit = True
        thread.join()
        house.close()
        listening.close()


@contextlib.contextmanager
def running(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], Server]]:
    """As a person starts it: the process, and where it listens."""
    command = [sys.executable, "-m", "safelight", "studio", "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split(": ", 1)[1].strip()
            yield process, Server(address.split("?")[0].rstrip("/"), None)
        finally:
            process.kill()
