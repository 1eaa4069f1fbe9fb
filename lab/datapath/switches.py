# SPDX-License-Identifier: Apache-2.0
"""Which processes are the switch of a pod, and how is it told what to do?

One database server holds the switch's own database and OVN's two. The switch and OVN's controller run inside the
namespace of the hypervisor; everything meets on Unix sockets, which no network namespace separates. The kernel needs
no module: the data path is in user space.
"""

from __future__ import annotations

from pathlib import Path

from lab.datapath.namespaces import inside, run
from lab.datapath.plan import INTEGRATION_BRIDGE, PHYSNETS, DataPath, PodPath, bridge
from lab.process import Supervisor
from lab.service import CommandSays, Service
from lab.topology import COMPUTE_HOST

_SCHEMAS = {
    "switch": Path("/usr/share/openvswitch/vswitch.ovsschema"),
    "north": Path("/usr/share/ovn/ovn-nb.ovsschema"),
    "south": Path("/usr/share/ovn/ovn-sb.ovsschema"),
}


def databases(pod: PodPath) -> Service:
    """The server of the three databases."""
    files = tuple(str(pod.data / f"{name}.db") for name in _SCHEMAS)
    return _service(
        pod,
        "databases",
        ("ovsdb-server", *files, f"--remote=p{pod.remote}", f"--unixctl={pod.control('databases')}"),
        CommandSays(command=("ovsdb-client", "--timeout=2", "list-dbs", pod.remote), wanted="Open_vSwitch"),
    )


def switch(pod: PodPath) -> Service:
    """The switch itself."""
    control = pod.control("switch")
    return _service(
        pod,
        "switch",
        inside(pod.hypervisor, "ovs-vswitchd", pod.remote, f"--unixctl={control}"),
        CommandSays(command=("ovs-appctl", "-t", str(control), "--timeout=2", "version"), wanted="ovs-vswitchd"),
    )


def control(pod: PodPath) -> list[Service]:
    """OVN's two daemons: the one that turns networks into flows, and the one of the chassis."""
    north = pod.control("northd")
    chassis = ("--columns=hostname", "find", "chassis", f"hostname={COMPUTE_HOST}")
    return [
        _service(
            pod,
            "northd",
            ("ovn-northd", f"--ovnnb-db={pod.remote}", f"--ovnsb-db={pod.remote}", f"--unixctl={north}"),
            CommandSays(command=("ovn-appctl", "-t", str(north), "--timeout=2", "status"), wanted="active"),
        ),
        _service(
            pod,
            "controller",
            inside(pod.hypervisor, "ovn-controller", pod.remote),
            CommandSays(
                command=("ovn-sbctl", f"--db={pod.remote}", "--timeout=2", "--bare", *chassis), wanted=COMPUTE_HOST
            ),
        ),
    ]


def services(path: DataPath) -> list[Service]:
    """All processes of the data path."""
    return [service for pod in path.pods for service in (databases(pod), switch(pod), *control(pod))]


def start(path: DataPath, supervisor: Supervisor) -> list[str]:
    """Bring up the switches of all pods until each answers; the names of the processes that were started."""
    started = []
    for pod in path.pods:
        if not supervisor.current(databases(pod)):
            # Whoever holds the files of the databases ends first, and with them all that knows what was in there.
            names = {service.name for service in (databases(pod), switch(pod), *control(pod))}
            supervisor.stop([record for record in supervisor.records() if record.name in names])
            _make_databases(pod)
        started += _started(supervisor, [databases(pod)])
    supervisor.wait_ready([databases(pod) for pod in path.pods])
    for pod in path.pods:
        _instruct(pod)
    rest = [switch(pod) for pod in path.pods]
    started += _started(supervisor, rest)
    supervisor.wait_ready(rest)
    for pod in path.pods:
        _make_bridges(path, pod)
        _track_without_nat(pod)
    rest = [service for pod in path.pods for service in control(pod)]
    started += _started(supervisor, rest)
    supervisor.wait_ready(rest)
    return started


