# SPDX-License-Identifier: Apache-2.0
"""Errors look as the services' own do: the expected bytes below are what real services sent."""

import json

import pytest

from tricircle import errors
from tricircle.http.dialects import Dialect, page
from tricircle.http.faults import answer_to, fault_of

URI = "https://cloud.example.org/identity"

REAL = [
    (Dialect.COMPUTE, 404, None, '{"itemNotFound": {"code": 404, "message": "Flavor zzz could not be found."}}'),
    (
        Dialect.BLOCK_STORAGE,
        404,
        None,
        '{"itemNotFound": {"code": 404, "message": "Volume type zzz could not be found."}}',
    ),
    (
        Dialect.COMPUTE,
        406,
        None,
        '{"computeFault": {"code": 406, "message": "Version 2.999 is not supported by the API."}}',
    ),
    (Dialect.COMPUTE, 400, None, '{"badRequest": {"code": 400, "message": "Malformed request body"}}'),
    (
        Dialect.NETWORK,
        404,
        "NetworkNotFound",
        '{"NeutronError": {"type": "NetworkNotFound", "message": "Network zzz could not be found.", "detail": ""}}',
    ),
    (
        Dialect.NETWORK,
        400,
        None,
        '{"NeutronError": {"type": "HTTPBadRequest", "message": "Body contains invalid data", "detail": ""}}',
    ),
    (
        Dialect.IDENTITY,
        403,
        None,
        '{"error":{"code":403,"message":"You are not authorized to perform this.","title":"Forbidden"}}',
    ),
    (Dialect.ADMIN, 404, None, '{"itemNotFound": {"message": "Pod not found", "code": 404}}'),
]


@pytest.mark.parametrize(("dialect", "status", "error_type", "real"), REAL)
def test_json_errors_are_those_of_the_services(
    dialect: Dialect, status: int, error_type: str | None, real: str
) -> None:
    (inner,) = json.loads(real).values()
    answer = dialect.render(status, inner["message"], error_type=error_type)
    assert answer.status == status
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == json.loads(real)
    assert list(next(iter(json.loads(answer.body).values()))) == list(inner)
    assert answer.header(b"content-type") == b"application/json"


def test_pages_are_those_of_the_services() -> None:
    message = "No image found with ID zzz"
    shown = page(404, message)
    assert shown.body == (
        b"<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n"
        b"  No image found with ID zzz<br /><br />\n\n\n\n </body>\n</html>"
    )
    assert len(shown.body) == 148
    assert shown.header(b"content-type") == b"text/html; charset=UTF-8"
    structured = page(404, message, accept=b"application/json")
    assert isinstance(structured.body, bytes)
    assert json.loads(structured.body) == {
        "message": "No image found with ID zzz<br /><br />\n\n\n",
        "code": "404 Not Found",
        "title": "Not Found",
    }
    assert page(404, message, accept=b"text/plain").body == b"404 Not Found\n\nNo image found with ID zzz\n\n   \n"
    assert b"<script>" not in bytes(page(404, "<script>").body)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_without_a_token_everybody_is_sent_to_our_identity_door(dialect: Dialect) -> None:
    answer = answer_to(errors.UnauthorizedError("x"), dialect, identity_uri=URI)
    assert answer.status == 401
    assert answer.header(b"www-authenticate") == f'Keystone uri="{URI}"'.encode()
    assert isinstance(answer.body, bytes)
    if dialect is Dialect.IMAGE:
        assert len(answer.body) == 358
    else:
        message = "The request you have made requires authentication."
        assert json.loads(answer.body) == {"error": {"code": 401, "title": "Unauthorized", "message": message}}


