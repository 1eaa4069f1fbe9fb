# SPDX-License-Identifier: Apache-2.0
"""Which status, words and headers does an exception become? The one map."""

from dataclasses import dataclass, field

from tricircle import errors
from tricircle.http.dialects import Dialect, page
from tricircle.http.message import Answer, Headers

_INTERNAL = {
    Dialect.COMPUTE: "Unexpected API Error. Please report this to the operator of this cloud.",
    Dialect.BLOCK_STORAGE: "The server has either erred or is incapable of performing the requested operation.",
    Dialect.IMAGE: "The server has either erred or is incapable of performing the requested operation.",
    Dialect.NETWORK: "Request Failed: internal server error while processing your request.",
    Dialect.IDENTITY: "An unexpected error prevented the server from fulfilling your request.",
    Dialect.ADMIN: "An unexpected error prevented the server from fulfilling your request.",
}
#: What is said in front of a service that is away, or by one that has too much to do.
_AWAY_STATUSES = frozenset((429, 502, 503, 504))
_REFUSED = "A service behind this API refused a call that was needed for this request."
_BUSY = "The resource is being worked on. Please try again later."

_STATUSES: dict[type[errors.TricircleError], int] = {
    errors.InvalidRequestError: 400,
    errors.UnprocessableError: 422,
    errors.BodyTooLargeError: 413,
    errors.AddressTooLongError: 414,
    errors.UnauthorizedError: 401,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.MethodNotAllowedError: 405,
    errors.NotAcceptableError: 406,
    errors.ConflictError: 409,
    errors.QuotaExceededError: 403,
    errors.NotImplementedByUsError: 501,
    errors.UnavailableError: 503,
    errors.OutcomeUnknownError: 504,
    errors.BadUpstreamAnswerError: 502,
    errors.LeaseLostError: 503,
    errors.UpstreamStatusError: 502,
}
#: The same error has another status where the service itself uses another.
_EXCEPTIONS: dict[tuple[Dialect, type[errors.TricircleError]], int] = {
    (Dialect.BLOCK_STORAGE, errors.QuotaExceededError): 413,
    (Dialect.NETWORK, errors.QuotaExceededError): 409,
    **{(dialect, errors.UnprocessableError): 400 for dialect in Dialect if dialect is not Dialect.ADMIN},
}
_NETWORK_TYPES: dict[type[errors.TricircleError], str] = {errors.QuotaExceededError: "OverQuota"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error as the caller shall see it.

    :ivar code: the stable code of the exception, for logs
    :ivar is_internal: we are to blame, or we do not know: the log gets a traceback
    """

    status: int
    message: str
    code: str
    error_type: str | None = None
    headers: Headers = field(default_factory=list)
    is_internal: bool = False


def fault_of(error: BaseException, dialect: Dialect) -> Fault:
    """The fault that ``error`` is; whatever is not one of ours is a 500 that tells nothing."""
    status = _status(error, dialect)
    if status is None or not isinstance(error, errors.TricircleError):
        return Fault(status=500, message=_INTERNAL[dialect], code="internal", is_internal=True)
    headers: Headers = []
    message = error.message
    is_away = isinstance(error, errors.UpstreamStatusError) and error.status in _AWAY_STATUSES
    if is_away and dialect is not Dialect.ADMIN:
        # Something in front of a service that is away says so: as good as not being reached.
        return Fault(status=503, message=errors.SERVICE_AWAY, code=error.code, headers=[(b"retry-after", b"10")])
    if isinstance(error, errors.ServiceUserError) and dialect is not Dialect.ADMIN:
        message = errors.SERVICE_AWAY
    if isinstance(error, errors.UnavailableError):
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    elif isinstance(error, errors.LeaseLostError):
        message = _BUSY
        headers.append((b"retry-after", b"2"))
    elif isinstance(error, errors.UpstreamStatusError) and dialect is not Dialect.ADMIN:
        # Its text names a pod and what the pod said: for the log, and for operators.
        message = _REFUSED
    elif isinstance(error, errors.QuotaExceededError) and dialect is Dialect.BLOCK_STORAGE:
        headers.append((b"retry-after", b"0"))
    elif isinstance(error, errors.MethodNotAllowedError) and error.allowed:
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    return Fault(
        status=status,
        message=message,
        code=error.code,
        error_type=_NETWORK_TYPES.get(type(error)),
        headers=headers,
    )


def answer_to(error: BaseException, dialect: Dialect, *, identity_uri: str, accept: bytes = b"*/*") -> Answer:
    """The answer that a caller gets for ``error``.

    :param identity_uri: where callers without a token are sent
    :param accept: the request's ``Accept`` header
    """
    if isinstance(error, errors.UnauthorizedError):
        return dialect.unauthorized(identity_uri, accept=accept)
    if isinstance(error, errors.MethodNotAllowedError) and dialect in (Dialect.COMPUTE, Dialect.BLOCK_STORAGE):
        # Their routers know a path only together with its methods.
        return dialect.unknown_path(accept=accept)
    fault = fault_of(error, dialect)
    if isinstance(error, errors.AddressTooLongError | errors.BodyTooLargeError) and dialect is not Dialect.ADMIN:
        return page(fault.status, fault.message, headers=fault.headers, accept=accept)
    return dialect.render(
        fault.status, fault.message, error_type=fault.error_type, headers=fault.headers, accept=accept
    )


def _status(error: BaseException, dialect: Dialect) -> int | None:
    for kind in type(error).__mro__:
        status = _EXCEPTIONS.get((dialect, kind)) or _STATUSES.get(kind)
        if status is not None:
            return int(status)
    return None
