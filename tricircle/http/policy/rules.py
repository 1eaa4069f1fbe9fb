# SPDX-License-Identifier: Apache-2.0
"""Which rules are there, and what are their defaults?

The Admin API's names are those of the original (``admin_api:pods:create``). Where we answer a call of Nova or Cinder
ourselves, the rule has the service's own name and default, so that an operator's policy file means here what it means
there.
"""

from collections.abc import Sequence

from oslo_policy import policy

_ADMIN = "role:admin"
#: Nova's ``project_member_or_admin``.
_MEMBER = "(role:member and project_id:%(project_id)s) or role:admin"
_ANYBODY = "@"
#: Nova takes no other tokens, whatever their roles.
_PROJECT = ("project",)


def _rule(
    name: str, default: str, text: str, method: str, path: str, *, scopes: Sequence[str] | None = None
) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=default,
        description=text,
        operations=[{"method": method, "path": path}],
        scope_types=None if scopes is None else list(scopes),
    )


_PODS = [
    _rule("admin_api:pods:create", _ADMIN, "Register a pod.", "POST", "/v1.0/pods"),
    _rule("admin_api:pods:show", _ADMIN, "Show a pod.", "GET", "/v1.0/pods/{pod_id}"),
    _rule("admin_api:pods:list", _ADMIN, "List pods.", "GET", "/v1.0/pods"),
    _rule("admin_api:pods:update", _ADMIN, "Change a pod: enable, drain, AZ.", "PUT", "/v1.0/pods/{pod_id}"),
    _rule("admin_api:pods:delete", _ADMIN, "Remove a pod that holds nothing.", "DELETE", "/v1.0/pods/{pod_id}"),
]
_BINDINGS = [
    _rule("admin_api:bindings:create", _ADMIN, "Bind a project to a pod.", "POST", "/v1.0/bindings"),
    _rule("admin_api:bindings:show", _ADMIN, "Show a binding.", "GET", "/v1.0/bindings/{binding_id}"),
    _rule("admin_api:bindings:list", _ADMIN, "List bindings.", "GET", "/v1.0/bindings"),
    _rule("admin_api:bindings:delete", _ADMIN, "Remove a binding.", "DELETE", "/v1.0/bindings/{binding_id}"),
]
_ROUTINGS = [
    _rule("admin_api:routings:show", _ADMIN, "Show a routing.", "GET", "/v1.0/routings/{id}"),
    _rule("admin_api:routings:list", _ADMIN, "List routings.", "GET", "/v1.0/routings"),
    _rule("admin_api:topologies:show", _ADMIN, "Show where a network is.", "GET", "/v1.0/topologies/{network_id}"),
    _rule("admin_api:adoptions:create", _ADMIN, "Use a pod's own network.", "POST", "/v1.0/adoptions"),
    _rule("admin_api:adoptions:observe", _ADMIN, "Compare one with the centre.", "POST", "/v1.0/adoptions/observe"),
    _rule("admin_api:adoptions:delete", _ADMIN, "Use it no more.", "DELETE", "/v1.0/adoptions/{adoption_id}"),
]
_JOBS = [
    _rule("admin_api:jobs:create", _ADMIN, "File a job.", "POST", "/v1.0/jobs"),
    _rule("admin_api:jobs:show", _ADMIN, "Show a job.", "GET", "/v1.0/jobs/{id}"),
    _rule("admin_api:jobs:list", _ADMIN, "List jobs.", "GET", "/v1.0/jobs"),
    _rule("admin_api:jobs:schema_list", _ADMIN, "List the types of jobs.", "GET", "/v1.0/jobs/schemas"),
    _rule("admin_api:jobs:redo", _ADMIN, "Run a job again.", "PUT", "/v1.0/jobs/{id}"),
    _rule("admin_api:jobs:delete", _ADMIN, "Remove a job that does not run now.", "DELETE", "/v1.0/jobs/{id}"),
    _rule("admin_api:jobs:purge", _ADMIN, "Remove old lines from the history of jobs.", "DELETE", "/v1.0/jobs"),
]
_PAGES = [
    _rule("admin_api:metrics", _ADMIN, "Show metrics, unless [gateway] open_metrics is set.", "GET", "/metrics"),
    _rule("admin_api:health_detail", _ADMIN, "Show health in detail.", "GET", "/healthz?detail"),
]
_ZONES = [
    _rule(
        "os_compute_api:os-availability-zone:list",
        _ANYBODY,
        "List availability zones, without hosts.",
        "GET",
        "/compute/v2.1/os-availability-zone",
        scopes=_PROJECT,
    ),
    _rule(
        "os_compute_api:os-availability-zone:detail",
        _ADMIN,
        "List availability zones with their hosts.",
        "GET",
        "/compute/v2.1/os-availability-zone/detail",
        scopes=_PROJECT,
    ),
    _rule(
        "volume:availability_zone_list",
        _ANYBODY,
        "List availability zones of volumes.",
        "GET",
        "/volume/v3/{project_id}/os-availability-zone",
    ),
]
_CONSOLES = [
    _rule(
        "os_compute_api:os-console-auth-tokens",
        _ADMIN,
        "Show where in a pod the console is that a token stands for.",
        "GET",
        "/compute/v2.1/os-console-auth-tokens/{token}",
        scopes=_PROJECT,
    ),
]
_ACTION = "/compute/v2.1/servers/{server_id}/action"


def _of_member(name: str, text: str, path: str = _ACTION) -> policy.DocumentedRuleDefault:
    return _rule(f"os_compute_api:{name}", _MEMBER, text, "POST", path, scopes=_PROJECT)


#: What begins, or is carried out, at the centre: no pod's Nova judges it in time.
_SERVERS = [
    _of_member("os-floating-ips:add", "Give a server a floating IP."),
    _of_member("os-floating-ips:remove", "Take a floating IP from a server."),
    _of_member("os-multinic:add", "Give a server one more fixed IP."),
    _of_member("os-multinic:remove", "Take a fixed IP from a server."),
    _of_member("os-security-groups:add", "Add a security group to a server."),
    _of_member("os-security-groups:remove", "Take a security group from a server."),
    _of_member(
        "os-attach-interfaces:create",
        "Attach an interface to a server.",
        "/compute/v2.1/servers/{server_id}/os-interface",
    ),
]

#: The block-storage service asks rules of its own, which are others: it knows administrators of domains.
_STORAGE = [
    _of_member("os-volumes:create", "Create a volume through Nova.", "/compute/v2.1/os-volumes"),
    _of_member("os-volumes:snapshots:create", "Snapshot a volume through Nova.", "/compute/v2.1/os-snapshots"),
]


def list_rules() -> Sequence[policy.DocumentedRuleDefault]:
    """All rules, for the enforcer and ``oslopolicy-sample-generator`` (entry point ``oslo.policy.policies``)."""
    return [*_PODS, *_BINDINGS, *_ROUTINGS, *_JOBS, *_PAGES, *_ZONES, *_CONSOLES, *_SERVERS, *_STORAGE]
