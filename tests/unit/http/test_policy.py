# SPDX-License-Identifier: Apache-2.0
"""Who may do what we decide ourselves."""

from dataclasses import replace
from pathlib import Path

import pytest
from oslo_policy.policy import PolicyNotRegistered

from tricircle.conf.load import load
from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.errors import ForbiddenError
from tricircle.http.policy.enforcer import Enforcer
from tricircle.http.policy.rules import list_rules


def caller(*roles: str, project: str = "p") -> RequestContext:
    return RequestContext(
        request_id="req-1",
        token="t",
        user_id="u",
        project_id=ProjectId(project),
        roles=frozenset(roles),
        deadline=Deadline.after(5),
    )


def enforcer(folder: Path, policy: str = "") -> Enforcer:
    (folder / "policy.yaml").write_text(policy)
    file = folder / "tricircle.conf"
    file.write_text(f"[oslo_policy]\npolicy_file = {folder}/policy.yaml\n")
    return Enforcer(load(["--config-file", str(file)], prog="test"))


@pytest.mark.parametrize("rule", [rule.name for rule in list_rules() if rule.name.startswith("admin_api:")])
def test_the_admin_api_is_for_admins(tmp_path: Path, rule: str) -> None:
    made = enforcer(tmp_path)
    made.authorize(caller("admin"), rule)
    with pytest.raises(ForbiddenError, match=rule):
        made.authorize(caller("member", "reader"), rule)
    with pytest.raises(ForbiddenError):
        made.authorize(caller(), rule)


def test_a_user_with_several_roles_keeps_all_of_them(tmp_path: Path) -> None:
    made = enforcer(tmp_path, '"admin_api:pods:list": "role:auditor"\n')
    for roles in (("member", "auditor"), ("auditor", "reader", "member")):
        made.authorize(caller(*roles), "admin_api:pods:list")
    made.authorize(caller("reader", "admin"), "admin_api:pods:show")


def test_the_operators_file_wins_over_the_defaults(tmp_path: Path) -> None:
    made = enforcer(tmp_path, '"admin_api:bindings:list": "role:admin or project_id:%(project_id)s"\n')
    made.authorize(caller("member"), "admin_api:bindings:list", {"project_id": "p"})
    with pytest.raises(ForbiddenError):
        made.authorize(caller("member"), "admin_api:bindings:list", {"project_id": "other"})
    with pytest.raises(ForbiddenError):
        made.authorize(caller("member"), "admin_api:bindings:show", {"project_id": "p"})


def test_nova_takes_tokens_of_projects_only(tmp_path: Path) -> None:
    made, admin = enforcer(tmp_path), caller("admin")
    for wider in (replace(admin, domain_id="d"), replace(admin, system_scope="all")):
        for rule in ("os_compute_api:os-availability-zone:list", "os_compute_api:os-availability-zone:detail"):
            made.authorize(admin, rule)
            with pytest.raises(ForbiddenError):
                made.authorize(wider, rule)
        made.authorize(wider, "volume:availability_zone_list")
        made.authorize(wider, "admin_api:pods:list")


def test_a_rule_that_does_not_exist_is_a_mistake_of_ours(tmp_path: Path) -> None:
    with pytest.raises(PolicyNotRegistered):
        enforcer(tmp_path).is_allowed(caller("admin"), "admin_api:nonsense")
