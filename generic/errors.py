"""The errors of the whole toolkit; the base lives in the lowest layer so that every layer can raise it.

    PiaaError
    ├── ImageError              one image cannot be read
    ├── CheckpointError         a model file cannot be read or is not what it should be
    ├── EngineError             a network cannot be run as asked: there is no such processor here
    ├── CacheError              the feature cache cannot be used
    ├── ClusterError            a manifest, a shard or a bucket cannot be used
    ├── ShapeError              an array has the wrong shape
    ├── RatingsError            a table of ratings has bad rows or columns
    │   ├── BadRowsError        some of its rows, each named (piaa.ratings.files.problems)
    │   ├── ScaleError          a score lies outside its scale, or a scale is impossible
    │   └── TooFewRatings       not enough ratings for what was asked
    ├── StarsError              stars in XMP or a catalogue cannot be read, or XMP not be written safely
    ├── StoreError              the store cannot be used
    │   ├── StoreUnavailable    not at this moment: its database is away or busy
    │   ├── UnknownUser         the store has no such user
    │   ├── ModelMismatch       an adapter was fitted on another generic model
    │   ├── OverQuota           a user would take more of it than she may (piaa.store.quotas)
    │   └── Changed             a user changed while being scored (piaa.server.matrices)
    ├── DatasetError            a dataset's files are missing or not what they should be
    │   └── BadGazeError        rows of a gaze export, each named (protocols.gaze.fixations)
    ├── SplitLeak               an image or a user is on both sides of a split
    ├── TooLarge                a result would not fit into the machine's memory
    ├── TrainingError           a network cannot be trained as asked, or its training went wrong
    ├── NotFitted               something was asked of an adapter before it was fitted
    ├── OutputError             a result could not be written
    ├── MissingPackage          an optional package is needed and not installed
    └── ServerError             a server refused, or could not be reached (piaa.server.client)

A message answers four questions: what was wrong, where, what was got and what was
expected, what to do. It is one line; the command line prints it as it stands.
"""

from __future__ import annotations


class PiaaError(Exception):
    """Base of every error that the toolkit raises on purpose."""


class ImageError(PiaaError):
    """One image cannot be read; the message names the file."""


class CheckpointError(PiaaError):
    """A model file cannot be read, or is not what it should be."""


class EngineError(PiaaError):
    """A network cannot be run as asked: there is no such processor here."""


class CacheError(PiaaError):
    """The feature cache cannot be used."""


class ClusterError(PiaaError):
    """Work that many machines share cannot go on: a manifest, a shard or a bucket cannot be used."""


class ShapeError(PiaaError, ValueError):
    """An array has the wrong shape."""


class RatingsError(PiaaError, ValueError):
    """A table of ratings has bad rows or columns."""


class ScaleError(RatingsError):
    """A score lies outside its scale, or a scale is impossible."""


class TooFewRatings(RatingsError):
    """There are not enough ratings for what was asked."""


class StarsError(PiaaError):
    """Stars in an XMP packet or a catalogue cannot be read, or a packet cannot be changed safely."""


class StoreError(PiaaError):
    """The store cannot be used."""


class StoreUnavailable(StoreError):
    """The store cannot be used at this moment: its database is away or busy; the same may do later."""


class UnknownUser(StoreError, KeyError):
    """The store has no such user."""

    __str__ = Exception.__str__  # KeyError would print the repr of the message.


class ModelMismatch(StoreError):
    """An adapter was fitted on another generic model."""


class DatasetError(PiaaError):
    """A dataset's files are missing, or not in the official format."""


class SplitLeak(PiaaError):
    """An image or a user is on both sides of a split."""


class TooLarge(PiaaError):
    """A result would not fit into the machine's memory; nothing was allocated."""


class TrainingError(PiaaError):
    """A network cannot be trained as asked, or its training went wrong."""


class NotFitted(PiaaError):
    """Something was asked of an adapter before it was fitted."""


class OutputError(PiaaError):
    """A result could not be written."""


class MissingPackage(PiaaError):
    """An optional package is needed and not installed."""
