"""``finetune``: the network tuned whole on a person's ratings, for few epochs, but for a head in closed form.

So personalise He et al., "EAT", ACM Multimedia 2023: Adam at a fixed rate on the squared error. The paper
names neither rate nor epochs; ours are few, and cross-validation on the support says how many, and how much
the tuned network counts beside the generic one (:mod:`piaa.adapters.network.tune`). Costs a pass forward and
back through the network for every photo, epoch and fold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from piaa.adapters.network.tuned import TunedNetwork

if TYPE_CHECKING:
    from torch import Tensor, nn

    from piaa.adapters.network.tune import TuneConfig


class FinetuneAdapter(TunedNetwork):
    """Stores what each parameter moved by, in half precision."""

    name: ClassVar[str] = "finetune"

    def usual(self) -> TuneConfig:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.tune import TuneConfig

        return TuneConfig(rate=3e-5, epochs=4, pull=1e-3)

    def copy(
        self, network: nn.Module, names: Collection[str] | None = None
    ) -> tuple[nn.Module, dict[str, nn.Parameter]]:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.copies import personal_copy

        own = self.part_of(network, (name for name, _ in network.named_parameters()), names)
        twin = personal_copy(network, own)
        return twin, {name: parameter for name, parameter in twin.named_parameters() if name in set(own)}

    def change(self, now: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.copies import halves

        return halves({key: value - start[key] for key, value in now.items()})

    def apply(
        self,
        change: Mapping[str, NDArray[Any]],
        trained: Mapping[str, nn.Parameter],
        start: Mapping[str, Tensor],
    ) -> None:
        """See :class:`TunedNetwork`."""
        from piaa.adapters.network.copies import wholes
        from piaa.adapters.network.tune import load

        moved = wholes(change, trained)
        load(trained, {key: start[key] + moved[key] for key in trained})
