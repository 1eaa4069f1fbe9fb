# SPDX-License-Identifier: Apache-2.0
"""Who may see the pages for operators, ``/metrics`` and the details of health?"""

from tricircle.context import Deadline
from tricircle.http.listener import METRICS_RULE, Guard, Scope
from tricircle.road.needs import Authorises, Identifies

_PATIENCE_S = 5.0


def guard(validator: Identifies, enforcer: Authorises, *, has_open_metrics: bool) -> Guard:
    """Lets in whom the page's rule allows.

    :param has_open_metrics: everybody may see the metrics, without a token
    """

    async def check(scope: Scope, rule: str, request_id: str) -> None:
        if has_open_metrics and rule == METRICS_RULE:
            return
        context = await validator.identify(
            scope["headers"], scope["method"], scope["path"], None, request_id, Deadline.after(_PATIENCE_S)
        )
        enforcer.authorize(context, rule)

    return check
