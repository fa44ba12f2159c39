"""The datasets by name, and the one way to load them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from generic.errors import DatasetError
from protocols.datasets import aadb, ava, ava_subsets, flickr_aes, histograms, para, real_cur, table, tad66k
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Known:
    """One dataset that can be loaded."""

    load: Callable[..., Dataset]
    """``load(root, **options)``; its docstring names the options, its module the terms and files."""

    what: str
    """What the dataset is, in a few words."""

    published: tuple[PublishedCount, ...]
    """Counts that are stated elsewhere."""


DATASETS: Mapping[str, Known] = MappingProxyType(
    {
        flickr_aes.NAME: Known(
            load=flickr_aes.load,
            what="Flickr photos rated 1..5 by 210 workers; 37 official test workers",
            published=flickr_aes.PUBLISHED,
        ),
        aadb.NAME: Known(
            load=aadb.load, what="Flickr photos rated 1..5 by 190 workers", published=aadb.PUBLISHED
        ),
        ava.NAME: Known(
            load=ava.load, what="DPChallenge photos with histograms of 1..10", published=ava.PUBLISHED
        ),
        ava_subsets.AVA1: Known(
            load=ava_subsets.load_ava1,
            what="all of AVA in two classes, 90 % to train, 10 % to test",
            published=ava_subsets.PUBLISHED[ava_subsets.AVA1],
        ),
        ava_subsets.AVA2: Known(
            load=ava_subsets.load_ava2,
            what="the best and the worst tenth of AVA",
            published=ava_subsets.PUBLISHED[ava_subsets.AVA2],
        ),
        tad66k.NAME: Known(
            load=tad66k.load,
            what="Flickr photos of 47 themes with means in 1..10",
            published=tad66k.PUBLISHED,
        ),
        para.NAME: Known(
            load=para.load, what="photos rated 1..5 by 438 described people", published=para.PUBLISHED
        ),
        real_cur.NAME: Known(
            load=real_cur.load,
            what="14 people's albums, rated 1..5 by their owners",
            published=real_cur.PUBLISHED,
        ),
        table.NAME: Known(
            load=table.load,
            what="your own table of ratings and a folder of images",
            published=table.PUBLISHED,
        ),
        histograms.NAME: Known(
            load=histograms.load,
            what="your own photos with histograms of ratings, or single ratings to count",
            published=histograms.PUBLISHED,
        ),
    }
)
"""Every dataset by the name that commands take."""


def load_dataset(name: str, root: Path | str, **options: Any) -> Dataset:
    """Load the labels of a dataset; images are only looked for, not read.

    Args:
        name: one of ``DATASETS``.
        root: the folder that holds the label files, in it or one folder deep.
        **options: keyword options of the dataset's own ``load``, such as ``images`` (all datasets),
            ``train`` and ``test`` (AVA's lists) or ``ratings``, ``scale`` and ``users`` (table).

    Raises:
        DatasetError: no such dataset or option, a file is missing or is not in the official format.
        RatingsError: rows of ratings are bad; the message has their lines.
    """
    if name not in DATASETS:
        close = difflib.get_close_matches(name.lower().replace("_", "-"), DATASETS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(DATASETS)}"
        raise DatasetError(f"there is no dataset {name!r}; {hint}")
    load = DATASETS[name].load
    known = [parameter for parameter in inspect.signature(load).parameters if parameter != "root"]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise DatasetError(
            f"dataset {name!r} has no option {unknown[0]!r}; its options are {', '.join(known)}"
        )
    return load(root, **options)
