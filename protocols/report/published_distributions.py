"""The second paper's Table 1, to stand beside figures that are measured here.

"Residual Attention Network vs Real Attention on Aesthetic Assessment", Table 1, said to be of its own data
(GBR), which were not published. Two things a reader should know. The paper does not say of which order its
earth mover's distance is. And its three NIMA rows are, but for a last digit here and there, those quoted
from NIMA's own paper (Talebi and Milanfar, IEEE TIP 2018) for AVA, with Inception-v2 where it says
Inception-Resnet: they may not be of GBR at all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One row of the table."""

    model: str
    """As the paper writes it."""
    accuracy: float
    """Of two classes, in [0, 1]."""
    plcc: float
    """LCC of mean scores."""
    plcc_std: float
    """LCC of standard deviations."""
    emd: float
    """Of an order that is not stated."""


TABLE1 = (
    PublishedRow(model="NIMA(MobileNet)", accuracy=0.8036, plcc=0.518, plcc_std=0.152, emd=0.081),
    PublishedRow(model="NIMA(VGG16)", accuracy=0.8060, plcc=0.610, plcc_std=0.205, emd=0.052),
    PublishedRow(model="NIMA(Inception-Resnet)", accuracy=0.8151, plcc=0.636, plcc_std=0.233, emd=0.050),
    PublishedRow(model="Residual Attention Network", accuracy=0.8174, plcc=0.641, plcc_std=0.211, emd=0.045),
)
CAUTION = (
    "published: said to be on the paper's own GBR data, which are not available; not comparable with figures "
    "on other data. The order of its EMD is not stated. Its NIMA rows equal those quoted from NIMA's own "
    "paper for AVA."
)
