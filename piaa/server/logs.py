"""The server's log: a line of JSON for all that it says, and which request it says it of.

A request has an id of its own: that of the header ``X-Request-ID`` if a proxy sent a sane one, or one made
here; the answer has it too. A key is named by its id, and nobody by her name.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import secrets
from contextvars import ContextVar
from typing import Any

from starlette.types import Message, Scope

HEADER = b"x-request-id"
_NAMES = re.compile(r"""(\busers? |\bdid you mean )(['"]).*?\2""")
"""Where an error's own words, or those of a trace, name somebody."""
_SANE = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


class JsonLines(logging.Formatter):
    """Time in UTC, level, logger and message; facts in place of a message where ``extra`` has ``facts``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        request = _REQUEST.get()
        if request is not None:
            line["request"] = request
        facts = getattr(record, "facts", None)
        line |= {"message": _unnamed(record.getMessage())} if facts is None else facts
        if record.exc_info:
            line["trace"] = _unnamed(self.formatException(record.exc_info))
        return json.dumps(line)


def config() -> dict[str, Any]:
    """For uvicorn, whose own lines are then of the same form."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "piaa.server.logs.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {"uvicorn": {"level": "INFO"}},
    }


def begin(scope: Scope) -> str:
    """The id of a request, which all lines have from now on that are written for it."""
    given = dict(scope["headers"]).get(HEADER, b"")
    request = given.decode() if _SANE.fullmatch(given) else secrets.token_hex(8)
    _REQUEST.set(request)
    return request


def marked(message: Message, request: str) -> Message:
    """The start of an answer, with the request's id."""
    return {**message, "headers": [*message.get("headers", []), (HEADER, request.encode())]}


def _unnamed(text: str) -> str:
    return _NAMES.sub(r"\1...", text)
