# SPDX-License-Identifier: Apache-2.0
"""Where do the tests run, and what must be there before they start?

One configuration for all targets; what differs is the address of Keystone, the region, and the ids that a cloud chooses
by itself.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from conformance import files
from lab.rest import Rest, sign_in
from lab.topology import CENTRAL_REGION, OLDER_MAXIMA, Lab

#: Which zone users see each pod in: three pods in two zones.
_EXTRA = "Pod3"
ZONES = {"Pod1": "az1", "Pod2": "az2", "Pod3": "az1"}
FLAVORS = ({"id": "conformance-1", "ram": 64, "vcpus": 1}, {"id": "conformance-2", "ram": 128, "vcpus": 1})
IMAGES = ("conformance-1", "conformance-2")
EXTERNAL = "conformance-external"
NAMESPACE = "Conformance"
POOL = "conformance"
MULTIATTACH = "conformance-multiattach"
SHARED = "canary-net-shared-pod1"
_IMAGE_BYTES = bytes(64 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A way to the same services.

    :ivar pods: the regions of the pods that take part
    """

    name: str
    title: str
    pods: tuple[str, ...]
    is_direct: bool = False


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(name="pod", title="directly on Pod1", pods=("Pod1",), is_direct=True),
        Target(name="one", title="through tricircle, one pod", pods=("Pod1",)),
        Target(name="three", title="through tricircle, three pods in two zones", pods=("Pod1", "Pod2", "Pod3")),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A target that is ready.

    :ivar image_ids: two public images
    :ivar image_url: one to be downloaded
    :ivar hosts: compute hosts in each pod
    :ivar maxima: highest microversions of compute and block storage that tests may name
    """

    identity_url: str
    region: str
    image_ids: tuple[str, str]
    image_url: str
    external_network_id: str
    hosts: int
    maxima: tuple[str, str] = ("latest", "latest")


def ready(lab: Lab, target: Target) -> Place:
    """Register the pods that take part, forget the others, make what Tempest needs to find."""
    rest = sign_in(lab.keystone, "admin", "admin")
    if not target.is_direct:
        _register(rest, f"{lab.url('admin-api')}/v1.0/pods", target.pods)
    first = lab.pods[0]
    compute, network = (
        (first.url("nova"), first.url("neutron")) if target.is_direct else (lab.url("nova"), lab.url("neutron"))
    )
    _flavors(rest, f"{compute}/v2.1/flavors")
    one, two = (_image(rest, lab.url("glance"), name) for name in IMAGES)
    _definitions(rest, f"{lab.url('glance')}/v2/metadefs/namespaces")
    _hide_shared(rest, f"{first.url('neutron')}/v2.0", is_hidden=target.is_direct)
    _pool(rest, f"{network}/v2.0/subnetpools")
    _multiattach(rest, f"{(first.url('cinder') if target.is_direct else lab.url('cinder'))}/v3/types")
    return Place(
        identity_url=lab.keystone if target.is_direct else lab.central_keystone,
        region=target.pods[0] if target.is_direct else CENTRAL_REGION,
        image_ids=(one, two),
        image_url=files.url(lab),
        hosts=lab.compute_hosts,
        # One configuration for all targets: what the oldest pod has.
        maxima=OLDER_MAXIMA if lab.older_pods else ("latest", "latest"),
        external_network_id=_external(rest, f"{network}/v2.0"),
    )


def put_back(lab: Lab) -> None:
    """Leave two pods, as other tests want them: the third is forgotten with all that the tests left in it."""
    rest, url = sign_in(lab.keystone, "admin", "admin"), f"{lab.url('admin-api')}/v1.0/pods"
    _register(rest, url, [name for name in ZONES if name != _EXTRA])


def _register(rest: Rest, url: str, pods: Collection[str]) -> None:
    """Have these pods, and no others: of one that is only switched off nobody knows what is in it."""
    known = {pod["pod_name"]: pod for pod in rest.get(url)["pods"]}
    for name, zone in {CENTRAL_REGION: "", **ZONES}.items():
        pod = known.get(name)
        if zone and name not in pods:
            if pod is not None:
                rest.put(f"{url}/{pod['pod_id']}", {"pod": {"state": "disabled"}})
                rest.delete(f"{url}/{pod['pod_id']}?force=true")
        elif pod is None:
            rest.post(url, {"pod": {"pod_name": name, "az_name": zone}})
        elif zone and pod.get("state") != "enabled":
            rest.put(f"{url}/{pod['pod_id']}", {"pod": {"state": "enabled"}})


def _flavors(rest: Rest, url: str) -> None:
    present = {flavor["id"] for flavor in rest.get(url)["flavors"]}
    for flavor in FLAVORS:
        if flavor["id"] not in present:
            rest.post(url, {"flavor": {"name": flavor["id"], "disk": 1, **flavor}})


def _image(rest: Rest, glance: str, name: str) -> str:
    found = rest.get(f"{glance}/v2/images?name={name}&status=active")["images"]
    if found:
        return str(found[0]["id"])
    body = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    image = rest.post(f"{glance}/v2/images", body)
    rest.call("PUT", f"{glance}/v2/images/{image['id']}/file", _IMAGE_BYTES)
    return str(image["id"])


def _external(rest: Rest, url: str) -> str:
    found = rest.get(f"{url}/networks?name={EXTERNAL}")["networks"]
    if found:
        if not found[0].get("is_default"):
            rest.put(f"{url}/networks/{found[0]['id']}", {"network": {"is_default": True}})
        return str(found[0]["id"])
    # Tempest makes routers and floating addresses on it by dozens.
    wanted = {"name": EXTERNAL, "router:external": True, "is_default": True}
    network = rest.post(f"{url}/networks", {"network": wanted})["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "172.24.0.0/22", "enable_dhcp": False}
    rest.post(f"{url}/subnets", {"subnet": subnet})
    return str(network["id"])


def _definitions(rest: Rest, url: str) -> None:
    """A namespace of metadata definitions, so that there is a resource type: installations have dozens."""
    if any(one["namespace"] == NAMESPACE for one in rest.get(url)["namespaces"]):
        return
    types = [{"name": "OS::Glance::Image"}]
    rest.post(url, {"namespace": NAMESPACE, "visibility": "public", "resource_type_associations": types})


def _pool(rest: Rest, url: str) -> None:
    """The default pool of addresses for networks that are allocated for a project that has none."""
    if not rest.get(f"{url}?is_default=true")["subnetpools"]:
        wanted = {"name": POOL, "prefixes": ["10.224.0.0/16"], "default_prefixlen": 26, "is_default": True}
        rest.post(url, {"subnetpool": {**wanted, "shared": True}})


def _hide_shared(rest: Rest, url: str, *, is_hidden: bool) -> None:
    """The pod's own shared network stands in the way of those who use the pod directly, and must not of others."""
    for network in rest.get(f"{url}/networks?shared={'true' if is_hidden else 'false'}&name={SHARED}")["networks"]:
        rest.put(f"{url}/networks/{network['id']}", {"network": {"shared": not is_hidden}})


def _multiattach(rest: Rest, url: str) -> None:
    """A volume type of volumes that several servers may use at once."""
    if all(one["name"] != MULTIATTACH for one in rest.get(url)["volume_types"]):
        rest.post(url, {"volume_type": {"name": MULTIATTACH, "extra_specs": {"multiattach": "<is> True"}}})
