"""Uploaded images become model vectors: decoded in processes of their own, then run, in turns fair by key."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from generic.cache.contents import Content
from generic.cache.features import FeatureCache, Features
from generic.engine.engine import usable_cores
from generic.errors import ImageError
from generic.model.generic_model import GenericModel
from generic.photos.facts import PhotoFacts
from piaa.server import telemetry
from piaa.server.allocator import give_back
from piaa.server.decoding.decoders import Decoders
from piaa.server.decoding.process import Limits
from piaa.server.decoding.turns import Turns
from piaa.server.settings import ServeSettings
from piaa.server.sharing import Sharing
from piaa.server.waiting import Waiting
from piaa.store.recent import Recent
from piaa.store.sent import Sent, SentStore, is_owned, name_of, owner_of

_REMEMBERED = 2**27
_GIVE_BACK_EVERY = 256
"""Images after which free memory is given back: some seconds of load, so that it costs less than 1 %."""
_MORE_DECODERS = 2
"""Than cores: somebody else's photo is decoded beside those that take long."""
_NAMELESS = "\ufffc"
"""What a file is called while it is looked at: several may have sent it, each under a name of their own."""
_SHA256 = re.compile("[0-9a-f]{64}")

T = TypeVar("T")
Outcome = Features | ImageError


class Known(NamedTuple):
    """A photo that was seen before."""

    content: Content
    """Its identity is the hash of the file if only that is known."""
    vector: Features
    facts: PhotoFacts | None = None
    """None if only a hash was asked about."""
    plain: Features | None = None
    """The vector with the network's own score; None if a model's is all that is known."""


class Looked(NamedTuple):
    """What became of one upload."""

    sha256: str
    identity: str
    facts: PhotoFacts
    outcome: Outcome


