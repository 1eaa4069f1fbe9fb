# SPDX-License-Identifier: Apache-2.0
"""Are refusals of services told from those of what stands before them?"""

import json

import pytest
import webob
import webob.exc

from tricircle.upstream.refusal import is_services_own
from tricircle.upstream.reply import Reply

#: As the programs write them, with their line ends.
PAGES = {
    "nginx": (
        "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    ),
    "Apache": (
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'
        "<html><head>\n<title>404 Not Found</title>\n</head><body>\n"
        "<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n<hr>\n"
        "<address>Apache/2.4 Server at pod2.internal Port 8774</address>\n</body></html>\n"
    ),
    "HAProxy": "<html><body><h1>404 Not Found</h1>\nThe resource could not be found.\n</body></html>\n",
    "Traefik": "404 page not found\n",
    "nothing": "",
    "Kong": json.dumps({"message": "no Route matched with those values"}),
    "paste": "<html>\n<head><title>Not Found</title></head>\n<body>\n<h1>Not Found</h1>\n<p>/v2.1</p></body></html>",
    "half": '{"itemNotFound": {"code": 404, "mess',
}
FAULTS: tuple[tuple[int, dict[str, object]], ...] = (
    (404, {"itemNotFound": {"code": 404, "message": "Instance x could not be found."}}),
    (404, {"NeutronError": {"type": "PortNotFound", "message": "Port x could not be found.", "detail": ""}}),
    (403, {"error": {"code": 403, "message": "You are not authorized.", "title": "Forbidden"}}),
    (404, {"errors": [{"status": 404, "title": "Not Found", "detail": "No resource provider."}]}),
    (404, {"message": "The resource could not be found.<br /><br />", "code": "404 Not Found", "title": "Not Found"}),
)


def _reply(status: int, body: bytes, kind: str) -> Reply:
    return Reply(status=status, headers=[(b"content-type", kind.encode())], body=body)


@pytest.mark.parametrize("program", PAGES)
def test_what_stands_before_a_service(program: str) -> None:
    text = PAGES[program]
    kind = "application/json" if text.startswith("{") else "text/html"
    assert not is_services_own(_reply(404, text.encode(), kind), "GET")


@pytest.mark.parametrize(("status", "fault"), FAULTS)
def test_a_services_fault(status: int, fault: dict[str, object]) -> None:
    assert is_services_own(_reply(status, json.dumps(fault).encode(), "application/json; charset=UTF-8"), "DELETE")


@pytest.mark.parametrize("accept", ["application/json", "text/html", "text/plain"])
@pytest.mark.parametrize(
    "error", [webob.exc.HTTPNotFound, webob.exc.HTTPRequestEntityTooLarge, webob.exc.HTTPBadRequest]
)
def test_what_a_service_says_by_webob(error: type[webob.exc.HTTPError], accept: str) -> None:
    answer = webob.Request.blank("/v2.1/nowhere", accept=accept).get_response(error())
    assert is_services_own(_reply(answer.status_code, answer.body, answer.content_type), "GET")
    # The status is not that of the page: somebody put it there.
    if accept != "application/json":
        assert not is_services_own(_reply(409, answer.body, answer.content_type), "GET")


@pytest.mark.parametrize(
    "body", [r'{"badRequest": {"code": 400, "message": "\ud800 is no object"}}', '{"m": {"message": "é"}}']
)
def test_a_fault_that_repeats_what_the_caller_sent(body: str) -> None:
    """Half of a surrogate pair is no text, and Nova repeats it all the same."""
    assert is_services_own(_reply(400, body.encode(), "application/json"), "PUT")


@pytest.mark.parametrize("body", ["[" * 100_000, "[]", "1", '{"badRequest": {"code"', ""])
def test_what_is_no_fault(body: str) -> None:
    assert not is_services_own(_reply(400, body.encode(), "application/json"), "PUT")


def test_no_body_is_an_answer_to_head_only() -> None:
    assert is_services_own(_reply(404, b"", "application/json"), "HEAD")
    assert not is_services_own(_reply(404, b"", "application/json"), "GET")


@pytest.mark.parametrize("method", ["PUT", "POST", "GET"])
def test_an_outdated_mark_is_refused_without_a_word(method: str) -> None:
    """So says Cinder of an ``If-Match``."""
    assert is_services_own(_reply(412, b"", "text/html; charset=UTF-8"), method)
    assert not is_services_own(_reply(412, b"<html>nginx</html>", "text/html"), method)


def test_a_token_that_is_refused() -> None:
    challenge = (b"www-authenticate", b'Keystone uri="https://keystone"')
    assert is_services_own(Reply(status=401, headers=[challenge], body=b"Authentication required"), "GET")
    assert not is_services_own(_reply(401, b"Authorization required", "text/html"), "GET")
