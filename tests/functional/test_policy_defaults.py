# SPDX-License-Identifier: Apache-2.0
"""Do our rules that bear names of Nova's and Cinder's say the same as theirs, to every persona?

The stock rules are read where the lab has the services installed, and asked by the services' own oslo.policy; nothing
has to run.
"""

import json
import subprocess
from dataclasses import replace

import pytest

from lab.topology import load_lab
from tests.functional.region_world import ROOT
from tricircle.conf.load import load
from tricircle.context import Deadline, ProjectId, RequestContext
from tricircle.http.policy.enforcer import Enforcer
from tricircle.http.policy.rules import list_rules

pytestmark = pytest.mark.lab

_UNASKED = "volume:availability_zone_list"
_MINE, _THEIRS = "p-mine", "p-other"
#: Reads {"rules", "personas"} and answers {rule: {persona: may}} for a target in the project ``p-mine``.
_STOCK = """
import json, sys
from oslo_config import cfg
from oslo_policy import opts, policy
import nova.policies, cinder.policies
asked = json.load(sys.stdin)
found = {}
for service, rules in (("nova", nova.policies.list_rules()), ("cinder", cinder.policies.list_rules())):
    conf = cfg.ConfigOpts()
    conf([], project=service, default_config_files=[], default_config_dirs=[])
    opts.set_defaults(conf, enforce_scope=True)
    enforcer = policy.Enforcer(conf)
    enforcer.suppress_default_change_warnings = enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults(list(rules))
    for rule in asked["rules"]:
        if rule in enforcer.registered_rules:
            target = {"project_id": "p-mine", "user_id": "u-mine"}
            found[rule] = {
                name: bool(enforcer.authorize(rule, target, dict(creds, is_admin="admin" in creds["roles"])))
                for name, creds in asked["personas"].items()
            }
json.dump(found, sys.stdout)
"""


def caller(*roles: str, project_id: str = _MINE) -> RequestContext:
    return RequestContext(
        request_id="req-1",
        token="t",
        user_id="u",
        project_id=ProjectId(project_id),
        roles=frozenset(roles),
        deadline=Deadline.after(5),
    )


PERSONAS = {
    "nobody": caller(),
    "reader": caller("reader"),
    "member": caller("member", "reader"),
    "manager": caller("manager", "member", "reader"),
    "admin": caller("admin", "manager", "member", "reader"),
    "foreign admin": caller("admin", "member", "reader", project_id=_THEIRS),
    "domain admin": replace(caller("admin", "member", "reader", project_id=""), domain_id="d"),
    "system admin": replace(caller("admin", "member", "reader", project_id=""), system_scope="all"),
    "service": caller("service", project_id=_THEIRS),
}


def test_our_rules_are_the_services_own() -> None:
    rules = [rule.name for rule in list_rules() if not rule.name.startswith("admin_api:")]
    personas = {name: context.policy_values() for name, context in PERSONAS.items()}
    asked = {"rules": rules, "personas": personas}
    python = load_lab(ROOT).venv / "bin" / "python"
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", _STOCK],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    stock = json.loads(done.stdout)
    # Cinder asks no policy for its zones (it did once, by this name): anybody may, whatever the token is for.
    stock[_UNASKED] = dict.fromkeys(PERSONAS, True)
    assert set(stock) == set(rules)
    enforcer = Enforcer(load(["--config-file", str(load_lab(ROOT).etc / "tricircle.conf")], prog="test"))
    target = {"project_id": _MINE, "user_id": "u-mine"}
    ours = {
        rule: {name: enforcer.is_allowed(context, rule, target) for name, context in PERSONAS.items()} for rule in rules
    }
    wrong = {rule: (ours[rule], stock[rule]) for rule in rules if ours[rule] != stock[rule]}
    assert wrong == {}
