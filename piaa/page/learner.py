"""Every person of the page is learned again after each answer, in a thread of its own.

Answers that come while one is learned from are learned from together. In a pause, what was learned is kept
in the store as a version, so that all other commands rank by it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from generic.errors import PiaaError
from piaa.adapters.registry import make_adapter
from piaa.page.album import Album
from piaa.page.news import News
from piaa.page.ranking import Ground
from piaa.page.taste import MANY, Taste, Words, learned_from, look
from piaa.people.estimate import ENOUGH, RankEstimate, estimate_of
from piaa.people.learn import linear_form_of, record_of
from piaa.people.model import Model
from piaa.store.store import Store

logger = logging.getLogger(__name__)
PAUSE_S = 8.0
"""Without an answer, after which a person's version is kept."""
_GROWN_S = 1.0
_SLICE_S = 0.25


class Standing:
    """How one person stands: her taste, and the album's scores by it."""

    def __init__(self, taste: Taste, words: Words, scores: NDArray[np.float32], n_turns: int) -> None:
        self.taste, self.words, self.scores, self.n_turns = taste, words, scores, n_turns
        self.n_said = self.n_scored = 1
        """Counted up whenever what she said, or her scores, may be others."""


class Learner:
    """Learns people in the background.

    Args:
        album: what is ranked.
        model: the generic model.
        store: what they said.
        news: who waits for a ranking.
    """

    def __init__(self, album: Album, model: Model, store: Store, news: News) -> None:
        self._album, self._model, self._store, self._news = album, model, store, news
        self.ground = Ground(album, model.prior)
        self._people: dict[str, Standing] = {}
        self._lock = threading.RLock()
        self._asked: deque[str] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._answered: dict[str, float] = {}
        self._kept: dict[str, str] = {}
        self._estimates: dict[str, RankEstimate | None] = {}
        self._thread = threading.Thread(target=self._work, name="piaa-page-learn", daemon=True)
        self._keeper = threading.Thread(target=self._keep_in_pauses, name="piaa-page-keep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._keeper.start()

    def stop(self) -> None:
        """Stop; what was learned last is kept."""
        self._stopping = True
        self._wake.set()
        for thread in (self._thread, self._keeper):
            thread.join()
        self._keep_all(at_once=True)

    def of(self, user: str) -> Standing:
        """How a person stands; read from the store if she was not asked for before."""
        with self._lock:
            if user not in self._people:
                taste = learned_from(
                    look(self._store, self._model, user), self._store, self._model, quick=True
                )
                self._people[user] = self._standing(taste)
            return self._people[user]

    def answered(self, user: str) -> Standing:
        """Somebody said something that is in the store: what she said is read at once, and learned soon."""
        said = look(self._store, self._model, user)
        with self._lock:
            before = self.of(user)
            before.words = said.words(self._album)
            before.n_said += 1
            self._answered[user] = time.monotonic()
            self._asked.append(user)
        self._wake.set()
        self._news.tell()
        return before

    def settled(self, user: str) -> Taste:
        """All that she said by now, learned by her usual adapter: what leaves the page is never a guess."""
        return learned_from(look(self._store, self._model, user), self._store, self._model, quick=False)

    def estimate_of(self, taste: Taste) -> RankEstimate | None:
        """How well she is ranked by her own ratings; of some answers ago, as it is estimated in pauses."""
        known = self._estimates.get(taste.user)
        return known if taste.learned is not None else None

    def _standing(self, taste: Taste) -> Standing:
        n_turns = self._album.n_turns
        return Standing(taste, taste.words(self._album), taste.scores(self._album, self.ground), n_turns)

    def _work(self) -> None:
        grown = time.monotonic()
        while not self._stopping:
            self._wake.wait(_SLICE_S)
            self._wake.clear()
            with self._lock:
                asked = list(dict.fromkeys(self._asked))
                self._asked.clear()
            for user in asked:
                self._guarded(lambda user=user: self._learn(user))  # type: ignore[misc]
            if time.monotonic() - grown >= _GROWN_S:
                self._guarded(self._score_new)
                grown = time.monotonic()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # the next answer must find this thread alive
            logger.warning("page: %s", error)

    def _learn(self, user: str, *, quick: bool = True) -> None:
        taste = learned_from(look(self._store, self._model, user), self._store, self._model, quick=quick)
        fresh = self._standing(taste)
        with self._lock:
            before = self._people.get(user)
            if before is not None:
                fresh.n_said, fresh.n_scored = before.n_said + 1, before.n_scored + 1
            self._people[user] = fresh
        self._news.tell()

    def _score_new(self) -> None:
        """Scores of photos that were embedded since."""
        with self._lock:
            people = list(self._people.items())
        told = False
        for user, standing in people:
            if standing.n_turns == self._album.n_turns:
                continue
            fresh = self._standing(standing.taste)
            with self._lock:
                if self._people[user] is standing:
                    fresh.n_said, fresh.n_scored = standing.n_said + 1, standing.n_scored + 1
                    self._people[user] = fresh
            told = True
        if told:
            self._news.tell()

    # ---- versions ----

    def _keep_in_pauses(self) -> None:
        while not self._stopping:
            time.sleep(_SLICE_S)
            self._keep_all(at_once=False)

    def _keep_all(self, *, at_once: bool) -> None:
        for user, at in list(self._answered.items()):
            if at_once or time.monotonic() - at >= PAUSE_S:
                self._answered.pop(user, None)
                self._guarded(lambda user=user: self._keep(user))  # type: ignore[misc]

    def _keep(self, user: str) -> None:
        """Keep what was learned from all that she said, by her usual adapter."""
        taste = self.settled(user)
        if taste.learned is None or taste.said.digest == self._kept.get(user):
            return
        record = record_of(self._model, taste.learned, taste.scale)
        form = linear_form_of(taste.learned.adapter)
        try:
            if self._store.keep(user, record, taste.said, linear_form=form) is not None:
                self._kept[user] = taste.said.digest
        except PiaaError as error:
            logger.warning("page: what was learned of %r is not kept: %s", user, error)
        self._estimate(taste)
        with self._lock:
            standing = self._people.get(user)
        if standing is not None and standing.taste.is_quick:
            self._take_over(user, standing, taste)

    def _estimate(self, taste: Taste) -> None:
        """Cross-validate what was learned, unless there are so many ratings that it would take long."""
        learned = taste.learned
        if learned is None or not ENOUGH <= len(learned.ratings) <= MANY:
            return
        name, prior = learned.adapter.name, self._model.prior
        self._estimates[taste.user] = estimate_of(lambda: make_adapter(name, prior), learned)
        with self._lock:
            if taste.user in self._people:
                self._people[taste.user].n_said += 1
        self._news.tell()

    def _take_over(self, user: str, quick: Standing, taste: Taste) -> None:
        """Rank by the usual adapter, unless she went on meanwhile."""
        fresh = self._standing(taste)
        with self._lock:
            if self._people.get(user) is quick:
                fresh.n_said, fresh.n_scored = quick.n_said + 1, quick.n_scored + 1
                self._people[user] = fresh
        self._news.tell()
