"""200 requests that mean harm, by a seed, while a batch runs: each is refused, and the batch goes on."""

import contextlib
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from safelight import Picture, randomness, write
from tests.studio.studio_support import Server, running
from tests.support import BUNDLES

pytestmark = pytest.mark.slow
COUNT, SEED = 200, 0
CONNECTIONS = 300
MOST_BYTES = 1_500_000_000
REFUSALS = {400, 403, 404, 405, 408, 411, 413, 414, 422, 429, 431, 501, 503, 507}
Rng = np.random.Generator
PATHS = ("/", "/api/about", "/api/pictures", "/api/models/card?model=photo", "/api/jobs")
UP = ("../", "..%2f", "%2e%2e/", "..\\", "..%5c", "%252e%252e%252f", "....//", "%00/")
LEADING = ("/", "/api/pictures/", "/api/jobs/0123456789abcdef/files/", "/api/sets/picture?dataset=", "/page/")


def request(path: str, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """As it stands on the wire. A header without a value is left out."""
    given = {"Host": "HOST", "Content-Length": str(len(body)) if body else "", "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def traversal(rng: Rng) -> bytes:
    up = str(rng.choice(UP)) * int(rng.integers(1, 12))
    return request(f"{rng.choice(LEADING)}{up}{rng.choice(['etc/passwd', 'job.json', 'app.py'])}")


def wrong_host(rng: Rng) -> bytes:
    names = ["evil.example", "127.0.0.1", "localhost:80", "a" * 3000, "HOST.evil.example", "HOST, evil.example"]
    return request(str(rng.choice(PATHS)), Host=str(rng.choice(names)))


def forged_origin(rng: Rng) -> bytes:
    origins = ["http://evil.example", "null", "http://127.0.0.1", "file://", "http://HOST.evil.example"]
    path = str(rng.choice(["/api/pictures?name=a.png", "/api/jobs/enhance", "/api/jobs/0123456789abcdef/cancel"]))
    if rng.random() < 0.3:
        return request("/api/jobs", Sec_Fetch_Site="cross-site")
    return request(path, "POST", b"{}", Origin=str(rng.choice(origins)), Content_Type="application/json")


def bomb(rng: Rng) -> bytes:
    """A small PNG that says it is huge, or is: zeros shrink a thousand times."""
    side = int(rng.choice([12_000, 30_000, 2**31 - 1]))
    rows = zlib.compress(bytes(20_000_000), 9)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )
    return request("/api/pictures?name=bomb.png", "POST", data)


def wrong_name(rng: Rng) -> bytes:
    names = ["a" * 900, "a%2f" * 200, "..%2fa.png", ".hidden", "%00", "/etc/passwd", "a%0d%0aX: y", "%ed%a0%80", ""]
    return request(f"/api/pictures?name={rng.choice(names)}", "POST", b"no picture")


def no_picture(rng: Rng) -> bytes:
    return request("/api/pictures?name=a.png", "POST", rng.bytes(int(rng.integers(1, 5000))))


def truncated(rng: Rng) -> bytes:
    whole = request("/api/pictures?name=a.png", "POST", b"x" * 1000, Content_Length=str(rng.integers(2000, 2**40)))
    return whole[: int(rng.integers(10, len(whole)))]


def not_http(rng: Rng) -> bytes:
    kinds = [
        rng.bytes(300),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
        request("/api/about", X="y" * 100_000),
        b"POST /api/jobs/enhance HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
        b"POST /api/jobs/enhance HTTP/1.1\r\nHost: HOST\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/jobs/enhance HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        request("/api/about", "BREW"),
        request("/api/about", Cookie="a=\x01;=;;safelight-token"),
    ]
    return kinds[int(rng.integers(len(kinds) - 1))]  # the last one is no harm


def wrong_order(rng: Rng) -> bytes:
    paths = ["enhance", "compress", "augment", "verdict", "train"]
    bodies = [
        b"{",
        b"[" * 50_000,
        b'{"pictures": ' + b"9" * 10_000 + b"}",
        json.dumps({"pictures": ["../../etc/passwd"] * 5}).encode(),
        json.dumps({"pictures": ["0" * 16], "settings": {"seed": 1e300}}).encode(),
        json.dumps({"dataset": "../..", "recipe": {"steps": [{"op": "x" * 100}]}, "output": "/etc/x"}).encode(),
        json.dumps({"recipe": "/etc/passwd", "run": "../../x", "minutes": -1}).encode(),
        b'{"pictures": null, "pictures": {}}',
        b"\xff\xfe\x00",
        b"x" * 1_100_000,
    ]
    body = bodies[int(rng.integers(len(bodies)))]
    return request(f"/api/jobs/{rng.choice(paths)}", "POST", body, Content_Type="application/json")


KINDS: tuple[Callable[[Rng], bytes], ...] = (
    traversal,
    wrong_host,
    forged_origin,
    bomb,
    wrong_name,
    no_picture,
    truncated,
    not_http,
    wrong_order,
)


def sent(server: Server, data: bytes, ends: bool) -> tuple[int | None, bytes]:
    """Status and body; no status if the server hung up. A client that `ends` leaves its request unfinished."""
    host = server.address.removeprefix("http://")
    with socket.create_connection(tuple(host.split(":")), timeout=30) as client:
        with contextlib.suppress(OSError):  # it may refuse before all has been sent
            client.sendall(data.replace(b"HOST", host.encode()))
            if ends:
                client.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := client.recv(65536):
                answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else None), body


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
    (tmp_path / "folder").mkdir()
    arguments = (tmp_path / "folder", "--state", tmp_path / "state", "--max-megapixels", 50)
    with running(*arguments) as (process, server):
        yield process, server


