"""Forward hooks that are taken off again, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def hooked(modules: Iterable[nn.Module], hook: Callable[[Any, Any, Any], Any]) -> Iterator[None]:
    """Within it, a hook is called after each run of some modules, with module, inputs and output.

    Args:
        modules: each once.
        hook: what it gives, unless None, stands in for the module's output.
    """
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