class Embedder:
    """Vectors of images by content: remembered ones at once, others by the engine.

    Args:
        model: the generic model.
        cache: where vectors are kept between runs.
        settings: the server's.
        sent: where what was sent to the other servers is found; None shares nothing.
    """

    def __init__(
        self,
        model: GenericModel,
        cache: FeatureCache,
        settings: ServeSettings,
        sent: SentStore | None = None,
    ) -> None:
        self._model, self._cache, self._settings = model, cache, settings
        self._vectors = model.remembered(cache)
        self._sharing = Sharing(sent, model.network_hash)
        self._recent = Recent(_REMEMBERED)
        self._waiting = Waiting(settings.max_waiting, self._look)
        cores = max(1, usable_cores() // settings.workers)
        self._decoders = Decoders(
            cores + _MORE_DECODERS,
            Limits(
                size=model.size,
                fit=model.fit,
                max_pixels=settings.max_pixels,
                seconds=settings.photo_seconds,
                memory=settings.photo_memory,
            ),
        )
        self._runs = Turns(cores, cores)
        self._workers = ThreadPoolExecutor(cores, thread_name_prefix="piaa-photo")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="piaa-network")
        self._since_given_back = 0
        self._files = ThreadPoolExecutor(1, thread_name_prefix="piaa-cache")

    async def stop(self) -> None:
        """Drop what waits, and end what is being decoded; to be called when no request is left."""
        self._waiting.stop()
        self._decoders.stop()
        await self._sharing.stop()
        for pool in (self._workers, self._network, self._files):
            pool.shutdown(wait=True, cancel_futures=True)

    async def warm_up(self) -> None:
        """Load the engine before the first request, and run it once; start what decodes."""
        side = self._model.size
        black = np.zeros((side, side, 3), np.uint8)
        await asyncio.gather(self._run(black), self._decoders.start())

    async def known(self, digests: Sequence[str], owner: str | None = None) -> dict[str, Known]:
        """The photos seen before among these hashes of files; what is no hash is not known.

        Args:
            digests: the hashes.
            owner: who must have sent them, or have been given them; None is whoever sent them.

        Raises:
            StoreError: what other servers have seen cannot be asked for.
        """
        names = {name_of(digest, owner): digest for digest in digests if _SHA256.fullmatch(digest)}
        found: dict[str, Known | None] = {name: self._recent.get(name) for name in names}
        missing = [name for name, one in found.items() if one is None]
        if missing:
            stored = await self._off_loop(self._stored, missing)
            found |= {name: self._remembered(name, one) for name, one in stored.items()}
            missing = [name for name in missing if name not in stored]
        telemetry.IMAGES.labels("cache").inc(len(names) - len(missing))
        if missing:
            sent = await self._sharing.find(missing)
            found |= {name: self._remembered(name, self._known(*one)) for name, one in sent.items()}
            telemetry.IMAGES.labels("store").inc(len(sent))
        return {names[name]: one for name, one in found.items() if one is not None}

    async def share(self, digests: Sequence[str], owner: str) -> int:
        """Let somebody name photos that others sent; how many of them are known."""
        known = await self.known(digests)
        await self._sharing.keep(
            [new for digest, one in known.items() for new in self._own(digest, one, owner)]
        )
        return len(known)

    async def forget(self, owner: str, identities: Sequence[str], sent: Sequence[str] = ()) -> int:
        """Forget an owner's photos, and what is remembered of those that nobody else has.

        Args:
            owner: who.
            identities: further pictures that nobody else has.
            sent: names of files that the store has forgotten.

        Returns:
            how many pictures the feature cache has forgotten.
        """
        contents, names = await self._off_loop(self._forget, owner, identities)
        self._recent.drop([*names, *sent, *(one.sha256 for one in contents)])
        return len({one.identity for one in contents})

    async def withdraw(self, owner: str, digest: str, identities: Collection[str]) -> None:
        """Forget that an owner has a photo: she may name it by its hash once it was sent again.

        Args:
            owner: who.
            digest: hash of a file of it.
            identities: the picture, if it is known.
        """
        self._recent.drop(await self._off_loop(self._withdraw, owner, digest, identities))

    def _withdraw(self, owner: str, digest: str, identities: Collection[str]) -> set[str]:
        files = {one.sha256 for one in self._cache.holders(identities) if not is_owned(one.sha256)}
        names = {name_of(file, owner) for file in (digest, *files)}
        names |= {one.sha256 for one in self._cache.named(owner_of(owner)) if one.identity in identities}
        self._cache.forget(names, [])
        return names

    def _forget(self, owner: str, identities: Sequence[str]) -> tuple[list[Content], list[str]]:
        own = self._cache.named(owner_of(owner))
        names = [one.sha256 for one in own]
        pictures = {one.identity for one in own} | set(identities)
        held = self._cache.holders(pictures)
        others = {one.identity for one in held if is_owned(one.sha256) and one.sha256 not in names}
        contents = [one for one in held if one.identity not in others and not is_owned(one.sha256)]
        self._cache.forget(names, contents)
        return contents, names

    def _own(self, digest: str, one: Known, owner: str | None) -> list[Sent]:
        """Note that somebody has a photo, under a name of its file that is hers alone.

        Returns:
            what is to be shared.
        """
        if owner is None:
            return []
        name = name_of(digest, owner)
        content = one.content._replace(sha256=name)
        if self._recent.get(name) is None:
            self._remembered(name, one)
            self._files.submit(self._cache.remember, [content])
        return _sent(content, one, owner_of(owner))

    def _stored(self, digests: Sequence[str]) -> dict[str, Known]:
        vectors = self._cache.get_many(digests, self._model.network_hash)
        contents = self._cache.contents_of(vectors)
        return {
            digest: self._known(contents.get(digest, Content(digest, digest)), plain)
            for digest, plain in vectors.items()
        }

    def _known(self, content: Content, plain: Features, facts: PhotoFacts | None = None) -> Known:
        return Known(content, self._vectors.scored(plain), facts, plain)

    def _picture(self, content: Content) -> Features | None:
        """What the network gave for a picture that was seen before, in whatever file."""
        if content.decoded_anew:
            # So that a vector of before, known by the sha256 alone, is not taken for this one's.
            self._cache.remember([content])
        found = self._cache.find_many([content], self._model.network_hash)
        if content.key in found:
            self._cache.remember([content])
        return found.get(content.key)

    def _keep(self, content: Content, plain: Features) -> None:
        self._vectors.put({content.key: plain})
        self._cache.remember([content])

    def _remembered(self, digest: str, one: Known) -> Known:
        apart = one.plain is not None and one.plain is not one.vector
        self._recent.put(digest, one, one.vector.nbytes * (1 + apart))
        return one

    async def _off_loop(self, call: Callable[..., T], *values: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._files, call, *values)

    async def embed(
        self, key: str, images: Sequence[tuple[str, bytes]], owner: str | None = None
    ) -> list[Looked]:
        """What became of each (name, content). Whoever is cancelled while waiting costs nothing more.

        Args:
            key: who asks, for fair turns.
            images: names for messages, and files.
            owner: whose they are; None if nobody has to have sent a photo to name it.

        Raises:
            Problem: 503, too many images wait, and went on to for a second. None of these was taken.
        """
        digests = await self._off_loop(_digests, [content for _, content in images])
        looked = {digest: one for digest in digests if (one := self._seen(digest))}
        telemetry.IMAGES.labels("cache").inc(len(looked))
        fresh = {d: content for d, (_, content) in zip(digests, images, strict=True) if d not in looked}
        await self._waiting.room(key, fresh)
        waits = [self._waiting.outcome(key, digest, content) for digest, content in fresh.items()]
        looked |= {one.sha256: one for one in await asyncio.gather(*waits)}
        sent: list[Sent] = []
        for digest in looked:
            if (one := self._recent.get(digest)) is not None:
                sent += [*_sent(one.content, one), *self._own(digest, one, owner)]
        await self._sharing.keep(sent)
        return [_named(looked[digest], name) for digest, (name, _) in zip(digests, images, strict=True)]

    def _seen(self, digest: str) -> Looked | None:
        """A file that was sent before, not long ago."""
        known: Known | None = self._recent.get(digest)
        if known is None or known.facts is None:
            return None
        return Looked(digest, known.content.identity, known.facts, known.vector)

    async def _look(self, key: str, digest: str, content: bytes) -> Looked:
        """One photo, from its file to its vector."""
        identity, facts = digest, PhotoFacts()
        try:
            async with self._decoders.one(key) as process:
                held, facts = await process.see(_NAMELESS, content)
                identity, source = held.identity, "cache"
                plain = await self._off_loop(self._picture, held)
                if plain is None:
                    source, plain = "store", await self._sharing.vector(held.key)
                if plain is not None:
                    process.enough()
                else:
                    pixels = await process.decode(_NAMELESS)
        except ImageError as error:
            telemetry.IMAGES.labels("refused").inc()
            return Looked(digest, identity, facts, error)
        if plain is None:
            async with self._runs.turn(key):
                with telemetry.ENGINE.time():
                    source, plain = "network", await self._run(pixels)
            self._give_back()
        if source != "cache":
            self._files.submit(self._keep, held, plain)
        telemetry.IMAGES.labels(source).inc()
        known = self._remembered(digest, self._known(held, plain, facts))
        return Looked(digest, identity, facts, known.vector)

    async def _run(self, pixels: NDArray[np.uint8]) -> Features:
        return await asyncio.get_running_loop().run_in_executor(
            self._workers, self._model.plain_vector, pixels
        )

    async def pixels(self, key: str, name: str, content: bytes) -> NDArray[np.uint8]:
        """An image as the network takes it.

        Raises:
            ImageError: it cannot be read.
        """
        async with self._decoders.one(key) as process:
            await process.see(name, content)
            return await process.decode(name)

    async def on_network(self, call: Callable[[], T]) -> T:
        """Make a call in the one thread that uses torch."""
        return await asyncio.get_running_loop().run_in_executor(self._network, call)

    def _give_back(self) -> None:
        self._since_given_back += 1
        if self._since_given_back >= _GIVE_BACK_EVERY:
            self._since_given_back = 0
            self._files.submit(give_back)


def _sent(content: Content, one: Known, owner: str = "") -> list[Sent]:
    """What there is to share of a photo."""
    return [] if one.plain is None else [Sent(content=content, owner=owner, vector=one.plain)]


def _named(one: Looked, name: str) -> Looked:
    """What became of a file, in words to a client who calls it so."""
    if not isinstance(one.outcome, ImageError):
        return one
    return one._replace(outcome=ImageError(str(one.outcome).replace(_NAMELESS, name)))


def _digests(images: Sequence[bytes]) -> list[str]:
    return [hashlib.sha256(image).hexdigest() for image in images]
