# SPDX-License-Identifier: Apache-2.0
"""How do the wires between pods get there: namespaces, veth pairs, and one bridge for each spanning physical network?

More than two pods hang on one wire, so that in the middle there is a bridge of the kernel's. It must not learn: one
address may live on several VLANs, and the bridge does not look at tags.
"""

from __future__ import annotations

from lab.datapath.namespaces import Namespaces, PathError, inside, run
from lab.datapath.plan import OUTER_END, OUTSIDE, SPANNING, DataPath, PodPath, Wire, bridge


def lay(path: DataPath) -> list[str]:
    """Make what is missing; the names of the namespaces that were made."""
    namespaces = Namespaces(path.records)
    kept = (*path.namespaces, *(pod.guests for pod in path.pods))
    for name in namespaces.recorded():
        # Of a pod that the lab had before. A guest's name begins as those of its pod's guests.
        if not any(name == one or (one.endswith("-vm-") and name.startswith(one)) for one in kept):
            namespaces.delete(name)
    made = [name for name in path.namespaces if namespaces.add(name)]
    for physnet in SPANNING:
        if not _has_device(path.wan, bridge(physnet)):
            run("ip", "-n", path.wan, "link", "add", bridge(physnet), "type", "bridge", "ageing_time", "0")
        run("ip", "-n", path.wan, "link", "set", bridge(physnet), "up")
    for pod in path.pods:
        for wire in path.wires(pod):
            _lay_wire(wire)
        _address_internet(pod)
    return made


def cut(path: DataPath, pod: PodPath, physnet: str) -> None:
    """Break the pod's wire to the others."""
    wire = path.trunk(pod, physnet)
    run("ip", "-n", wire.outer_namespace, "link", "set", wire.outer, "down")


def mend(path: DataPath, pod: PodPath, physnet: str) -> None:
    """Undo `cut`."""
    wire = path.trunk(pod, physnet)
    run("ip", "-n", wire.outer_namespace, "link", "set", wire.outer, "up")


def _lay_wire(wire: Wire) -> None:
    inner, outer = wire.inner_namespace, wire.outer_namespace
    if not _has_device(inner, wire.inner):
        command = ("link", "add", wire.inner, "type", "veth", "peer", "name", wire.outer, "netns", outer)
        run("ip", "-n", inner, *command)
        # No card behind the wire computes what the kernel leaves to it: else TCP fails while ping works.
        run(*inside(outer, "ethtool", "-K", wire.outer, "tx", "off"))
        run(*inside(inner, "ethtool", "-K", wire.inner, "tx", "off"))
    if wire.physnet != OUTSIDE:
        run("ip", "-n", outer, "link", "set", wire.outer, "master", bridge(wire.physnet))
    run("ip", "-n", outer, "link", "set", wire.outer, "up", "mtu", str(wire.mtu))
    run("ip", "-n", inner, "link", "set", wire.inner, "up", "mtu", str(wire.mtu))


def _address_internet(pod: PodPath) -> None:
    run("ip", "-n", pod.internet, "address", "replace", pod.outside_address, "dev", OUTER_END)


def _has_device(namespace: str, device: str) -> bool:
    try:
        run("ip", "-n", namespace, "link", "show", "dev", device)
    except PathError:
        return False
    return True
