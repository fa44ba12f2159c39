"""How the rows of schema 2 become those of schema 3, some people at a time."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as unpack

from piaa.adapters.vectors import FEATURES
from piaa.store.learned_from import learned_from
from piaa.store.photos import name_identity
from piaa.store.sql import Rows, Sql, insert_many, run_in
from piaa.store.states import checksum, detach

_PEOPLE = 50
"""Moved at once: their states may take 100 MB."""
_NO_SCALE = (1.0, 5.0)
_RATED = "SELECT adapter_id, position, image, sha256, score FROM old_ratings WHERE adapter_id IN {chosen}"

Row = dict[str, Any]
Vector = NDArray[np.float32]


@dataclass
class _Batch:
    """New rows of some people, by table; written in the order in which tables refer to one another."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    vectors: dict[tuple[int, int], Row] = field(default_factory=dict)
    scales: list[Row] = field(default_factory=list)


class Mover:
    """Moves all people, in the order of their numbers.

    Args:
        sql: a transaction in which the old tables are called ``old_...`` and the new ones are empty.
    """

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._last = dict.fromkeys(("photos", "changes", "ratings", "comparisons", "versions", "models"), 0)
        self._models: dict[str, int] = {}
        self._batch = _Batch()

    def move(self) -> None:
        """Move everybody."""
        self._find_models()
        after = 0
        while people := self._sql.run(
            "SELECT id, active, scale_low, scale_high FROM users WHERE id > :after ORDER BY id LIMIT :n",
            after=after,
            n=_PEOPLE,
        ):
            after = people[-1][0]
            self._move(people)
        for table in self._last:
            self._sql.count_on(table)

    def _find_models(self) -> None:
        hashes = "SELECT model_hash FROM old_adapters UNION SELECT model_hash FROM old_given"
        for (model_hash,) in sorted(self._sql.run(hashes)):
            self._models[model_hash] = self._next("models")
            self._batch.rows["models"].append({"id": self._models[model_hash], "hash": model_hash})

    def _next(self, table: str) -> int:
        self._last[table] += 1
        return self._last[table]

    def _move(self, people: Rows) -> None:
        first, last = people[0][0], people[-1][0]
        given = self._of_users(
            "SELECT user_id, created, sha256, image, score, model_hash, vector FROM old_given"
            " WHERE user_id BETWEEN :first AND :last ORDER BY user_id, created, sha256",
            first,
            last,
        )
        versions = self._of_users(
            "SELECT user_id, id, version, created, adapter, model_hash, scale_low, scale_high, n_ratings,"
            " extra, state, digest, head, model_name FROM old_adapters WHERE user_id BETWEEN :first AND :last"
            " ORDER BY user_id, version",
            first,
            last,
        )
        # By their numbers, of which any database sees that the index finds them.
        numbers = [row[0] for rows in versions.values() for row in rows]
        rated: dict[int, Rows] = defaultdict(list)
        for key, _, *rating in sorted(run_in(self._sql, _RATED, numbers), key=lambda row: row[:2]):
            rated[key].append(tuple(rating))
        photos = self._photos(people, given, versions, rated)
        for user, active, low, high in people:
            scale = None if low is None else (float(low), float(high))
            person = _Person(self, self._batch, user, scale, photos)
            person.merge(versions.get(user, []), given.get(user, []), rated)
            person.choose(active)
        self._write()
        self._forget(first, last, numbers)

    def _forget(self, first: int, last: int, versions: Sequence[int]) -> None:
        """Free the place of what was moved for what is to come: a file need not grow to twice its size."""
        run_in(self._sql, "DELETE FROM old_ratings WHERE adapter_id IN {chosen}", versions)
        run_in(self._sql, "DELETE FROM old_adapters WHERE id IN {chosen}", versions)
        given = "DELETE FROM old_given WHERE user_id BETWEEN :first AND :last"
        self._sql.run(given, first=first, last=last)

    def _of_users(self, statement: str, first: int, last: int) -> dict[int, Rows]:
        found: dict[int, Rows] = defaultdict(list)
        for key, *row in self._sql.run(statement, first=first, last=last):
            found[key].append(tuple(row))
        return found

    def _photos(
        self,
        people: Rows,
        given: Mapping[int, Rows],
        versions: Mapping[int, Rows],
        rated: Mapping[int, Rows],
    ) -> dict[str, int]:
        """The number of every photo of these people, by identity; new ones are added."""
        wanted: dict[str, str | None] = {}  # identity -> sha256 of the file
        for user, *_ in people:
            wanted |= {row[1]: row[1] for row in given.get(user, [])}
            for version in versions.get(user, []):
                for image, sha256, _ in rated.get(version[0], []):
                    wanted[sha256 or name_identity(user, image)] = sha256
                for image in _compared(version):
                    wanted[name_identity(user, image)] = None
        identities = sorted(wanted)
        chosen = "SELECT identity, id FROM photos WHERE identity IN {chosen}"
        known = dict(run_in(self._sql, chosen, identities))
        for identity in identities:
            if identity not in known:
                known[identity] = self._next("photos")
                self._batch.rows["photos"].append({"id": known[identity], "identity": identity})
                if wanted[identity]:
                    self._batch.rows["file_digests"].append({"sha256": identity, "photo_id": known[identity]})
        return known

    def _write(self) -> None:
        batch, self._batch = self._batch, _Batch()
        tables = (
            *("models", "photos", "file_digests", "changes", "ratings", "comparisons", "versions"),
            *("version_ratings", "version_comparisons", "active"),
        )
        for table in tables:
            insert_many(self._sql, table, batch.rows[table])
        vectors = [batch.vectors[place] for place in sorted(batch.vectors)]
        insert_many(self._sql, "vectors", vectors, "ON CONFLICT (photo_id, model_id) DO NOTHING")
        self._sql.run_many(
            "UPDATE users SET scale_low = :low, scale_high = :high WHERE id = :id", batch.scales
        )


