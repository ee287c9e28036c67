"""Requests that mean harm are refused in one line, and the studio goes on."""

import contextlib
import http.client
import socket
import time

import pytest

from safelight.studio import guard
from tests.studio.studio_support import served


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("state"), max_upload_mb=1, max_megapixels=1.0) as one:
        yield one


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", ""])
def test_another_host_is_refused(server, host):
    answer = server.ask("/api/about", headers={"Host": host})
    assert answer.status in (400, 403)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_another_origin_changes_nothing(server, origin):
    answer = server.ask("/api/pictures?name=a.png", "POST", b"x", {"Origin": origin})
    assert answer.status == 403 and "another site" in answer.json["error"]
    assert server.ask("/api/about", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert server.ask("/api/pictures?name=a.png", "POST", b"x", {"Origin": server.address}).status == 422


def test_every_answer_has_the_headers(server):
    for path in ("/", "/api/about", "/api/none", "/none", "/api/pictures/0000000000000000"):
        answer = server.ask(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


def test_uploads_are_bounded(server):
    assert server.ask("/api/pictures?name=a.png", "POST", b"x" * 1_100_000).status == 413
    assert server.ask("/api/jobs/enhance", "POST", b"{" * 1_100_000, {"content-type": "application/json"}).status == 413

    def parts():
        for _ in range(40):
            yield b"x" * 50_000

    with contextlib.closing(http.client.HTTPConnection(server.address.removeprefix("http://"))) as connection:
        try:
            connection.request(
                "POST", "/api/pictures?name=a.png", parts(), {"Transfer-Encoding": "chunked"}, encode_chunked=True
            )
            assert connection.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has hung up before all was sent
    assert server.ask("/api/pictures").json == []


def test_slow_clients_are_left(server, monkeypatch):
    monkeypatch.setattr(guard, "WAIT_S", 0.3)
    with socket.create_connection(tuple(server.address.removeprefix("http://").split(":"))) as client:
        host = server.address.removeprefix("http://")
        client.sendall(
            f"POST /api/pictures?name=a.png HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nabc".encode()
        )
        began = time.monotonic()
        assert b"408" in client.recv(1000)
        assert time.monotonic() - began < 5
    assert server.ask("/api/pictures").json == []


def test_a_token_is_needed_where_one_is_set(tmp_path):
    with served(tmp_path, token="a-secret-of-some-length") as server:
        assert server.ask("/api/about").status == 401
        for wrong in ("", "a", "a-secret-of-some-lengtH", "a-secret-of-some-length2"):
            assert server.ask("/api/about", headers={"Authorization": f"Bearer {wrong}"}).status == 401
        assert server.ask("/api/about", headers={"Authorization": "Bearer a-secret-of-some-length"}).status == 200
        assert server.ask("/api/about", headers={"Cookie": "safelight-token=a-secret-of-some-length"}).status == 200
        assert server.ask("/api/about?token=a-secret-of-some-length").status == 401
        answer = server.raw("/?token=a-secret-of-some-length")
        cookie = answer.headers["set-cookie"]
        assert answer.status == 303 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert server.ask("/", headers={"Cookie": cookie.split(";")[0]}).status == 200


HOSTILE_PATHS = [
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "/api/pictures/..%2f..",
    "/api/pictures/%00",
    "/api/jobs/../../x",
    "/api/jobs/0000000000000000/files/..%2f..%2fjob.json",
    "/api/models/card?model=../../../etc",
    "/api/models/card?model=/etc",
    "/api/pictures/" + "a" * 5000,
    "/" + "a" * 20000,
    "/style.css/../../../app.py",
    "//etc/passwd",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_paths_lead_to_no_file(server, path):
    answer = server.raw(path)
    assert 400 <= answer.status < 500 and b"root:" not in answer.body and b"import" not in answer.body