def begun_batch(server: Server, folder: Path, rng: Rng) -> str:
    ids = []
    for k in range(8):
        write(Picture(rng.integers(0, 256, (500, 500, 3), dtype=np.uint8)), folder / f"{k}.png")
        ids.append(server.drop((folder / f"{k}.png").read_bytes(), f"{k}.png"))
    order = {"pictures": ids, "model": "restore", "settings": {"samples": 2}}
    return str(server.ask("/api/jobs/enhance", "POST", order).json["id"])


def highest_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_each_is_refused_and_the_batch_goes_on(studio, tmp_path, rng):
    process, server = studio
    job = begun_batch(server, tmp_path, rng)
    for number in range(COUNT):
        make = KINDS[number % len(KINDS)]
        may_end = make in (truncated, not_http)
        status, body = sent(server, make(randomness.generator(SEED, "request", number)), may_end)
        told = f"{make.__name__} {number}: {status} {body[:300]!r}"
        assert status in REFUSALS or (status is None and may_end), told
        assert b"\n" not in body.strip() and b"Traceback" not in body and str(tmp_path).encode() not in body, told
    assert server.ended(job)["state"] == "done"
    assert len(server.ask("/api/pictures").json) == 8 and not [*(tmp_path / "folder").iterdir()]
    assert highest_memory(process.pid) < MOST_BYTES


def test_floods_do_not_keep_others_out(studio, tmp_path, rng):
    """Silent clients, and more orders than the queue takes."""
    process, server = studio
    job = begun_batch(server, tmp_path, rng)
    host, port = server.address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as clients:
        for k in range(CONNECTIONS):
            client = clients.enter_context(socket.create_connection((host, port)))
            client.sendall(b"GET / HTTP/1.1\r\nHost: " if k % 2 else b"POST /api/pictures?name=a.png HTTP/1.1\r\n")
        limit = time.monotonic() + 60
        while server.ask("/api/about").status != 200:  # until the silent ones have been left
            assert time.monotonic() < limit
            time.sleep(0.5)
    picture = server.ask("/api/pictures").json[0]["id"]
    order = {"pictures": [picture], "model": "restore"}
    statuses = [server.ask("/api/jobs/enhance", "POST", order).status for _ in range(40)]
    assert set(statuses) <= {202, 429}
    assert server.ended(job)["state"] == "done"
    assert highest_memory(process.pid) < MOST_BYTES