def _started(supervisor: Supervisor, wanted: list[Service]) -> list[str]:
    return [service.name for service in wanted if supervisor.start(service)]


def _make_databases(pod: PodPath) -> None:
    """OVN's are kept as the pod's Neutron keeps its own; that of the switch begins anew: its devices are gone."""
    pod.directory.mkdir(parents=True, exist_ok=True)
    pod.data.mkdir(parents=True, exist_ok=True)
    for name, schema in _SCHEMAS.items():
        file = pod.data / f"{name}.db"
        if name == "switch":
            file.unlink(missing_ok=True)
        if not file.exists():
            run("ovsdb-tool", "create", str(file), str(schema))


def _instruct(pod: PodPath) -> None:
    """What OVN's controller reads from the switch's database, before it registers the chassis."""
    mappings = ",".join(f"{physnet}:{bridge(physnet)}" for physnet in PHYSNETS)
    values = {
        "system-id": f"{pod.name}-chassis",
        # Neutron binds a port only where its host is a chassis.
        "hostname": COMPUTE_HOST,
        "ovn-remote": pod.remote,
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": "127.0.0.1",  # one hypervisor in every pod: nobody to tunnel to
        "ovn-bridge-datapath-type": "netdev",
        "ovn-bridge-mappings": mappings,
        "ovn-cms-options": "enable-chassis-as-gw",
    }
    command = ("ovs-vsctl", f"--db={pod.remote}", "--no-wait")
    run(*command, "init")
    run(*command, "set", "open", ".", *(f'external-ids:{key}="{value}"' for key, value in values.items()))


def _make_bridges(path: DataPath, pod: PodPath) -> None:
    command = ["ovs-vsctl", f"--db={pod.remote}", "--timeout=20"]
    names = [INTEGRATION_BRIDGE, *(bridge(physnet) for physnet in PHYSNETS)]
    for name in names:
        mode = "secure" if name == INTEGRATION_BRIDGE else "standalone"
        command += ["--", "--may-exist", "add-br", name]
        command += ["--", "set", "bridge", name, "datapath_type=netdev", f"fail_mode={mode}"]
    for wire in path.wires(pod):
        command += ["--", "--may-exist", "add-port", bridge(wire.physnet), wire.inner]
    run(*command)
    for name in names:
        run("ip", "-n", pod.hypervisor, "link", "set", name, "up")


def _track_without_nat(pod: PodPath) -> None:
    """Keep OVN from ``nat(src=0.0.0.0)``, a translation that changes nothing, where it remembers a connection.

    Open vSwitch 3.1.0 keeps a twin of each such connection, which is never over. When a packet comes with the addresses
    and numbers of a connection that is over and not swept away yet, only the twin is found, and the switch dies of it:
    "assertion conn->conn_type == CT_CONN_TYPE_DEFAULT failed". The devices of all guests die with it.
    """
    unable = ("dpif/set-dp-features", INTEGRATION_BRIDGE, "ct_zero_snat", "false")
    run("ovs-appctl", "-t", str(pod.control("switch")), "--timeout=20", *unable)
    # OVN's controller, which may run already, asks anew.
    run("ovs-vsctl", f"--db={pod.remote}", "--timeout=20", "clear", "Open_vSwitch", ".", "datapaths")


def _service(pod: PodPath, name: str, command: tuple[str, ...], probe: CommandSays) -> Service:
    directories = dict.fromkeys(("OVS_RUNDIR", "OVS_LOGDIR", "OVN_RUNDIR", "OVN_LOGDIR"), str(pod.directory))
    pid_file = f"--pidfile={pod.directory / f'{name}.pid'}"
    return Service(
        name=f"{pod.name}-ovn-{name}",
        # The monitor starts a program that crashed anew, as the packages' own scripts have it: OVN's controller of
        # Debian 12 does so at times, early in its life.
        command=(*command, pid_file, "--monitor"),
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **directories},
        probe=probe,
        nice=0,
        group="data path",
    )
