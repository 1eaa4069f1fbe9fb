# SPDX-License-Identifier: Apache-2.0
"""What does one lab consist of: where its state lives, which pods it has, how they differ?"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PODS = 2
DEFAULT_BASE = 20000
PASSWORD = "labpw"
HOST = "127.0.0.1"
#: The same machine by another name.
OTHER_NAME = "localhost"
CENTRAL_REGION = "RegionOne"

# The same in every pod on purpose: nothing may tell pods apart by the names of their hosts.
COMPUTE_HOST = "canaryhost-1"
MORE_COMPUTE_HOSTS = "canaryhost-{}"
STORAGE_HOST = "canaryhost-storage"

_CENTRAL_OFFSETS = {
    "admin-api": -1,
    "consoles": 79,
    "doors": 80,
    "files": 81,
    "worker-metrics": 82,
    "memcached": 211,
    "glance": 292,
    "mariadb": 306,
    "keystone": 500,
    "rabbitmq": 672,
    "erlang": 679,
    "epmd": 680,
    "neutron": 696,
    "nova": 774,
    "cinder": 776,
}
_POD_OFFSETS = {
    "glance": 292,
    "neutron": 696,
    "nova": 774,
    "metadata": 775,  # Nova's, only with real packets
    "cinder": 776,
    "placement": 778,
    # Nova's console proxies, and what they connect to on the host.
    "novnc": 580,
    "spice": 582,
    "serial": 583,
    "vnc-server": 590,
    "spice-server": 592,
    "serial-server": 593,
}
_POD_STRIDE = 1000


class Mode(enum.StrEnum):
    """How the services of one pod are cut into processes."""

    AIO = "aio"  # one process for each service, RPC in memory
    RABBIT = "rabbit"  # every service on its own, RPC over RabbitMQ


class DataPathKind(enum.StrEnum):
    """Who carries the packets of servers."""

    IMITATED = "imitated"  # nobody: agents are played, there are no packets
    OVN = "ovn"  # real Open vSwitch and OVN in every pod (lab/datapath)


class Release(enum.StrEnum):
    """Which OpenStack a place runs; the value stands in the names of its lock, environment and templates."""

    NEWEST = ""
    OLDER = "2023.1"  # Antelope: Nova 27 (2.95), Cinder 22 (3.70), Placement 9 (1.39)


#: The highest microversions of Nova and Cinder in a pod of the older release.
OLDER_MAXIMA = ("2.95", "3.70")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod, and the ways in which it is deliberately unlike its twins."""

    number: int
    base: int
    mode: Mode = Mode.AIO
    release: Release = Release.NEWEST

    @property
    def is_older(self) -> bool:
        """Whether the pod runs an older release than the centre, in an environment of its own."""
        return self.release is not Release.NEWEST

    @property
    def name(self) -> str:
        return f"pod{self.number}"

    @property
    def region(self) -> str:
        return f"Pod{self.number}"

    @property
    def zone(self) -> str:
        """The one availability zone; Pod1 has the name that Nova and Cinder have by default."""
        return "nova" if self.number == 1 else f"canary-zone-{self.name}"

    @property
    def unlimited(self) -> bool:
        """Whether the pod's own quotas are lifted; odd pods keep the small stock defaults."""
        return self.number % 2 == 0

    @property
    def page_limit(self) -> int | None:
        """Most servers or volumes in one page of the pod, or None for the stock limit of 1000."""
        return 7 if self.number % 2 == 0 else None

    @property
    def own_names(self) -> dict[str, str]:
        """What services of the pod say of themselves in links, where that is not what they are called by."""
        names = ("nova", "cinder") if self.number == 2 else ()
        return {service: f"http://{OTHER_NAME}:{self.port(service)}" for service in names}

    def port(self, service: str) -> int:
        return self.base + _POD_STRIDE * self.number + _POD_OFFSETS[service]

    def url(self, service: str) -> str:
        return f"http://{HOST}:{self.port(service)}"

    @property
    def ports(self) -> dict[str, int]:
        return {service: self.port(service) for service in _POD_OFFSETS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """One lab: everything that the command line can choose."""

    root: Path  # the repository
    base: int = DEFAULT_BASE
    pods: tuple[Pod, ...]
    pod_glance: bool = True
    tricircle: bool = True
    compute_hosts: int = 1  # in every pod
    datapath: DataPathKind = DataPathKind.IMITATED

    @property
    def has_packets(self) -> bool:
        """Whether servers are plugged into real switches."""
        return self.datapath is DataPathKind.OVN

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of the compute hosts of every pod."""
        return (COMPUTE_HOST, *(MORE_COMPUTE_HOSTS.format(number) for number in range(2, self.compute_hosts + 1)))

    def has_own_glance(self, pod: Pod) -> bool:
        """Whether the pod's Nova and Cinder use a Glance of the pod's own; odd pods use the central one."""
        return self.pod_glance and pod.number % 2 == 0

    def glance_of(self, pod: Pod) -> str:
        """The address of the Glance that the pod's Nova and Cinder use."""
        return pod.url("glance") if self.has_own_glance(pod) else self.url("glance")

    @property
    def state(self) -> Path:
        return self.root / ".lab"

    @property
    def venv(self) -> Path:
        """The environment of the centre and of pods of its release."""
        return self.venv_of(Release.NEWEST)

    def venv_of(self, release: Release) -> Path:
        """The environment of a release."""
        return self.state / _named("venv", release)

    def lock_of(self, release: Release) -> Path:
        """The pins that it is made from."""
        return self.root / "lab" / f"{_named('requirements', release)}.lock"

    @property
    def releases(self) -> tuple[Release, ...]:
        """All releases that run somewhere in the lab, the centre's first."""
        return tuple(dict.fromkeys([Release.NEWEST, *(pod.release for pod in self.pods)]))

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    @property
    def var(self) -> Path:
        return self.state / "var"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def templates(self) -> Path:
        return self.state / "templates"

    @property
    def socket(self) -> Path:
        """The Unix socket of MariaDB."""
        return self.run / "mysql.sock"

    @property
    def identity_ready(self) -> Path:
        """Exists while Keystone runs and knows all regions, users and endpoints."""
        return self.run / "identity.ready"

    @property
    def rabbit_pods(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if pod.mode is Mode.RABBIT)

    @property
    def older_pods(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if pod.is_older)

    def port(self, service: str) -> int:
        return self.base + _CENTRAL_OFFSETS[service]

    def url(self, service: str) -> str:
        return f"http://{HOST}:{self.port(service)}"

    @property
    def ports(self) -> dict[str, int]:
        """Every port of the lab by name, those of the pods as "pod1-nova"."""
        ports = {service: self.port(service) for service in _CENTRAL_OFFSETS}
        for pod in self.pods:
            ports |= {f"{pod.name}-{service}": port for service, port in pod.ports.items()}
        return ports

    @property
    def keystone(self) -> str:
        """The address under which services and operators find Keystone."""
        return f"{self.url('keystone')}/v3"

    @property
    def central_keystone(self) -> str:
        """The address under which tenants find Keystone: our identity door, if there is one."""
        return f"{self.url('doors')}/identity/v3" if self.tricircle else self.keystone


def make_lab(
    root: Path,
    *,
    pods: int = DEFAULT_PODS,
    base: int = DEFAULT_BASE,
    rabbit: frozenset[str] = frozenset(),
    older: frozenset[str] = frozenset(),
    pod_glance: bool = True,
    tricircle: bool = True,
    compute_hosts: int = 1,
    datapath: str = DataPathKind.IMITATED,
) -> Lab:
    """The lab with this many pods; `rabbit` holds the names of those with real RPC, `older` of those that run the
    older release.

    Raises ValueError for a name that is no pod of the lab, for one that is in both sets, and for what has no real
    data path: an older pod, a second compute host.
    """
    made = tuple(
        Pod(
            number=number,
            base=base,
            mode=Mode.RABBIT if f"pod{number}" in rabbit else Mode.AIO,
            release=Release.OLDER if f"pod{number}" in older else Release.NEWEST,
        )
        for number in range(1, pods + 1)
    )
    strangers = (rabbit | older) - {pod.name for pod in made}
    if strangers:
        raise ValueError(f"no such pod: {', '.join(sorted(strangers))}")
    if both := rabbit & older:
        raise ValueError(f"a pod of the older release is one process for each service: {', '.join(sorted(both))}")
    kind = DataPathKind(datapath)
    if kind is DataPathKind.OVN and (older or compute_hosts > 1):
        raise ValueError("with --datapath ovn every pod has the newest release and one compute host")
    return Lab(
        root=root,
        base=base,
        pods=made,
        pod_glance=pod_glance,
        tricircle=tricircle,
        compute_hosts=compute_hosts,
        datapath=kind,
    )


def save_lab(lab: Lab) -> None:
    """Remember the choices, so that status, stop and the next start need not repeat them."""
    lab.state.mkdir(exist_ok=True)
    choices = {
        "pods": len(lab.pods),
        "base": lab.base,
        "rabbit": [pod.name for pod in lab.rabbit_pods],
        "older": [pod.name for pod in lab.older_pods],
        "pod_glance": lab.pod_glance,
        "tricircle": lab.tricircle,
        "compute_hosts": lab.compute_hosts,
        "datapath": lab.datapath,
    }
    (lab.state / "lab.json").write_text(json.dumps(choices, indent=2) + "\n")


def load_choices(root: Path) -> dict[str, object]:
    """What the last start chose, or nothing."""
    try:
        choices = json.loads((root / ".lab" / "lab.json").read_text())
    except FileNotFoundError:
        return {}
    return choices if isinstance(choices, dict) else {}


def load_lab(root: Path) -> Lab:
    """The lab as it was last started, or the default one."""
    choices = load_choices(root)
    return make_lab(
        root,
        pods=_number(choices.get("pods"), DEFAULT_PODS),
        base=_number(choices.get("base"), DEFAULT_BASE),
        rabbit=frozenset(_names(choices.get("rabbit"))),
        older=frozenset(_names(choices.get("older"))),
        pod_glance=bool(choices.get("pod_glance", True)),
        tricircle=bool(choices.get("tricircle", True)),
        compute_hosts=_number(choices.get("compute_hosts"), 1),
        datapath=str(choices.get("datapath", DataPathKind.IMITATED)),
    )


def _named(word: str, release: Release) -> str:
    return f"{word}-{release}" if release else word


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []
