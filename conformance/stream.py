# SPDX-License-Identifier: Apache-2.0
"""What came of each test? Reads subunit on its standard input, writes one JSON line for each test that ended.

Run by Tempest's own interpreter: only there is a reader of subunit.
"""

import json
import sys
from typing import Any

import subunit

_ENDED = {"success": "passed", "uxsuccess": "failed", "fail": "failed", "skip": "skipped", "xfail": "passed"}


class Lines:
    """Receives the stream's events."""

    def __init__(self) -> None:
        self._details: dict[str, str] = {}

    def startTestRun(self) -> None:  # noqa: N802 - testtools' name
        """Nothing to do."""

    def stopTestRun(self) -> None:  # noqa: N802 - testtools' name
        """Nothing to do."""

    def status(self, **event: Any) -> None:
        """One event: a part of a test's details, or its end."""
        test, status = event.get("test_id"), event.get("test_status")
        if test is None:
            return
        if event.get("file_bytes") and event.get("file_name") in ("traceback", "reason"):
            text = event["file_bytes"]
            self._details[test] = self._details.get(test, "") + bytes(text).decode(errors="replace")
        if status in _ENDED:
            reason = self._details.pop(test, "")[-3000:]
            sys.stdout.write(json.dumps({"test": test, "status": _ENDED[status], "reason": reason}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name="stdout").run(Lines())
