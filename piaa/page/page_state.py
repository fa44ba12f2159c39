"""All that one open page is made of, put together and taken apart in order."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from piaa.page.album import Album, opened
from piaa.page.answers import Answers
from piaa.page.found_stars import FoundStars
from piaa.page.learner import Learner
from piaa.page.news import News
from piaa.page.pictures import Pictures
from piaa.page.reader import Reader
from piaa.page.saving import Saving
from piaa.page.scenes import Scenes
from piaa.people.model import Model
from piaa.store.place import Place, open_database
from piaa.store.store import Store

_CONNECTIONS = 6
FOLDER = "page-pictures"
"""Of the cache, where thumbnails lie."""


@dataclass(frozen=True, kw_only=True)
class PageState:
    """One open page."""

    album: Album
    model: Model
    store: Store
    user: str
    """Who looks at it first."""
    pictures: Pictures
    news: News
    reader: Reader
    learner: Learner
    scenes: Scenes
    stars: FoundStars
    answers: Answers
    saving: Saving
    temporary: Path | None = field(default=None)
    """A folder that goes when the page is closed."""

    def start(self) -> None:
        """Begin to read, learn and look for stars."""
        for part in (self.reader, self.learner, self.scenes, self.stars):
            part.start()

    def stop(self) -> None:
        """Stop; what was answered is in the store, what was read is remembered."""
        self.news.close()
        self.reader.stop()
        self.scenes.stop()
        self.stars.stop()
        self.learner.stop()
        self.store.close()
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)


def open_page(photos: Path, model: Model, *, user: str = "me", store: Place = None) -> PageState:
    """A page of a folder's photos; nothing is read yet, see :meth:`PageState.start`.

    Args:
        photos: a folder, searched with those inside.
        model: the generic model.
        user: who looks at it.
        store: where answers go.

    Raises:
        ImageError: there is no photo.
        StoreError: the store cannot be used.
    """
    album, news = opened(photos), News()
    # Open connections: an answer is on the disk after one wait for it and not after four.
    keeper = Store(database=open_database(store, connections=_CONNECTIONS))
    cache, temporary = model.settings.cache, None
    if cache is None:
        temporary = cache = Path(tempfile.mkdtemp(prefix="piaa-page-"))
    pictures = Pictures(cache / FOLDER)
    learner = Learner(album, model, keeper, news)
    return PageState(
        album=album,
        model=model,
        store=keeper,
        user=user,
        pictures=pictures,
        news=news,
        reader=Reader(album, model, pictures, news),
        learner=learner,
        scenes=Scenes(album, model, learner.ground, news),
        stars=FoundStars(album, model, keeper, news),
        answers=Answers(album, keeper, model.generic.hash),
        saving=Saving(album, model, keeper),
        temporary=temporary,
    )
