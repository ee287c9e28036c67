"""A real S3 server on loopback (moto's), which refuses some requests as a busy one does."""

import random
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3(refused_share: float = 0.0, seed: int = 0) -> Iterator[list[str]]:
    """A bucket `bucket`; the environment of this process leads to it. Yields what was refused, as it happens."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    import fsspec
    from werkzeug.serving import make_server

    answer, lot, refused = moto.DomainDispatcherApplication(moto.create_backend_app), random.Random(seed), []

    def at_times(environ, start_response):
        if lot.random() < refused_share:
            refused.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]
        return answer(environ, start_response)

    server = make_server("127.0.0.1", 0, at_times, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.setenv(name, "testing")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            fsspec.filesystem("s3").clear_instance_cache()
            share, refused_share = refused_share, 0.0
            address = f"http://127.0.0.1:{server.server_port}/moto-api/reset"
            urllib.request.urlopen(urllib.request.Request(address, method="POST")).close()
            fsspec.filesystem("s3", use_listings_cache=False).mkdir("bucket")
            refused_share = share
            yield refused
    finally:
        fsspec.filesystem("s3").clear_instance_cache()
        server.shutdown()
        thread.join()
