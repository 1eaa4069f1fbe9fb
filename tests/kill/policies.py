# SPDX-License-Identifier: Apache-2.0
"""What is done with QoS policies while a process dies? See ``operations.py``. Administrators make and change them; that
copies have the rules of their originals is asked of everything (``truth.py``).
"""

from typing import TYPE_CHECKING

from tests.kill.operations import Props, Scene, Told, gone_with_copies, set_port, tell

if TYPE_CHECKING:
    from tests.kill.truth import Truth


def _set_policy(props: Props, scene: Scene) -> None:
    """A policy with a rule, at a port of a running server."""
    set_port(props, scene)
    admin, project_id = props.region.admin, scene.tenant.project_id
    policy = admin.make("network", "qos/policies", "policy", name=scene.name, project_id=project_id)
    path = f"qos/policies/{policy['id']}/bandwidth_limit_rules"
    scene.things["policy"] = policy
    scene.things["rule"] = admin.make("network", path, "bandwidth_limit_rule", max_kbps=1000, max_burst_kbps=100)
    scene.things["path"] = {"id": f"/{path}/{scene.things['rule']['id']}"}
    change = {"port": {"qos_policy_id": policy["id"]}}
    scene.tenant.here.good("PUT", "network", f"/ports/{scene.things['port']['id']}", change)
    props.plug(scene, scene.things["port"])


class PolicyChange:
    """A rule of a policy in use says something else."""

    name, shares_project = "policy change", True

    def prepare(self, props: Props, scene: Scene) -> None:
        _set_policy(props, scene)

    def act(self, props: Props, scene: Scene) -> Told:
        body = {"bandwidth_limit_rule": {"max_kbps": 2000}}
        return tell(lambda: props.region.admin("PUT", "network", scene.things["path"]["id"], body))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        policy_id = scene.things["policy"]["id"]
        (original,) = [one for one in truth.policies["RegionOne"] if one["id"] == policy_id]
        (rule,) = original["rules"]
        problems = ["has no copy"] if not truth.copies("policies", policy_id) else []
        return problems + (["was changed and is not"] if scene.told.is_done and rule["max_kbps"] != 2000 else [])


class PolicyDelete:
    """A policy goes that nothing uses any more."""

    name, shares_project = "policy delete", True

    def prepare(self, props: Props, scene: Scene) -> None:
        _set_policy(props, scene)
        path, change = f"/ports/{scene.things['port']['id']}", {"port": {"qos_policy_id": None}}
        scene.tenant.here.good("PUT", "network", path, change)

    def act(self, props: Props, scene: Scene) -> Told:
        path = f"/qos/policies/{scene.things['policy']['id']}"
        return tell(lambda: props.region.admin("DELETE", "network", path))

    def judge(self, scene: Scene, truth: "Truth") -> list[str]:
        return gone_with_copies(scene, truth, "policies", "policy")
