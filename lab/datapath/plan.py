# SPDX-License-Identifier: Apache-2.0
"""What does the data path of a lab consist of: which namespaces, wires, switches, and where do they keep things?

Everything here is a name or an address; nothing is made. The namespaces of one lab begin with a word made from its
directory, since their names are global to the machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lab.topology import Lab, Pod

#: Physical networks on which networks span pods: one wire between all pods for each.
SPANNING = ("stretch", "narrow", "bridge")
#: The physical network that leads out of the pod, to an "internet" of its own.
OUTSIDE = "extern"
PHYSNETS = (*SPANNING, OUTSIDE)
INTEGRATION_BRIDGE = "br-int"
#: What wires carry, but for those of even pods on one physical network.
MTU, NARROW_MTU, _NARROW = 1500, 1450, "narrow"
#: Where guests of the pod go on the outside; lab/seed.py makes the external network with this prefix.
OUTSIDE_PREFIX = "100.64.{}"
OUTER_END, INNER_END = "outside", "to-{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A veth pair from a pod's bridge to somewhere else."""

    physnet: str
    inner_namespace: str
    inner: str
    outer_namespace: str
    outer: str
    mtu: int = MTU


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPath:
    """The switches of one pod, and where they keep their things."""

    number: int
    name: str
    prefix: str
    directory: Path  # sockets, process ids
    data: Path  # databases

    @property
    def hypervisor(self) -> str:
        """The namespace of the switch, in which the guests' ports begin their life."""
        return f"{self.prefix}-{self.name}"

    @property
    def internet(self) -> str:
        """The namespace at the far end of the pod's wire to the outside."""
        return f"{self.prefix}-{self.name}-internet"

    @property
    def outside_address(self) -> str:
        """What the internet has there: the gateway of the pod's external network."""
        return f"{OUTSIDE_PREFIX.format(self.number)}.1/24"

    @property
    def guests(self) -> str:
        """What the names of the guests' namespaces begin with; the id of the server follows."""
        return f"{self.prefix}-{self.name}-vm-"

    def guest(self, server_id: str) -> str:
        """The namespace of a server."""
        return f"{self.guests}{server_id}"

    @property
    def leases(self) -> Path:
        """What DHCP told the guests: a file for each port."""
        return self.directory / "leases"

    @property
    def remote(self) -> str:
        """Where all three databases of the pod are asked: the switch's, OVN's northbound and southbound."""
        return f"unix:{self.directory / 'db.sock'}"

    def control(self, program: str) -> Path:
        """The socket by which a running program is asked."""
        return self.directory / f"{program}.ctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPath:
    """The whole data path of a lab."""

    prefix: str
    records: Path  # a file for every namespace that was made: nothing else is ever deleted
    pods: tuple[PodPath, ...]

    @property
    def wan(self) -> str:
        """The namespace between the pods."""
        return f"{self.prefix}-wan"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All but those of guests."""
        return (self.wan, *(name for pod in self.pods for name in (pod.hypervisor, pod.internet)))

    def trunk(self, pod: PodPath, physnet: str) -> Wire:
        """The wire from a pod into the namespace between the pods."""
        return Wire(
            physnet=physnet,
            inner_namespace=pod.hypervisor,
            inner=INNER_END.format(physnet),
            outer_namespace=self.wan,
            outer=f"{pod.name}-{physnet}",
            mtu=mtu_of(pod.number, physnet),
        )

    def wires(self, pod: PodPath) -> tuple[Wire, ...]:
        """All wires of a pod, in the order of its physical networks."""
        outside = Wire(
            physnet=OUTSIDE,
            inner_namespace=pod.hypervisor,
            inner=INNER_END.format(OUTSIDE),
            outer_namespace=pod.internet,
            outer=OUTER_END,
        )
        return (*(self.trunk(pod, physnet) for physnet in SPANNING), outside)

    def of(self, pod: Pod) -> PodPath:
        """The part of a pod."""
        return next(path for path in self.pods if path.number == pod.number)


def bridge(physnet: str) -> str:
    """The bridge of a physical network, in every pod and in the namespace between them.

    >>> bridge("stretch")
    'br-stretch'
    """
    return f"br-{physnet}"


def mtu_of(pod_number: int, physnet: str) -> int:
    """The largest packet that a physical network carries in a pod.

    >>> mtu_of(1, "narrow"), mtu_of(2, "narrow")
    (1500, 1450)
    """
    return NARROW_MTU if physnet == _NARROW and pod_number % 2 == 0 else MTU


def tap(port_id: str) -> str:
    """The device of a port, as Nova calls it: names of devices have at most 15 characters.

    >>> tap("2b7a6c1e-90aa-4e0b-9d8e-000000000000")
    'tap2b7a6c1e-90'
    """
    return f"tap{port_id[:11]}"


def data_path(lab: Lab) -> DataPath:
    """The data path of a lab."""
    digest = hashlib.sha256(str(lab.root.resolve()).encode()).hexdigest()
    prefix = f"lab{digest[:6]}"
    pods = tuple(
        PodPath(
            number=pod.number,
            name=pod.name,
            prefix=prefix,
            directory=lab.run / f"{pod.name}-ovn",
            data=lab.var / pod.name / "ovn",
        )
        for pod in lab.pods
    )
    return DataPath(prefix=prefix, records=lab.run / "namespaces", pods=pods)