class _Person:
    """One person's ratings, in the order of time."""

    def __init__(
        self,
        mover: Mover,
        batch: _Batch,
        user: int,
        scale: tuple[float, float] | None,
        photos: Mapping[str, int],
    ) -> None:
        self._mover, self._batch, self._user, self._photos = mover, batch, user, photos
        self._served_scale, self._scale = scale, scale
        self._newest: dict[int, Row] = {}
        self._compared: dict[tuple[int, int], int] = {}
        self._checksums: dict[tuple[int, int], str] = {}
        self._numbers: dict[int, tuple[int, int, str]] = {}  # version -> its id, its model, when it was made

    def merge(self, versions: Rows, given: Rows, rated: Mapping[int, Rows]) -> None:
        # Of one second: a server's fit comes after the ratings that it learned from.
        events = sorted(
            [(row[0], 0, i) for i, row in enumerate(given)]
            + [(row[2], 1, i) for i, row in enumerate(versions)]
        )
        change, moment = 0, ""
        for created, kind, place in events:
            if kind == 0:
                change, moment = change if moment == created else 0, created
                change = self._give(given[place], change)
            else:
                self._version(versions[place], rated.get(versions[place][0], []))

    def choose(self, active: int | None) -> None:
        """For each model the newest version counts, and for that of the active one the active one."""
        chosen: dict[int, int] = {}
        for number in sorted(self._numbers):
            chosen[self._numbers[number][1]] = number
        if active in self._numbers:
            chosen[self._numbers[active][1]] = active
        last = max(self._numbers[number][2] for number in chosen.values()) if chosen else ""
        for model, number in sorted(chosen.items()):
            self._batch.rows["active"].append(
                {
                    "user_id": self._user,
                    "model_id": model,
                    "version_id": self._numbers[number][0],
                    "at": last if number == active else self._numbers[number][2],
                }
            )
        low, high = self._scale or _NO_SCALE
        if self._newest or self._numbers:
            self._batch.scales.append({"id": self._user, "low": low, "high": high})

    def _change(self, what: str, at: str, source: str) -> int:
        change = self._mover._next("changes")
        row = {"id": change, "user_id": self._user, "at": at, "what": what, "source": source}
        self._batch.rows["changes"].append(row)
        return change

    def _give(self, row: tuple[Any, ...], change: int) -> int:
        created, sha256, image, score, model_hash, vector = row
        photo = self._photos[sha256]
        self._scale = self._served_scale or _NO_SCALE
        self._keep_vector(photo, self._mover._models[model_hash], bytes(vector))
        if not self._same(photo, image, sha256, score, self._scale):
            change = change or self._change("rate", created, "http")
            self._rate(photo, image, sha256, score, self._scale, created, "http", change)
        return change

    def _version(self, row: tuple[Any, ...], rated: Rows) -> None:
        (_, number, created, adapter, model_hash, low, high, n_ratings, extra, state, digest, form, name) = (
            row
        )
        state, model = bytes(state), self._mover._models[model_hash]
        version, self._scale = self._mover._next("versions"), (float(low), float(high))
        self._numbers[number] = (version, model, created)
        pairs = _pairs(row)
        kinds = ("version_comparisons", "comparison_id") if pairs else ("version_ratings", "rating_id")
        photos = [self._photos[sha256 or name_identity(self._user, image)] for image, sha256, _ in rated]
        sides = [self._photos[name_identity(self._user, pair[side])] for side in (0, 1) for pair in pairs]
        units = _units([score for _, _, score in rated], low, high)
        scores = np.repeat([1.0, 0.0], len(pairs)) if pairs else units
        features = self._learned(state, sides if pairs else photos, model)
        ids = self._pairs(pairs, created) if pairs else self._ratings(rated, photos, created)
        links = [{"version_id": version, "position": i, kinds[1]: one} for i, one in enumerate(ids)]
        self._batch.rows[kinds[0]].extend(links)
        less = detach(state, features, scores)
        self._batch.rows["versions"].append(
            {
                "id": version,
                "user_id": self._user,
                "number": number,
                "created": created,
                "adapter": adapter,
                "model_id": model,
                "model_name": name,
                "scale_low": low,
                "scale_high": high,
                "n_ratings": n_ratings,
                "extra": _without_pairs(extra),
                "state": less,
                "checksum": checksum(less),
                "digest": digest or hashlib.sha256(state).hexdigest(),
                "learned_from": learned_from(
                    [
                        (self._sum(p, model), score, low, high)
                        for p, (_, _, score) in zip(photos, rated, strict=True)
                    ],
                    [
                        (self._sum(a, model), self._sum(b, model), "a")
                        for a, b in zip(sides[: len(pairs)], sides[len(pairs) :], strict=True)
                    ],
                ),
                "linear_form": form,
                "form_checksum": checksum(form) if form else "",
            }
        )

    def _sum(self, photo: int, model: int) -> str:
        return self._checksums.get((photo, model), "")

    def _learned(self, state: bytes, photos: Sequence[int], model: int) -> Vector | None:
        """Keep the vectors in a state, if they are those of these photos; all of them as they are kept."""
        try:
            features = unpack(state).get(FEATURES)
        except (SafetensorError, ValueError):
            return None
        if features is None or features.dtype != np.float32 or features.shape[:1] != (len(photos),):
            return None
        for photo, vector in zip(photos, features, strict=True):
            self._keep_vector(photo, model, np.ascontiguousarray(vector, "<f4").tobytes())
        return np.asarray(features, np.float32)

    def _keep_vector(self, photo: int, model: int, vector: bytes) -> None:
        found = self._batch.vectors.setdefault(
            (photo, model),
            {"photo_id": photo, "model_id": model, "vector": vector, "checksum": checksum(vector)},
        )
        self._checksums[photo, model] = found["checksum"]

    def _same(
        self, photo: int, image: str, sha256: str | None, score: float, scale: tuple[float, float]
    ) -> bool:
        """Whether the newest rating of a photo is this one."""
        known = self._newest.get(photo)
        return known is not None and (
            known["image"],
            known["sha256"],
            known["score"],
            known["scale_low"],
            known["scale_high"],
        ) == (image, sha256, score, *scale)

    def _ratings(self, rated: Rows, photos: Sequence[int], created: str) -> list[int]:
        change, ids = 0, []
        scale = self._scale or _NO_SCALE
        for photo, (image, sha256, score) in zip(photos, rated, strict=True):
            if not self._same(photo, image, sha256, score, scale):
                change = change or self._change("rate", created, "table")
                self._rate(photo, image, sha256, score, scale, created, "table", change)
            ids.append(self._newest[photo]["id"])
        return ids

    def _rate(
        self,
        photo: int,
        image: str,
        sha256: str | None,
        score: float,
        scale: tuple[float, float],
        given: str,
        source: str,
        change: int,
    ) -> None:
        if photo in self._newest:
            self._newest[photo]["ended_by"] = change
        self._newest[photo] = {
            "id": self._mover._next("ratings"),
            "user_id": self._user,
            "photo_id": photo,
            "image": image,
            "sha256": sha256,
            "score": score,
            "scale_low": scale[0],
            "scale_high": scale[1],
            "given": given,
            "source": source,
            "added_by": change,
            "ended_by": None,
        }
        self._batch.rows["ratings"].append(self._newest[photo])

    def _pairs(self, pairs: Sequence[tuple[str, str]], created: str) -> list[int]:
        change, ids = 0, []
        for pair in pairs:
            photo, other = (self._photos[name_identity(self._user, image)] for image in pair)
            if (photo, other) not in self._compared:
                change = change or self._change("compare", created, "table")
                self._compared[photo, other] = self._mover._next("comparisons")
                self._batch.rows["comparisons"].append(
                    {
                        "id": self._compared[photo, other],
                        "user_id": self._user,
                        "photo_id": photo,
                        "image": pair[0],
                        "other_id": other,
                        "other_image": pair[1],
                        "outcome": "a",
                        "given": created,
                        "source": "table",
                        "added_by": change,
                    }
                )
            ids.append(self._compared[photo, other])
        return ids


def _units(scores: Iterable[float], low: float, high: float) -> NDArray[np.float64]:
    """As :meth:`piaa.ratings.scale.Scale.to_unit` has it, which a later release may change."""
    return (np.asarray(list(scores), dtype=np.float64) - low) / (high - low)


def _pairs(version: tuple[Any, ...]) -> list[tuple[str, str]]:
    return [(better, worse) for better, worse in json.loads(version[8]).get("pairs", ())]


def _compared(version: tuple[Any, ...]) -> list[str]:
    return [image for pair in _pairs(version) for image in pair]


def _without_pairs(extra: str) -> str:
    facts = json.loads(extra)
    facts.pop("pairs", None)
    return json.dumps(facts, ensure_ascii=False)
