# SPDX-License-Identifier: Apache-2.0
"""The command line of the lab: up, demo, down, status, datapath, logs, env."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab import clouds, status
from lab.compute_record import RecordError
from lab.database import SqlError
from lab.datapath import allowed
from lab.datapath.matrix import unanswered
from lab.datapath.namespaces import PathError
from lab.datapath.plan import data_path
from lab.down import down
from lab.environment import EnvironmentFailedError
from lab.packages import PackagesError
from lab.process import StartError, Supervisor
from lab.progress import Progress
from lab.rest import RestError
from lab.schemas import MigrationError
from lab.services.tricircle import TricircleError
from lab.topology import DEFAULT_BASE, DEFAULT_PODS, DataPathKind, Lab, load_choices, load_lab, make_lab
from lab.up import no_packets, prepare, up

ROOT = Path(__file__).resolve().parent.parent
FAILURES = (
    EnvironmentFailedError,
    MigrationError,
    PackagesError,
    PathError,
    RecordError,
    RestError,
    SqlError,
    StartError,
    TricircleError,
)
#: What a demo says whose servers do not all hear each other.
SILENCE = (
    "\nThe demo ends with a defect: all servers should hear each other, and these pings had no answer: {}.\n"
    "Is every switch up (`python -m lab status`)? What did they say (`python -m lab logs pod1-ovn-controller`)?\n"
    "`make demo` tries again; `python -m lab up --fresh --datapath ovn` begins with no data.\n"
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except FAILURES as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _up(options: argparse.Namespace) -> int:
    if options.fresh:
        down(load_lab(ROOT), wipe=True)
    up(_chosen(options))
    return 0


def _demo(options: argparse.Namespace) -> int:
    lab = _chosen(options)
    why = None if lab.has_packets or options.datapath else no_packets(lab)
    if not lab.has_packets and not options.datapath and why is None:
        options.datapath = DataPathKind.OVN
        lab = _chosen(options)
    if why:
        print(f"The servers of this demo have no packets: {why}.", file=sys.stderr)
    up(lab)
    # Only this command needs the walk-through: the others work without it.
    from lab import demo

    path = data_path(lab) if lab.has_packets else None
    rows = demo.show(lab.venv / "bin" / "python", lab.state / "clouds.yaml", lab.url("admin-api") + "/v1.0", path)
    if why:
        print(f"\nNo ping was sent, since the servers of this demo have no packets: {why}.")
    print("\nAll of it stays, the servers too: source .lab/openrc; openstack server list. `make demo-down` ends it.")
    if missing := unanswered(rows):
        sys.stderr.write(SILENCE.format("; ".join(missing)))
        return 1
    return 0


def _install(options: argparse.Namespace) -> int:
    prepare(_chosen(options), Progress())
    return 0


def _down(options: argparse.Namespace) -> int:
    down(load_lab(ROOT), wipe=options.wipe)
    return 0


def _status(options: argparse.Namespace) -> int:
    lab = load_lab(ROOT)
    found = status.rows(lab)
    print(status.table(found, status.releases(lab)))
    return 0 if found and all(row.up for row in found) else 3


def _datapath(options: argparse.Namespace) -> int:
    why = allowed.obstacle()
    print(f"No data path on this machine: {why}." if why else "This machine can have a data path.")
    return 3 if why else 0


def _logs(options: argparse.Namespace) -> int:
    lab = load_lab(ROOT)
    supervisor = Supervisor(lab.run, lab.logs)
    names = options.name or sorted(path.stem for path in lab.logs.glob("*.log"))
    for name in names:
        print(f"==> {supervisor.log(name)} <==")
        print(supervisor.tail(name, options.lines))
    return 0


def _env(options: argparse.Namespace) -> int:
    sys.stdout.write(clouds.exports(load_lab(ROOT)))
    return 0


def _chosen(options: argparse.Namespace) -> Lab:
    """The lab of the options, and where they say nothing the lab as it was last started."""
    before = load_lab(ROOT)
    known = bool(load_choices(ROOT))
    rabbit = frozenset(options.rabbit) if options.rabbit is not None else None
    older = frozenset(options.older) if options.older is not None else None
    try:
        return make_lab(
            ROOT,
            pods=options.pods or (len(before.pods) if known else DEFAULT_PODS),
            base=options.port_base or before.base,
            rabbit=rabbit if rabbit is not None else frozenset(p.name for p in before.rabbit_pods),
            older=older if older is not None else frozenset(p.name for p in before.older_pods),
            pod_glance=before.pod_glance if options.pod_glance is None else options.pod_glance,
            tricircle=before.tricircle if options.tricircle is None else options.tricircle,
            compute_hosts=options.hosts or before.compute_hosts,
            datapath=options.datapath or before.datapath,
        )
    except ValueError as error:
        raise SystemExit(f"lab: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description="Real OpenStack services as a centre and several pods on this machine, in .lab/.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    command = commands.add_parser("up", help="bring up what is missing, until everything answers")
    command.add_argument("--fresh", action="store_true", help="begin with no data")
    _add_choices(command)
    command.set_defaults(run=_up)

    command = commands.add_parser("demo", help="up, then the walk-through with stock clients, step by step")
    _add_choices(command)
    command.set_defaults(run=_demo)

    command = commands.add_parser("install", help="only install the packages and the environment")
    _add_choices(command)
    command.set_defaults(run=_install)

    command = commands.add_parser("down", help="end all processes of the lab; data stays")
    command.add_argument("--wipe", action="store_true", help="delete the data too")
    command.set_defaults(run=_down)

    command = commands.add_parser("status", help="what runs, and what it costs; 3 if anything is down")
    command.set_defaults(run=_status)

    command = commands.add_parser("datapath", help="may this machine have real switches? 3 if not, and why")
    command.set_defaults(run=_datapath)

    command = commands.add_parser("logs", help="the ends of the logs")
    command.add_argument("name", nargs="*", help="of which processes (default: all)")
    command.add_argument("-n", "--lines", type=int, default=30, help="how many lines (default: 30)")
    command.set_defaults(run=_logs)

    command = commands.add_parser("env", help='for a shell: eval "$(python -m lab env)"')
    command.set_defaults(run=_env)
    return parser


def _at_least_one(text: str) -> int:
    """A number for the command line; 0 must not pass for "not given", which would start the lab as it was."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _add_choices(command: argparse.ArgumentParser) -> None:
    """What is not given stays as it was at the last start."""
    command.add_argument("--pods", type=_at_least_one, metavar="N", help=f"how many pods (first: {DEFAULT_PODS})")
    command.add_argument(
        "--rabbit",
        nargs="*",
        metavar="POD",
        help="pods with RabbitMQ and a process for every service (e.g. --rabbit pod2; first: none)",
    )
    command.add_argument("--hosts", type=int, metavar="N", help="compute hosts in every pod (first: 1)")
    command.add_argument(
        "--older",
        nargs="*",
        metavar="POD",
        help="pods of an older OpenStack release, in an environment of their own (e.g. --older pod3; first: none)",
    )
    command.add_argument(
        "--datapath",
        choices=[str(kind) for kind in DataPathKind],
        help="ovn: real Open vSwitch and OVN carry the servers' packets, as root (first: imitated)",
    )
    command.add_argument("--port-base", type=int, metavar="N", help=f"lowest port but one (first: {DEFAULT_BASE})")
    command.add_argument(
        "--pod-glance",
        action=argparse.BooleanOptionalAction,
        help="a Glance of its own in every second pod (first: yes); Nova and Cinder of the others use the central one",
    )
    command.add_argument(
        "--tricircle",
        action=argparse.BooleanOptionalAction,
        help="tricircle before the centre, and its drivers in the central Neutron (first: yes)",
    )


if __name__ == "__main__":
    sys.exit(main())
