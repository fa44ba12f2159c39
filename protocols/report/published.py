"""Published SRCC figures of personalised image aesthetics, as rows to stand beside our own.

All are quoted from Tables 3, 6 and 7 of the EAT paper (He et al., 2023), which collects them from the
papers cited. They are facts about other people's runs: nothing here was measured by this toolkit.

Two things a reader of the numbers should know. The paper gives EAT at 100 shots on FLICKR-AES as 0.693
in Table 3 and as 0.689 in Table 7; both are kept as printed. Its Table 6 states no input size, and its rows
are of models that learned AADB's training part after FLICKR-AES: the 100-shot figures of EAT and TAPP-PIAA
are those that Table 7 prints for training and testing on AADB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SHOTS = (10, 100)
"""The numbers of ratings per user that the papers report."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "flickr-aes": "FLICKR-AES",
        "aadb": "AADB",
        "ava": "AVA",
        "tad66k": "TAD66K",
        "para": "PARA",
        "real-cur": "REAL-CUR",
    }
)
"""How the papers write a dataset's name."""

CAUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "aadb": "not comparable worker for worker: the 22 test workers of the papers were never published, "
        "rows measured here test workers chosen by our own rule"
    }
)
"""Why published rows of a test dataset can never be compared with ours as they stand."""

_BLG = (
    "BLG-PIAA as published meta-learns the whole network; the meta-learned starts of this toolkit adapt a "
    "small head on a frozen one"
)
NOTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "flickr-aes": (_BLG,),
        "aadb": (
            "the published rows are of methods pre-trained on FLICKR-AES and then trained on AADB's training "
            "part (EAT paper, Table 6: at 100 shots EAT and TAPP-PIAA have the figures of Table 7's AADB to "
            "AADB); the input size is not stated",
            _BLG,
        ),
    }
)
"""What else must be read with the published rows of a test dataset."""

Figure = tuple[float, float | None]
"""Mean SRCC and its std over repeats; the std is None where the paper prints a question mark."""


@dataclass(frozen=True)
class Reference:
    """Where a method was published; a row may cite a method after the paper that measured it."""

    authors: str
    """Family names, separated by ``and`` as in BibTeX."""
    title: str
    """The paper's title."""
    venue: str
    """Journal or conference."""
    year: int
    """Year of publication."""


@dataclass(frozen=True, kw_only=True)
class PublishedMethod:
    """One published row: a method's SRCC on one test dataset."""

    name: str
    """As the papers write it, with the input size in pixels where one method has several."""
    cite: str
    """Key into ``REFERENCES``."""
    test: str
    """The dataset whose users were tested."""
    srcc: Mapping[int, Figure]
    """Number of ratings k to figure."""


REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "he2023eat": Reference(
            "He and Ming and Zheng and Zhong and Ma",
            "EAT: An Enhancer for Aesthetics-Oriented Transformers",
            "ACM International Conference on Multimedia",
            2023,
        ),
        "hou2022interaction": Reference(
            "Hou and Lin and Yue and Liu and Zhao",
            "Interaction-Matrix Based Personalized Image Aesthetics Assessment",
            "IEEE Transactions on Multimedia",
            2022,
        ),
        "li2020personality": Reference(
            "Li and Zhu and Zhao and Ding and Lin",
            "Personality-Assisted Multi-Task Learning for Generic and Personalized "
            "Image Aesthetics Assessment",
            "IEEE Transactions on Image Processing",
            2020,
        ),
        "li2022transductive": Reference(
            "Li and Yang and Li and Chen and Xu and Li and Li and Guo",
            "Transductive Aesthetic Preference Propagation for Personalized Image Aesthetics Assessment",
            "ACM International Conference on Multimedia",
            2022,
        ),
        "lv2018usar": Reference(
            "Lv and Wang and Xu and Peng and Sun and Su and Zhou and Xu",
            "USAR: An Interactive User-Specific Aesthetic Ranking Framework for Images",
            "ACM International Conference on Multimedia",
            2018,
        ),
        "lv2021user": Reference(
            "Lv and Fan and Nie and Dong and Jiang and Zhou and Xu and Xu",
            "User-Guided Personalized Image Aesthetic Assessment Based on Deep Reinforcement Learning",
            "arXiv:2106.07488",
            2021,
        ),
        "ren2017personalized": Reference(
            "Ren and Shen and Lin and Mech and Foran",
            "Personalized Image Aesthetics",
            "IEEE International Conference on Computer Vision",
            2017,
        ),
        "zhu2020bilevel": Reference(
            "Zhu and Li and Wu and Zhao and Ding and Shi",
            "Personalized Image Aesthetics Assessment via Meta-Learning with Bilevel Gradient Optimization",
            "IEEE Transactions on Cybernetics",
            2020,
        ),
        "zhu2021attributes": Reference(
            "Zhu and Zhou and Li and Li and Guo",
            "Learning Personalized Image Aesthetics from Subjective and Objective Attributes",
            "IEEE Transactions on Multimedia",
            2021,
        ),
    }
)
"""Citation key to reference, for every key that a row uses."""