@pytest.mark.parametrize(
    ("dialect", "error", "status"),
    [
        (Dialect.COMPUTE, errors.InvalidRequestError("x"), 400),
        (Dialect.COMPUTE, errors.UnprocessableError("x"), 400),
        (Dialect.ADMIN, errors.UnprocessableError("x"), 422),
        (Dialect.COMPUTE, errors.ForbiddenError("x"), 403),
        (Dialect.COMPUTE, errors.NotFoundError("x"), 404),
        (Dialect.NETWORK, errors.MethodNotAllowedError("x", ("GET",)), 405),
        (Dialect.COMPUTE, errors.MethodNotAllowedError("x", ("GET",)), 404),
        (Dialect.COMPUTE, errors.NotAcceptableError("x"), 406),
        (Dialect.COMPUTE, errors.ConflictError("x"), 409),
        (Dialect.COMPUTE, errors.BodyTooLargeError("x"), 413),
        (Dialect.COMPUTE, errors.QuotaExceededError("x"), 403),
        (Dialect.BLOCK_STORAGE, errors.QuotaExceededError("x"), 413),
        (Dialect.NETWORK, errors.QuotaExceededError("x"), 409),
        (Dialect.COMPUTE, errors.NotImplementedByUsError("x"), 501),
        (Dialect.COMPUTE, errors.BadUpstreamAnswerError("x"), 502),
        (Dialect.COMPUTE, errors.OutcomeUnknownError("x"), 504),
        (Dialect.COMPUTE, errors.LeaseLostError("x"), 503),
        (Dialect.COMPUTE, errors.TricircleError("x"), 500),
        (Dialect.COMPUTE, KeyError("secret"), 500),
    ],
)
def test_every_error_has_its_status(dialect: Dialect, error: Exception, status: int) -> None:
    answer = answer_to(error, dialect, identity_uri=URI)
    assert answer.status == status
    assert b"secret" not in bytes(answer.body)  # type: ignore[arg-type]


def test_every_class_of_errors_is_mapped() -> None:
    ours = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TricircleError)
    }
    for kind in ours - {errors.TricircleError, errors.SettingsError, errors.RetryLaterError}:
        # Made without its own arguments: the map looks at the class, and at facts that only some classes have.
        error = kind.__new__(kind)
        errors.TricircleError.__init__(error, "x")
        vars(error).setdefault("retry_after_s", 1)
        vars(error).setdefault("allowed", ())
        vars(error).setdefault("status", 400)
        assert fault_of(error, Dialect.COMPUTE).status != 500, kind


def test_only_what_was_not_sent_may_be_tried_again() -> None:
    later = answer_to(errors.UnavailableError("x", retry_after_s=7), Dialect.COMPUTE, identity_uri=URI)
    assert (later.status, later.header(b"retry-after")) == (503, b"7")
    unknown = answer_to(errors.OutcomeUnknownError("x"), Dialect.COMPUTE, identity_uri=URI)
    assert (unknown.status, unknown.header(b"retry-after")) == (504, None)


def test_what_our_service_user_lacks_is_told_to_operators_only() -> None:
    error = errors.ServiceUserError("The service user has no role 'admin'")
    answer = answer_to(error, Dialect.COMPUTE, identity_uri=URI)
    assert (answer.status, answer.header(b"retry-after")) == (503, b"10")
    assert b"role" not in bytes(answer.body)  # type: ignore[arg-type]
    assert b"no role 'admin'" in bytes(answer_to(error, Dialect.ADMIN, identity_uri=URI).body)  # type: ignore[arg-type]
    assert fault_of(error, Dialect.COMPUTE).code == "service_user.no_admin"


def test_who_says_that_a_service_is_away_is_believed() -> None:
    error = errors.UpstreamStatusError(503, "No server is available in Pod1.", "Pod1/compute")
    answer = answer_to(error, Dialect.COMPUTE, identity_uri=URI)
    assert (answer.status, answer.header(b"retry-after")) == (503, b"10")
    assert b"Pod1" not in bytes(answer.body)  # type: ignore[arg-type]
    assert answer_to(error, Dialect.ADMIN, identity_uri=URI).status == 502


def test_what_a_pod_said_to_us_is_not_told() -> None:
    error = errors.UpstreamStatusError(403, "host pod1-compute-7 said no", "Pod1/network")
    answer = answer_to(error, Dialect.NETWORK, identity_uri=URI)
    assert answer.status == 502
    assert b"od1" not in bytes(answer.body)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_an_unknown_path_is_a_404(dialect: Dialect) -> None:
    assert dialect.unknown_path().status == 404
