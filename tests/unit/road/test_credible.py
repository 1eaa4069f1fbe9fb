# SPDX-License-Identifier: Apache-2.0
"""What do we take for a service's success, and what for something broken in its place?"""

import pytest

from tricircle.errors import AddressTooLongError, BodyTooLargeError, OutcomeUnknownError, UnavailableError
from tricircle.road.credible import believed
from tricircle.upstream.reply import Reply


def reply(kind: str, body: bytes, *, etag: bytes = b"") -> Reply:
    headers = [(b"content-type", kind.encode())] + ([(b"etag", etag)] if etag else [])
    return Reply(status=200, headers=headers, body=body)


def test_json_with_an_etag_is_believed_whatever_it_is_called() -> None:
    """Cinder calls a volume's metadata so, from 3.15 on."""
    said = reply("text/html; charset=UTF-8", b'{"metadata": {}}', etag=b"d41d8cd98f00b204e9800998ecf8427e")
    assert believed(said, "GET") is said
    with pytest.raises(UnavailableError):
        believed(reply("text/html", b'{"metadata": {}}'), "GET")


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b'{"metadata": ', b"{ not json }", b"[]"])
def test_pages_are_not(body: bytes) -> None:
    with pytest.raises(UnavailableError):
        believed(reply("text/html", body, etag=b"x"), "GET")
    with pytest.raises(OutcomeUnknownError):
        believed(reply("text/html", body), "POST")


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [("GET", 404, UnavailableError), ("DELETE", 404, UnavailableError), ("POST", 403, UnavailableError),
     ("POST", 413, BodyTooLargeError), ("GET", 413, UnavailableError), ("GET", 414, AddressTooLongError),
     ("POST", 414, AddressTooLongError)],
)  # fmt: skip
def test_a_refusal_by_a_page_is_no_refusal(method: str, status: int, error: type[Exception]) -> None:
    """Whatever stands before a service has not asked it: nothing was done, and nothing is known to be gone."""
    page = f"<html><body><h1>{status}</h1>balancer-7.internal</body></html>".encode()
    with pytest.raises(error) as caught:
        believed(Reply(status=status, headers=[(b"content-type", b"text/html")], body=page), method)
    assert "balancer" not in str(caught.value)
