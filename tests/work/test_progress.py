"""One kind of callback, and one way to cancel."""

import pytest

from safelight.work import Cancelled, Progress, silent


def test_cancelling_is_no_error_of_one_file():
    assert not issubclass(Cancelled, Exception)
    with pytest.raises(Cancelled):
        try:
            raise Cancelled
        except Exception:
            pytest.fail("a handler of errors has swallowed it")


def test_the_silent_callback_says_nothing(capsys):
    assert silent(Progress(1, 2, "a.jpg")) is None
    assert capsys.readouterr() == ("", "")
