"""Two servers on one store, and what stands before them: requests go in turn to those that are ready.

It asks `/ready` of each every second, as a proxy does.
"""

from __future__ import annotations

import itertools
import threading

import httpx
from serving import Served


class Balancer:
    """Gives requests in turn to those of two servers that are ready.

    Args:
        url: of their store.
    """

    def __init__(self, url: str) -> None:
        self._store, self.servers = url, [Served(url), Served(url)]
        self._ready = [one.url for one in self.servers]
        self._turn, self._ended = itertools.count(), threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def url(self, draw: object = None, but: str | None = None) -> str:  # noqa: ARG002  (as chaos.py has it)
        """Of the next one, which is not the one that failed just now."""
        ready = [one for one in self._ready if one != but] or self._ready
        return ready[next(self._turn) % len(ready)]

    def _watch(self) -> None:
        with httpx.Client(timeout=1) as http:
            while not self._ended.wait(1):
                ready = [one.url for one in self.servers if is_ready(http, one.url)]
                self._ready = ready or self._ready

    def kill(self) -> None:
        """Kill the first server."""
        self.servers[0].kill()

    def replace(self) -> float:
        """Start another one in its place; seconds until it listens."""
        self.servers[0] = Served(self._store)
        return self.servers[0].start_s

    def stop(self) -> None:
        """End all."""
        self._ended.set()
        for one in self.servers:
            one.kill()


def is_ready(http: httpx.Client, url: str) -> bool:
    """Whether a server says that it is."""
    try:
        return http.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False
