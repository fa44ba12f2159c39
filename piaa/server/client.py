"""A client of ``piaa serve``.

Example:
    >>> from piaa.server.client import Client
    >>> with Client("http://127.0.0.1:8000", key="piaa_...") as client:  # doctest: +SKIP
    ...     client.rate("ana", {"beach.jpg": 5, "forest.jpg": 2})
    ...     client.wait(client.fit("ana").id)
    ...     client.score(["ana"], ["harbour.jpg"]).users[0].scores
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from generic.errors import PiaaError
from piaa.server.schemas import (
    ErasedInfo,
    JobInfo,
    ModelInfo,
    Rated,
    Scores,
    Suggestion,
    UserExport,
    UserInfo,
    UserLine,
    UserPage,
    Withdrawn,
)

M = TypeVar("M", bound=BaseModel)
_POLL_S = 0.1


class ServerError(PiaaError):
    """The server refused, or could not be reached; the message is the server's own line.

    Args:
        message: what was wrong, and the cure.
        status: the HTTP status; None if no answer came.
        retry_after_s: when to try again, in seconds, if the server says so.
    """

    def __init__(self, message: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after_s = status, retry_after_s


class Client:
    """One server and one key. Every method raises ServerError if the server refuses.

    Args:
        url: where the server is.
        key: the secret that ``piaa keys create`` printed; None for a server without keys.
        timeout_s: how long to wait for an answer, in seconds.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout_s: float = 60.0) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def score(
        self,
        users: Sequence[str],
        images: Sequence[str | Path] = (),
        *,
        sha256: Sequence[str] = (),
        intervals: bool = False,
        fallback: bool = False,
        exact: bool = True,
    ) -> Scores:
        """Scores of every image for every user; an image that cannot be read has a problem and no score.

        Args:
            users: whose scores.
            images: image files.
            sha256: content hashes of images that the server has seen before; they come after the files.
            intervals: with the 80 % intervals.
            fallback: give users who are not fitted the generic score.
            exact: as the adapter scores; False leaves out the smooth part of ``auto``, for many users.
        """
        if not images:  # the server answers this form sooner
            asked = {"users": list(users), "sha256": list(sha256), "intervals": intervals, "exact": exact}
            asked |= {"fallback": "generic"} if fallback else {}
            return Scores(**self._call("POST", "/v1/score", json=asked).json())
        params: dict[str, str] = {"intervals": str(intervals).lower(), "exact": str(exact).lower()}
        if fallback:
            params["fallback"] = "generic"
        form = {"user": list(users), "sha256": list(sha256)}
        return Scores(
            **self._call("POST", "/v1/score", params=params, data=form, files=_files(images)).json()
        )

    def rate(
        self,
        user: str,
        ratings: Mapping[str, float] | Mapping[Path, float],
        *,
        scale: tuple[float, float] | None = None,
    ) -> Rated:
        """Keep ratings of image files; a photo rated again has its new score.

        Args:
            user: who gave them; created if new.
            ratings: score of each file.
            scale: the ends of the scale; None is that of the ratings before, and 1 to 5 for a new user.
        """
        rows = [{"image": Path(path).name, "score": score} for path, score in ratings.items()]
        _check_names(list(ratings))
        form = {"ratings": json.dumps(rows)}
        if scale is not None:
            form["scale"] = f"{scale[0]!r}..{scale[1]!r}"
        answer = self._call("POST", f"{_path(user)}/ratings", data=form, files=_files(list(ratings)))
        return Rated(**answer.json())

    def compare(self, user: str, comparisons: Sequence[tuple[str | Path, str | Path, str]]) -> Rated:
        """Keep which of two image files a user prefers.

        Args:
            user: who; created if new.
            comparisons: two files, and ``a``, ``b`` or ``equal``.
        """
        paths = list(dict.fromkeys(path for a, b, _ in comparisons for path in (Path(a), Path(b))))
        _check_names(paths)
        rows = [{"a": Path(a).name, "b": Path(b).name, "outcome": one} for a, b, one in comparisons]
        form = {"comparisons": json.dumps(rows)}
        return Rated(
            **self._call("POST", f"{_path(user)}/comparisons", data=form, files=_files(paths)).json()
        )

    def flag(self, user: str, flags: Mapping[str | Path, str]) -> Rated:
        """Keep which image files a user picked or rejected.

        Args:
            user: who; created if new.
            flags: ``pick`` or ``reject`` for each file.
        """
        _check_names(list(flags))
        form = {"flags": json.dumps([{"image": Path(path).name, "flag": one} for path, one in flags.items()])}
        return Rated(
            **self._call("POST", f"{_path(user)}/flags", data=form, files=_files(list(flags))).json()
        )

    def withdraw(self, user: str, sha256: str) -> Withdrawn:
        """Delete all that a user ever said of a photo, and what was learned with it.

        Args:
            user: who.
            sha256: hash of a file that holds the photo.
        """
        return Withdrawn(**self._call("DELETE", f"{_path(user)}/ratings/{quote(sha256, safe='')}").json())

    def fit(self, user: str, adapter: str | None = None) -> JobInfo:
        """Ask for a fit to all ratings of the user; see :meth:`wait`."""
        params = {} if adapter is None else {"adapter": adapter}
        return JobInfo(**self._call("POST", f"{_path(user)}/fit", params=params).json())

    def job(self, job: str) -> JobInfo:
        """How a fit stands."""
        return JobInfo(**self._call("GET", f"/v1/jobs/{quote(job, safe='')}").json())

    def wait(self, job: str, *, timeout_s: float = 60.0) -> JobInfo:
        """The job, once it is done.

        Raises:
            ServerError: it failed, or is not done in time.
        """
        end = time.monotonic() + timeout_s
        while True:
            found = self.job(job)
            if found.state == "done":
                return found
            if found.state == "failed":
                raise ServerError(f"fit {job} of user {found.user!r} failed: {found.error}")
            if time.monotonic() > end:
                raise ServerError(f"fit {job} is {found.state} after {timeout_s:g} s; ask again later")
            time.sleep(_POLL_S)

    def user(self, user: str) -> UserInfo:
        """All that is kept of a user, but vectors and states."""
        return UserInfo(**self._call("GET", _path(user)).json())

    def export(self, user: str) -> UserExport:
        """All that is kept of a user, vectors and states included."""
        return UserExport(**self._call("GET", f"{_path(user)}/export").json())

    def users(self) -> Iterator[UserLine]:
        """All users, fetched a page at a time; needs an admin's key."""
        after: int | None = 0
        while after is not None:
            page = UserPage(**self._call("GET", "/v1/users", params={"after": after}).json())
            yield from page.users
            after = page.next

    def suggest(
        self, user: str, sha256: Sequence[str], n: int = 10, *, ask: str = "ratings"
    ) -> list[Suggestion]:
        """Which of these photos to rate next, or, with ``both`` and ``comparisons``, to compare."""
        asked = {"sha256": list(sha256), "n": n, "ask": ask}
        answer = self._call("GET", f"{_path(user)}/suggest", params=asked)
        return TypeAdapter(list[Suggestion]).validate_python(answer.json())

    def rollback(self, user: str, version: int) -> UserInfo:
        """Make an earlier version the active one; needs an admin's key."""
        return UserInfo(**self._call("POST", f"{_path(user)}/rollback", json={"version": version}).json())

    def erase(self, user: str) -> ErasedInfo:
        """Erase all that is kept of a user, and say what that was; needs an admin's key."""
        return ErasedInfo(**self._call("DELETE", _path(user)).json())

    def models(self) -> list[ModelInfo]:
        """The models that score."""
        return TypeAdapter(list[ModelInfo]).validate_python(self._call("GET", "/v1/models").json())

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ServerError(
                f"the server at {self._http.base_url} does not answer ({error or type(error).__name__}); "
                "is it running?"
            ) from error
        if answer.status_code < 400:
            return answer
        try:
            detail = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):  # a proxy's own page
            detail = f"the server at {self._http.base_url} answered {answer.status_code} without saying why"
        again = answer.headers.get("retry-after", "")
        raise ServerError(detail, answer.status_code, float(again) if again.isdigit() else None)


def _path(user: str) -> str:
    # Servers and proxies undo the escape of a slash, and then see another path.
    if "/" in user or user in (".", ".."):
        raise PiaaError(
            f"user {user!r} cannot be part of a web address; name users without '/', and not '.' or '..'"
        )
    return f"/v1/users/{quote(user, safe='')}"


def _check_names(paths: Sequence[str | Path]) -> None:
    """Raises PiaaError if the server could not tell two files apart."""
    if len({Path(path).name for path in paths}) < len(paths):
        raise PiaaError("two of the files have the same name; send them in two calls")


def _files(paths: Sequence[str | Path]) -> list[tuple[str, tuple[str, bytes]]] | None:
    files = []
    for path in paths:
        try:
            files.append(("image", (os.path.basename(path), Path(path).read_bytes())))  # noqa: PTH119
        except OSError as error:
            raise PiaaError(f"cannot read {os.fspath(path)!r}: {error.strerror}; check its path") from error
    return files or None
