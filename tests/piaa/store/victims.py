"""Kills what changes a store, again and again, and looks at what is left; a program of test_store_kill.py.

    python victims.py PLACE KIND OPERATION MOMENTS FOLDER

The victims are forked, which saves starting Python for each of them. What they did they acknowledge in a
file, as a terminal's last line does. Prints how many were killed before their end.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import sayings

from piaa.store.backup import restore_from
from piaa.store.place import open_database
from piaa.store.store import Store

N = 40
STEPS = {
    "say": [
        lambda store: store.say("ana", sayings.rated(dict.fromkeys(range(100, 100 + N), 3))),
        lambda store: store.say("ana", sayings.rated(dict.fromkeys(range(N), 5))),
        lambda store: store.say("ana", sayings.rated(dict.fromkeys(range(N, 2 * N), 1)), replace=True),
    ],
    "keep": [lambda store: sayings.fit(store, "ana")] * 3,
    "restore": [lambda store, v=v: store.restore("ana", v, source="terminal") for v in (1, 2, 1)],
    "undo": [lambda store: store.undo("ana", source="terminal")] * 3,
    "withdraw": [
        lambda store, names=names: store.withdraw("ana", names, sayings.by_name, source="terminal")
        for names in (["0.jpg", "1.jpg"], ["45.jpg"], [f"{n}.jpg" for n in range(2, 30)])
    ],
}
"""What the victims do, step by step, each one a transaction."""


def fill(store: Store) -> None:
    """What they start from."""
    for user in ("ben", "ana"):
        store.say(user, sayings.rated({n: 1 + n % 5 for n in range(N)}))
        sayings.fit(store, user)
        store.say(user, sayings.rated({n: 5 - n % 5 for n in range(N // 2, N + N // 2)}))
        sayings.fit(store, user)
    store.say("ana", sayings.compared((0, 1, "a"), (60, 61, "b")))


def state(store: Store) -> dict[str, Any]:
    """All that tells one moment from another; reading it fails if the store is not whole."""
    said = {user: store.said(user, sayings.MODEL) for user in ("ana", "ben")}
    return {
        "said": {user: [(one.image, one.score) for one in some.ratings] for user, some in said.items()},
        "compared": [one.pair for one in said["ana"].comparisons],
        "damaged": [one.damaged for one in said.values()],
        "history": [
            (one.what, one.n_added, one.n_ended, one.n_withdrawn, one.undone) for one in store.history("ana")
        ],
        "versions": [
            (one.version, sayings.digest(store.load("ana", one.version).state.hex()))
            for one in store.versions("ana")
        ],
        "active": store.active("ana"),
        "rows": {table: len(rows) for table, rows in sayings.everything(store.database).items()},
    }


class Killing:
    """One operation in one place."""

    def __init__(self, place: str, kind: str, operation: str, folder: Path) -> None:
        self.place, self.kind, self.steps = place, kind, STEPS[operation]
        self.base, self.acknowledged = folder / "base.db", folder / "acknowledged"
        fill(Store(self.base))

    def open(self) -> Store:
        return Store(database=open_database(self.place, connections=2 if self.kind == "served" else 0))

    def prepare(self) -> None:
        self.acknowledged.write_bytes(b"")
        if self.kind != "postgres":
            for path in Path(self.place).parent.glob(f"{Path(self.place).name}*"):
                path.unlink()
            shutil.copy(self.base, self.place)
            return
        database = open_database(self.place)
        restore_from(self.base, database)
        with database.writing() as sql:
            sql.run("DELETE FROM audit")  # that of the restore
        database.close()

    def expected(self) -> list[dict[str, Any]]:
        """The states before the first step and after each of them."""
        self.prepare()
        store = self.open()
        found = [state(store)]
        for step in self.steps:
            step(store)
            found.append(state(store))
        store.close()
        return found

    def run(self, delay_s: float | None) -> float | None:
        """Let a victim do all steps; the seconds that it took, if it was not killed."""
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            self.be_victim(told)
        os.close(told)
        os.read(ready, 1)
        started = time.monotonic()
        if delay_s is not None:
            time.sleep(delay_s)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(ready)
        assert delay_s is not None or status == 0
        return None if os.WIFSIGNALED(status) else time.monotonic() - started

    def be_victim(self, told: int) -> None:
        try:
            store = self.open()
            with self.acknowledged.open("ab", buffering=0) as file:
                os.write(told, b"r")
                for step in self.steps:
                    step(store)
                    file.write(b"1")
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def check(self, states: list[dict[str, Any]]) -> None:
        done = len(self.acknowledged.read_bytes())
        store = self.open()
        found = state(store)
        store.close()
        assert found in states[done : done + 2], (done, found)
        if self.kind != "postgres":
            sayings.assert_sound(Path(self.place))


def main() -> None:
    place, kind, operation, n, folder = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("kill", Path(__file__).parents[2] / "kill.py")
    kill = importlib.util.module_from_spec(spec)
    sys.modules["kill"] = kill
    spec.loader.exec_module(kill)
    killing = Killing(place, kind, operation, Path(folder))
    states, killed = killing.expected(), 0
    assert len({repr(one) for one in states}) == len(states)
    runs = []
    for _ in range(3):  # the first is slower than those that follow
        killing.prepare()
        runs.append(killing.run(None))
        killing.check(states)
    moments = kill.Moments(int(n), min(runs), f"{kind} {operation}")
    for delay in moments:
        killing.prepare()
        killed += moments.killed(killing.run(delay))
        killing.check(states)
    print(killed)


if __name__ == "__main__":
    main()
