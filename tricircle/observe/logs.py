# SPDX-License-Identifier: Apache-2.0
"""How do log lines come about, and how does each one know its request?

oslo.log decides where lines go and how they look (``[DEFAULT]``). Every line written while a request or a job is
worked on carries its request id. Access lines go to the same place in the same form, by a shorter way: there is one
per request.
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from oslo_log import log
from oslo_log.formatters import ContextFormatter

from tricircle import __version__

if TYPE_CHECKING:
    from oslo_config import cfg

#: Libraries whose lines would repeat what we say ourselves, or warn of what we chose.
_LEVELS = (
    "keystonemiddleware.auth_token=ERROR",
    "asyncio=WARNING",
    "aiosqlite=WARNING",
    "alembic.runtime=INFO",
    "granian=INFO",
)
#: Seconds for which access lines are held back, to be written together.
_HOLD_S = 0.25
#: What stands behind these is a token (of Keystone's old API, of a console).
_SECRET_SEGMENT = re.compile(r"(\b(?:tokens|os-console-auth-tokens)/)[^/?\s]+")
_CURRENT: ContextVar[Mapping[str, str | None] | None] = ContextVar("tricircle_log_context", default=None)


def prepare() -> None:
    """Set our defaults of oslo.log's options. To be called before the configuration is parsed."""
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *_LEVELS])


def setup(conf: "cfg.ConfigOpts", product: str) -> None:
    """Begin to log as the operator wants. Once per process.

    :param product: the program's name, for syslog and journal
    """
    log.setup(conf, product, __version__, fix_eventlet=False)
    logging.setLogRecordFactory(_record)
    logging.captureWarnings(capture=True)


def without_secrets(path: str) -> str:
    """A path as it may be written down: some calls have a token in it.

    >>> without_secrets("/identity/v2.0/tokens/abc/endpoints")
    '/identity/v2.0/tokens/***/endpoints'
    """
    return _SECRET_SEGMENT.sub(r"\1***", path) if "tokens/" in path else path


def begin(request_id: str, global_request_id: str | None = None) -> Token[Mapping[str, str | None] | None]:
    """Let every line of this task carry these ids, until :func:`end`."""
    return _CURRENT.set({"request_id": request_id, "global_request_id": global_request_id or "-"})


def end(token: Token[Mapping[str, str | None] | None]) -> None:
    """Go back to what was before :func:`begin`."""
    _CURRENT.reset(token)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = logging.LogRecord(*args, **kwargs)
    context = _CURRENT.get()
    if context is not None:
        record.context = context
    return record


class AccessLog:
    """Writes one line per request, to the places where all other lines go.

    Made after :func:`setup`. A place that is a stream or a file in the usual form gets the lines of a quarter of a
    second at once; others (JSON, syslog, journal) get an ordinary record each.
    """

    def __init__(self) -> None:
        self._logger = logging.getLogger("tricircle.access")
        self._is_on = self._logger.isEnabledFor(logging.INFO)
        self._streams: list[logging.StreamHandler[Any]] = []
        self._others: list[logging.Handler] = []
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, ContextFormatter):
                self._streams.append(handler)
            else:
                self._others.append(handler)
        self._head = f"{os.getpid()} INFO tricircle.access"
        self._second = 0
        self._stamp = ""
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def write(self, *, request_id: str, global_request_id: str | None, user: str, project: str, text: str) -> None:
        """Write a line. ``text`` holds no secrets: a verb, a path, a status, times."""
        if not self._is_on:
            return
        if self._others:
            self._write_record(request_id, global_request_id, text)
        if not self._streams:
            return
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        self._lines.append(
            f"{self._stamp}.{int((now - second) * 1000):03d} {self._head} "
            f"[{global_request_id or '-'} {request_id} {user} {project}] {text}\n"
        )
        if self._timer is None:
            self._arm()

    def flush(self) -> None:
        """Write what is held back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = "".join(self._lines), []
        if lines:
            self._reopen()
        for handler in self._streams if lines else ():
            handler.acquire()
            try:
                handler.stream.write(lines)
                handler.stream.flush()
            except (OSError, ValueError):
                # A full disk or a closed stream must not cost an answer.
                pass
            finally:
                handler.release()

    def _arm(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._timer = loop.call_later(_HOLD_S, self.flush)

    def _reopen(self) -> None:
        """Open files anew that were rotated, as their handlers do for their own lines."""
        for handler in self._streams:
            reopen = getattr(handler, "reopenIfNeeded", None)
            if reopen is not None:
                handler.acquire()
                try:
                    reopen()
                finally:
                    handler.release()

    def _write_record(self, request_id: str, global_request_id: str | None, text: str) -> None:
        record = self._logger.makeRecord(self._logger.name, logging.INFO, "", 0, "%s", (text,), None)
        record.context = {"request_id": request_id, "global_request_id": global_request_id or "-"}
        for handler in self._others:
            handler.handle(record)
