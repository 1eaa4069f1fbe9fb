# SPDX-License-Identifier: Apache-2.0
"""Are there known holes in what the gateway is made of?

``make check`` asks pip-audit about every version in ``requirements/runtime.lock``. Exit code 1 when one of them has a
known vulnerability; 0 when there is none, and when the vulnerability data cannot be reached from here: then it says
clearly that nothing was audited. The first package is asked for alone: a machine without the data asks for no more.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "runtime.lock"
_PATIENCE_S = 300
_COMMAND = (
    sys.executable,
    "-m",
    "pip_audit",
    "--no-deps",
    "--disable-pip",
    "--vulnerability-service=pypi",
    "--progress-spinner=off",
    "--timeout=15",
    "--format=json",
)


def pinned(text: str) -> list[str]:
    """The ``name==version`` lines of a lock file.

    >>> pinned("# made by uv\\na==1\\n    # via b\\n")
    ['a==1']
    """
    return [line.strip() for line in text.splitlines() if "==" in line and not line.lstrip().startswith("#")]


def asked(lines: Sequence[str], command: Sequence[str] = _COMMAND) -> tuple[list[dict[str, object]], str]:
    """What pip-audit says of each pinned package (``name``, ``version``, ``vulns`` or ``skip_reason``), and what it
    complains of; nothing and a complaint when it cannot do its work."""
    with tempfile.TemporaryDirectory(prefix="tricircle-audit-") as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(lines) + "\n")
        try:
            done = subprocess.run(
                [*command, "--requirement", str(file)], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return [], str(error)
    try:
        return list(json.loads(done.stdout)["dependencies"]), ""
    except (ValueError, KeyError, TypeError):
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        return [], last[0] if last else f"pip-audit ended with {done.returncode}"


def verdict(found: Sequence[dict[str, object]], complaint: str, count: int) -> tuple[int, list[str]]:
    """Exit code and what to print.

    :param count: how many packages should have been looked at
    """
    vulnerable = [one for one in found if one.get("vulns")]
    if vulnerable:
        lines = []
        for one in vulnerable:
            known = one["vulns"]
            for hole in known if isinstance(known, list) else ():
                fixed = ", ".join(hole.get("fix_versions") or ()) or "no version yet"
                lines.append(f"{one['name']} {one['version']}: {hole['id']}, fixed in {fixed}")
        return 1, [*lines, "audit: known vulnerabilities; raise the versions in pyproject.toml and run `make lock`"]
    audited = [one for one in found if "vulns" in one]
    if not audited:
        reason = complaint or next((str(one["skip_reason"]) for one in found if one.get("skip_reason")), "no answer")
        return 0, [f"audit: NOT AUDITED, the vulnerability data cannot be reached from here ({reason})"]
    if len(audited) < count:
        return 0, [f"audit: no known vulnerabilities in {len(audited)} packages; {count - len(audited)} NOT AUDITED"]
    return 0, [f"audit: no known vulnerabilities in {count} packages"]


def main() -> int:
    """Print the verdict; 1 when a vulnerability is known."""
    lines = pinned(LOCK.read_text())
    found, complaint = asked(lines[:1])
    if any("vulns" in one for one in found) and len(lines) > 1:
        more, complaint = asked(lines[1:])
        found += more
    code, said = verdict(found, complaint, len(lines))
    print("\n".join(said))
    return code


if __name__ == "__main__":
    sys.exit(main())
