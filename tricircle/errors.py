# SPDX-License-Identifier: Apache-2.0
"""Which things can go wrong on purpose, as facts without HTTP?

Every deliberate exception of tricircle is a class here. Each carries typed facts and a stable ``code`` that
operators may grep for; the code never changes once published. ``http/faults.py`` alone turns them into status codes
and error bodies. Messages are written for the *caller*: they never hold a pod's id, name, host or URL unless the
class says "operator".
"""

from collections.abc import Mapping

#: What a caller is told, when nothing is to be said of who it is.
SERVICE_AWAY = "A service behind this API cannot be reached. Please try again later."
IDENTITY_AWAY = "The identity service cannot be reached. Please try again later."


class TricircleError(Exception):
    """Something that tricircle refused or could not do."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequestError(TricircleError):
    """The request is malformed; nothing was done (400)."""

    code = "request.invalid"


class UnprocessableError(TricircleError):
    """The request is well formed but a value in it cannot be used (422, Admin API v1.0 only)."""

    code = "request.unprocessable"


class BodyTooLargeError(TricircleError):
    """The body is over the listener's limit (413)."""

    code = "request.too_large"


class AddressTooLongError(TricircleError):
    """The address of the request is longer than a service behind this API takes (414)."""

    code = "request.address_too_long"


class UnauthorizedError(TricircleError):
    """No valid token (401)."""

    code = "token.invalid"


class ForbiddenError(TricircleError):
    """The caller's roles do not allow this (403)."""

    code = "policy.forbidden"


class NotFoundError(TricircleError):
    """Everyone who could hold the resource said that it is not there (404)."""

    code = "resource.not_found"


class AbsentError(NotFoundError):
    """The same, of an id that was looked for in the pods: the central service does not have it either, and can say so
    itself.
    """

    code = "resource.absent"

    def __init__(self, message: str, resource_id: str) -> None:
        super().__init__(message)
        self.resource_id = resource_id


class MethodNotAllowedError(TricircleError):
    """The path exists, the verb does not (405)."""

    code = "request.method_not_allowed"

    def __init__(self, message: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class NotAcceptableError(TricircleError):
    """The microversion asked for is outside of what is served (406)."""

    code = "version.not_acceptable"


class ConflictError(TricircleError):
    """The state of the resource forbids it (409)."""

    code = "resource.conflict"


class DuplicateRowError(ConflictError):
    """A row with this unique key is already there; nothing was written (409)."""

    code = "database.duplicate"


class ReferencedRowError(ConflictError):
    """Other rows speak of this row, or it speaks of a row that is not there; nothing was written (409)."""

    code = "database.referenced"


class QuotaExceededError(TricircleError):
    """A limit of the project would be exceeded (403 in compute, 413 in block storage)."""

    code = "quota.exceeded"


class NotImplementedByUsError(TricircleError):
    """A documented call that tricircle cannot carry, said clearly (501)."""

    code = "request.not_implemented"


class UnavailableError(TricircleError):
    """Not sent, or not now: the caller may try again (503 with Retry-After)."""

    code = "service.unavailable"

    def __init__(self, message: str, retry_after_s: int = 10) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServiceUserError(UnavailableError):
    """The service user has not the administrator's role, so nothing that is said to it is believed: to others than
    administrators services say that things are not there which they only hide (503; the text is for operators).
    """

    code = "service_user.no_admin"


class NoValidPodError(UnavailableError):
    """No pod can take the new resource (503 unless the door knows the service's own answer).

    :param refused_by: the placement filter that left nobody: ``az``, ``holds``, ``enabled``, ``accepting``,
        ``version``, ``extensions``, ``healthy``
    :param counts: per filter, how many pods it refused (operator)
    """

    code = "placement.no_valid_pod"

    def __init__(self, message: str, *, refused_by: str, counts: Mapping[str, int]) -> None:
        super().__init__(message)
        self.refused_by = refused_by
        self.counts = counts


class DatabaseCollisionError(UnavailableError):
    """Another transaction won (deadlock, lock wait, Galera certification); nothing was written, the whole may be run
    again."""

    code = "database.collision"


class OutcomeUnknownError(TricircleError):
    """Sent, but no answer came: it may or may not have happened (504, no Retry-After)."""

    code = "upstream.outcome_unknown"


class BadUpstreamAnswerError(TricircleError):
    """An upstream answered something that is not an answer of its API (502)."""

    code = "upstream.bad_answer"


class LeaseLostError(TricircleError):
    """Somebody else works on this routing now; the caller must not go on."""

    code = "routing.lease_lost"


class RetryLaterError(TricircleError):
    """A job's body asks to be run again later; this does not count as a failure.

    :param after_s: seconds to wait at least
    """

    code = "job.retry_later"

    def __init__(self, message: str, *, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


class UpstreamStatusError(TricircleError):
    """An upstream refused a call that we made ourselves.

    :param status: the HTTP status that the upstream sent
    :param body: the decoded body, cut to what logs may hold; never shown to a tenant as it is
    :param target: operator's words for the upstream, such as ``Pod1/network``
    """

    code = "upstream.status"

    def __init__(self, status: int, body: str, target: str) -> None:
        super().__init__(f"{target} answered {status}: {body[:500]}")
        self.status = status
        self.body = body
        self.target = target


class SettingsError(TricircleError):
    """The configuration file or the command line is wrong; the process does not start (exit code 64, operator).

    :param key: ``section.option`` that is wrong, empty when no single one is
    """

    code = "settings.invalid"

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


#: After these a call may have been carried out, and nobody knows.
MAY_HAVE_HAPPENED = (OutcomeUnknownError, BadUpstreamAnswerError)
