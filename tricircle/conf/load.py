# SPDX-License-Identifier: Apache-2.0
"""How do files and a command line become settings, and how is a mistake in them said?"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from glob import glob
from os import path
from typing import Any, NoReturn

from oslo_config import cfg
from oslo_log import log

from tricircle import __version__
from tricircle.conf import options
from tricircle.conf.settings import (
    CentralSettings,
    ConsoleSettings,
    DatabaseSettings,
    GatewaySettings,
    NetworkingSettings,
    Settings,
    UpstreamSettings,
    WorkerSettings,
)
from tricircle.errors import SettingsError

#: Exit code of a process whose settings are wrong (EX_USAGE of sysexits.h).
EXIT_SETTINGS = 64
#: What oslo.config repeats of a line that it cannot read.
_LINE = re.compile(r""": (['"]).*\1$""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Known:
    """Which keys a section may have."""

    sections: Mapping[str, frozenset[str]]

    def check(self, file: str) -> None:
        """Refuse what no option is called like. :raises SettingsError: naming file, section and key."""
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(file, sections).parse()
        for section, values in sections.items():
            known = self.sections.get(section)
            if known is None:
                raise SettingsError(f"{file}: there is no section [{section}]{_hint(section, self.sections)}", section)
            for key in values:
                if _plain(key) not in known:
                    raise SettingsError(
                        f"{file}: [{section}] has no option {key}{_hint(_plain(key), known)}", f"{section}.{key}"
                    )


def load(argv: Sequence[str] | None = None, *, prog: str) -> Settings:
    """Read the settings of a process.

    :param argv: arguments without the program's name; None means those of this process
    :param prog: the program's name; ``--config-file`` defaults to ``tricircle.conf`` in ``~/.tricircle`` and
        ``/etc/tricircle``
    :raises SettingsError: a file cannot be read, a key is unknown, a value is not of its kind; the text names file
        and key
    """
    return settings_of(parse(argv, prog=prog))


def load_or_exit(argv: Sequence[str] | None = None, *, prog: str, read: Callable[..., Settings] = load) -> Settings:
    """:func:`load` for ``main()`` functions: a mistake is said on standard error and ends the process with code 64."""
    try:
        return read(argv, prog=prog)
    except SettingsError as error:
        exit_for(error, prog=prog)


def exit_for(error: SettingsError, *, prog: str) -> NoReturn:
    """Say what is wrong with the settings and end the process with code 64."""
    sys.stderr.write(f"{prog}: {error.message}\n")
    raise SystemExit(EXIT_SETTINGS)


def parse(argv: Sequence[str] | None, *, prog: str, cli: Sequence[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """The parsed and checked options; ``cli`` are further command line options of the program. Raises like
    :func:`load`.
    """
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    conf.register_cli_opts(cli)
    for section, opts in options.SECTIONS.items():
        conf.register_opts(opts, group=section)
    try:
        conf(sys.argv[1:] if argv is None else list(argv), project="tricircle", prog=prog, version=__version__)
        for file in _files(conf):
            _known(file).check(file)
        _read_all(conf)
    except cfg.ConfigFilesNotFoundError as error:
        raise SettingsError(f"cannot read {', '.join(error.config_files)}", "config_file") from error
    except cfg.ConfigFileParseError as error:
        # Its text ends with the line, which may be the one with the password.
        place = _LINE.sub("", error.msg)
        raise SettingsError(f"cannot read {error.config_file}: {place}") from None
    except cfg.Error as error:
        raise SettingsError(str(error)) from error
    return conf


def settings_of(conf: cfg.ConfigOpts) -> Settings:
    """The records made of parsed options. :raises SettingsError: when options contradict each other."""
    values = {
        section: {opt.dest: conf[section][opt.dest] for opt in opts} for section, opts in options.SECTIONS.items()
    }
    for section, key in (
        ("gateway", "public_endpoint"),
        ("gateway", "admin_endpoint"),
        ("console", "public_endpoint"),
        ("console", "spice_direct_endpoint"),
        *(("central", k) for k in values["central"]),
    ):
        values[section][key] = values[section][key].rstrip("/")
    for section in ("gateway", "console"):
        _check_tls(section, values[section])
    values["console"]["allowed_origins"] = tuple(values["console"]["allowed_origins"])
    for section, key in (
        ("upstream", "ca_file"),
        ("database", "ca_file"),
        ("gateway", "tls_certificate"),
        ("gateway", "tls_key"),
        ("console", "tls_certificate"),
        ("console", "tls_key"),
    ):
        file = values[section][key]
        if file and not path.isfile(file):
            raise SettingsError(f"[{section}] {key}: there is no file {file}", f"{section}.{key}")
    return Settings(
        database=DatabaseSettings(**values["database"]),
        gateway=GatewaySettings(**values["gateway"]),
        central=CentralSettings(**values["central"]),
        upstream=UpstreamSettings(**values["upstream"]),
        networking=NetworkingSettings(**values["networking"]),
        worker=WorkerSettings(**values["worker"]),
        console=ConsoleSettings(**values["console"]),
        raw=conf,
    )


def _check_tls(section: str, values: Mapping[str, Any]) -> None:
    if bool(values["tls_certificate"]) != bool(values["tls_key"]):
        missing = "tls_key" if values["tls_certificate"] else "tls_certificate"
        raise SettingsError(
            f"[{section}] {missing} is missing: certificate and key belong together", f"{section}.{missing}"
        )


def _files(conf: cfg.ConfigOpts) -> list[str]:
    files = list(conf.config_file or [])
    for folder in conf.config_dir or []:
        files += sorted(glob(path.join(folder, "*.conf")))
    return files


def _known(file: str) -> _Known:
    """The keys that ``file`` may hold; credentials depend on the authentication plugin that it names."""
    sections: dict[str, dict[str, list[str]]] = {}
    cfg.ConfigParser(file, sections).parse()
    found: dict[str, set[str]] = {}
    plugins = {s: (v.get("auth_type") or ["password"])[0] for s, v in sections.items()}
    try:
        listed = [
            *options.SECTIONS.items(),
            (options.SERVICE_USER, options.list_service_user_opts(plugins.get(options.SERVICE_USER, "password"))),
            *options.list_library_opts(plugins.get("keystone_authtoken", "password")),
        ]
    except Exception as error:  # keystoneauth1 raises its own class for a plugin that is not installed
        if type(error).__name__ != "NoMatchingPlugin":
            raise
        raise SettingsError(f"{file}: {error}", "auth_type") from error
    for section, opts in listed:
        names = found.setdefault(section, set())
        for opt in opts:
            names.update((_plain(opt.name), _plain(opt.dest)))
            names.update(_plain(old.name) for old in opt.deprecated_opts if old.name)
    return _Known({section: frozenset(names) for section, names in found.items()})


def _read_all(conf: cfg.ConfigOpts) -> None:
    """Make every wrong value raise now: oslo.config checks a value when it is first read."""
    for section, opts in options.SECTIONS.items():
        for opt in opts:
            try:
                conf[section][opt.dest]
            except (cfg.Error, ValueError) as error:
                raise SettingsError(f"[{section}] {opt.dest}: {error}", f"{section}.{opt.dest}") from error


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()


def _hint(name: str, known: Sequence[str] | frozenset[str] | Mapping[str, object]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
