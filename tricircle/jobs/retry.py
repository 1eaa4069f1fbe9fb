# SPDX-License-Identifier: Apache-2.0
"""When does a job that did not succeed run again? Pure.

Three cases. The body asked for it: then. Somebody could not be reached: for as long as it takes, in steps that grow
with the time waited, because an outage is not the job's fault and says nothing about it. Anything else: a failure, with
a pause that doubles, and after the last attempt the row rests with its error.
"""

from dataclasses import dataclass

from tricircle.errors import (
    BadUpstreamAnswerError,
    LeaseLostError,
    OutcomeUnknownError,
    RetryLaterError,
    UnavailableError,
    UpstreamStatusError,
)

#: Statuses by which a pod, or a proxy before it, says "not now".
_NOT_NOW = frozenset({429, 502, 503, 504})
#: Seconds between two looks at somebody who has been away for long.
_OUTAGE_MOST_S = 30.0
#: By how much a pause is lengthened at most, as a share of it: what failed together must not come back together.
_SPREAD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """What the operator decided.

    :ivar first_s: pause after the first failure; it doubles with each further one
    :ivar most_s: no pause is longer
    :ivar max_attempts: failures after which the job rests
    """

    first_s: float = 1.0
    most_s: float = 300.0
    max_attempts: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Run again in ``delay_s`` seconds; ``is_failure`` says whether this run counts as a failed attempt."""

    delay_s: float
    is_failure: bool


def decide(error: BaseException, *, attempts: int, waited_s: float, rules: RetryRules, chance: float) -> Again | None:
    """When to run again; None: the attempts are used up.

    :param attempts: failed attempts before this run
    :param waited_s: how long the oldest row has been waiting
    :param chance: a random number, 0 <= chance < 1

    >>> decide(ValueError(), attempts=3, waited_s=9, rules=RetryRules(), chance=0.0)
    Again(delay_s=8.0, is_failure=True)
    >>> decide(UnavailableError(""), attempts=3, waited_s=40, rules=RetryRules(), chance=0.0)
    Again(delay_s=20.0, is_failure=False)
    """
    longer = 1.0 + _SPREAD * chance
    if isinstance(error, RetryLaterError):
        return Again(delay_s=max(0.0, error.after_s) * longer, is_failure=False)
    if _is_outage(error):
        pause = min(max(waited_s / 2, rules.first_s), _OUTAGE_MOST_S, rules.most_s)
        return Again(delay_s=pause * longer, is_failure=False)
    if attempts + 1 >= rules.max_attempts:
        return None
    # The exponent is bounded so that a row with a wild count does not overflow.
    pause = min(rules.first_s * 2 ** min(attempts, 30), rules.most_s)
    return Again(delay_s=pause * longer, is_failure=True)


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, UpstreamStatusError):
        return error.status in _NOT_NOW
    return isinstance(error, UnavailableError | OutcomeUnknownError | LeaseLostError | BadUpstreamAnswerError)
