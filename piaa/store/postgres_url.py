"""The URL of a store in PostgreSQL: with a password of any characters, and without it where it is shown."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

from generic.errors import StoreError

_SCHEMES = ("postgresql", "postgres")
_CREDENTIALS = re.compile(r"(?P<scheme>\w+)://(?P<user>[^:/]*):(?P<password>.*)@(?P<rest>[^@]*)", re.DOTALL)


def as_url(given: str) -> str:
    """What libpq understands, whose URLs have no @, / or : in a password.

    The last @ before the options ends the password; what is written as %40 stays.

    Raises:
        StoreError: after a % there is no character of UTF-8.

    Example:
        >>> as_url("postgresql://ana:p@ss/word@db.example/piaa?sslmode=require")
        'postgresql://ana:p%40ss%2Fword@db.example/piaa?sslmode=require'
    """
    place, mark, options = given.partition("?")
    found = _CREDENTIALS.fullmatch(place)
    if found is None:
        return given
    user, password = _quoted(found["user"]), _quoted(found["password"])
    return f"{found['scheme']}://{user}:{password}@{found['rest']}{mark}{options}"


def shown(url: str) -> str:
    """A URL as it is told: without the password.

    Args:
        url: of :func:`as_url`.

    Raises:
        StoreError: it is no URL, or not one of PostgreSQL.

    Example:
        >>> shown("postgresql://ana:secret@db.example/piaa?password=secret")
        'postgresql://ana:***@db.example/piaa?password=***'
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        raise StoreError(
            "the store's URL cannot be understood; write postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if scheme not in _SCHEMES:
        raise StoreError(
            f"a store lies in PostgreSQL or in a SQLite file, not in {scheme!r}; "
            "write postgresql://USER:PASSWORD@HOST/DATABASE, or the path of a file"
        )
    place, mark, options = url.partition("?")
    found = _CREDENTIALS.fullmatch(place)
    if found is not None:
        place = f"{found['scheme']}://{found['user']}:***@{found['rest']}"
    return place + mark + re.sub(r"(^|&)(password|sslpassword)=[^&]*", r"\1\2=***", options)


def _quoted(text: str) -> str:
    try:
        unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise StoreError("the store's URL cannot be understood; write a % of the password as %25") from None
    return quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text), safe="%")
