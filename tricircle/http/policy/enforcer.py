# SPDX-License-Identifier: Apache-2.0
"""May this caller do this?"""

from collections.abc import Mapping

from oslo_policy import policy

from tricircle.conf.settings import Settings
from tricircle.context import RequestContext
from tricircle.errors import ForbiddenError
from tricircle.http.policy.rules import list_rules


class Enforcer:
    """Asks oslo.policy, with the operator's policy file (``[oslo_policy] policy_file``) over our defaults. One per
    process.
    """

    def __init__(self, settings: Settings) -> None:
        self._enforcer = policy.Enforcer(settings.raw)
        self._enforcer.register_defaults(list_rules())

    def authorize(self, context: RequestContext, rule: str, target: Mapping[str, object] | None = None) -> None:
        """Return if the caller may, raise if not.

        :param target: what the rule compares with, such as ``project_id`` of the object; None is the caller's own
            project
        :raises ForbiddenError: in the services' words
        """
        if not self.is_allowed(context, rule, target):
            raise ForbiddenError(f"Policy doesn't allow {rule} to be performed.")

    def is_allowed(self, context: RequestContext, rule: str, target: Mapping[str, object] | None = None) -> bool:
        """Whether the caller may. :raises PolicyNotRegistered: there is no such rule (a mistake of ours)"""
        facts = {"project_id": context.project_id, "user_id": context.user_id} if target is None else dict(target)
        return bool(self._enforcer.authorize(rule, facts, context.policy_values(), do_raise=False))
