"""The curves of a training: loss, agreement with raters, learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from protocols.report.plot_style import GREY, PAGE, appearance, panels, settle, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves_figure(history: Sequence[Mapping[str, Any]], *, best_epoch: int) -> Figure:
    """Three panels over the epochs; a grey line stands at the epoch that was chosen.

    Args:
        history: one row an epoch: ``epoch``, ``loss``, ``rate``, ``srcc``, ``plcc``, ``mse``.
        best_epoch: counted from 1; 0 for none.
    """
    epochs = [row["epoch"] for row in history]
    with style():
        figure, axes = panels(PAGE, 2.2, 1, 3)
        shown = (
            ("loss and error", ("loss", "mse"), "training loss, validation MSE", "linear"),
            ("agreement with raters", ("srcc", "plcc"), "validation correlation", "linear"),
            ("learning rate", ("rate",), "at the epoch's end", "log"),
        )
        for panel, (title, names, label, scale) in zip(axes, shown, strict=True):
            for place, name in enumerate(names):
                panel.plot(epochs, [row[name] for row in history], label=name.upper(), **appearance(place))
            if best_epoch:
                panel.axvline(best_epoch, color=GREY, linewidth=0.8)
            if scale == "log" and all(row["rate"] > 0 for row in history):
                panel.set_yscale("log")
            panel.set_title(title, loc="left")
            panel.set_xlabel("epoch")
            panel.set_ylabel(label)
            panel.grid(axis="y")
            if len(names) > 1:
                panel.legend(frameon=False)
        return settle(figure)
