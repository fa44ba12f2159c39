"""``lora``: low-rank updates of the network's own layers (Hu et al., "LoRA", ICLR 2022).

Updated is every linear layer and every 1x1 convolution, which is one: the queries, keys, values and
outputs of attention, and the layers of MLPs, whatever the network; not the last one that gives the score,
and not those of a head that was worked out in closed form.
Where the network has a stem that can stay frozen (:data:`piaa.adapters.network.copies.STEM`), it does. On
``piaa-lite`` a fit of 10 ratings costs some 10 s of one thread (docs/meta-learning.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from piaa.adapters.network.tuned import TunedNetwork

if TYPE_CHECKING:
    from torch import Tensor, nn

    from piaa.adapters.network.tune import TuneConfig

RANK = 4


class LoraAdapter(TunedNetwork):
    """Stores the low-rank matrices alone."""

    name: ClassVar[str] = "lora"

    def usual(self) -> TuneConfig:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.tune import TuneConfig

        return TuneConfig(rate=3e-4, epochs=8, pull=1e-3)

    def copy(
        self, network: nn.Module, names: Collection[str] | None = None
    ) -> tuple[nn.Module, dict[str, nn.Parameter]]:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.copies import personal_copy
        from piaa.adapters.network.low_rank import add_low_rank

        twin = personal_copy(network, own=())
        trained = add_low_rank(twin, RANK)
        # Updates that are not trained stay nothing.
        return twin, {key: trained[key] for key in self.part_of(network, trained, names)}

    def change(self, now: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.copies import halves

        del start
        return halves(now)

    def apply(
        self,
        change: Mapping[str, NDArray[Any]],
        trained: Mapping[str, nn.Parameter],
        start: Mapping[str, Tensor],
    ) -> None:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.copies import wholes
        from piaa.adapters.network.tune import load

        del start
        load(trained, wholes(change, trained))