def _row(name: str, cite: str, test: str, *figures: Figure) -> PublishedMethod:
    """A row from its figures at ``SHOTS``, as printed."""
    srcc = MappingProxyType(dict(zip(SHOTS, figures, strict=True)))
    return PublishedMethod(name=name, cite=cite, test=test, srcc=srcc)


METHODS: tuple[PublishedMethod, ...] = (
    # EAT paper, Table 3.
    _row("PAM", "ren2017personalized", "flickr-aes", (0.520, 0.003), (0.553, 0.012)),
    _row("USR", "lv2018usar", "flickr-aes", (0.525, 0.004), (0.552, 0.015)),
    _row("MT-IAA", "li2020personality", "flickr-aes", (0.523, 0.004), (0.582, 0.014)),
    _row("PA-IAA", "li2020personality", "flickr-aes", (0.543, 0.003), (0.639, 0.011)),
    _row("UG-PIAA", "lv2021user", "flickr-aes", (0.559, 0.002), (0.660, 0.013)),
    _row("BLG-PIAA", "zhu2020bilevel", "flickr-aes", (0.561, 0.005), (0.669, 0.013)),
    _row("TAPP-PIAA", "li2022transductive", "flickr-aes", (0.591, 0.007), (0.685, 0.012)),
    _row("PIAA-SOA", "zhu2021attributes", "flickr-aes", (0.618, 0.006), (0.691, 0.015)),
    _row("ResNext 512", "hou2022interaction", "flickr-aes", (0.612, None), (0.706, None)),
    _row("EAT 224", "he2023eat", "flickr-aes", (0.593, 0.005), (0.693, 0.013)),
    _row("EAT 512", "he2023eat", "flickr-aes", (0.644, 0.003), (0.732, 0.015)),
    # EAT paper, Table 6.
    _row("BA-PIAA", "zhu2020bilevel", "aadb", (0.450, 0.001), (0.513, 0.005)),
    _row("BLG-PIAA", "zhu2020bilevel", "aadb", (0.497, 0.003), (0.545, 0.007)),
    _row("TAPP-PIAA", "li2022transductive", "aadb", (0.534, 0.004), (0.612, 0.007)),
    _row("PIAA-SOA", "zhu2021attributes", "aadb", (0.509, 0.003), (0.557, 0.007)),
    _row("EAT", "he2023eat", "aadb", (0.551, 0.004), (0.646, 0.005)),
)
"""Published rows, in the order of the design's table; one method has a row per test dataset."""

CROSS_K = 100
"""Shots of the published cross-dataset figures."""

CROSS: Mapping[str, Mapping[tuple[str, str], float]] = MappingProxyType(
    {
        "TAPP-PIAA": MappingProxyType(
            {
                ("flickr-aes", "flickr-aes"): 0.685,
                ("flickr-aes", "aadb"): 0.540,
                ("aadb", "flickr-aes"): 0.615,
                ("aadb", "aadb"): 0.612,
            }
        ),
        "EAT": MappingProxyType(
            {
                ("flickr-aes", "flickr-aes"): 0.689,
                ("flickr-aes", "aadb"): 0.593,
                ("aadb", "flickr-aes"): 0.632,
                ("aadb", "aadb"): 0.646,
            }
        ),
    }
)
"""Method to (train, test) to SRCC: the EAT paper's Table 7, which prints no std."""

CROSS_CITES: Mapping[str, str] = MappingProxyType({"TAPP-PIAA": "li2022transductive", "EAT": "he2023eat"})
"""Method of ``CROSS`` to its key in ``REFERENCES``."""


def published_methods(test: str) -> tuple[PublishedMethod, ...]:
    """The published rows of one test dataset; none for a dataset without published figures.

    Example:
        >>> [method.name for method in published_methods("aadb")]
        ['BA-PIAA', 'BLG-PIAA', 'TAPP-PIAA', 'PIAA-SOA', 'EAT']
        >>> published_methods("aadb")[-1].srcc[100]
        (0.646, 0.005)
    """
    return tuple(method for method in METHODS if method.test == test)


def title(dataset: str) -> str:
    """A dataset's name as the papers write it; a name they do not know stays as it is.

    Example:
        >>> title("flickr-aes"), title("my photos")
        ('FLICKR-AES', 'my photos')
    """
    return TITLES.get(dataset, dataset)
