"""The processes that a launcher started, their devices, and what one of them does for all."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TypeVar, cast

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, broadcast_object_list

from generic.errors import PiaaError, TrainingError
from generic.pretrain.config import Settings

T = TypeVar("T")

_PATIENCE = InitProcessGroupKwargs(timeout=timedelta(days=2))
"""How long processes wait for each other: reading a large folder or asking a teacher takes hours, which the
usual ten minutes take for a hang. A process that dies is seen by the launcher."""


def make_accelerator(settings: Settings) -> Accelerator:
    """The device or devices of this process, as ``accelerate launch`` or the machine says.

    Raises:
        TrainingError: the device cannot compute in the precision asked for.
    """
    _leave_at_exit()
    # A second training in one process may ask for another precision, which accelerate refuses.
    AcceleratorState._reset_state(reset_partial_state=False)
    precision = "no" if settings.precision == "fp32" else settings.precision
    try:
        accelerator = Accelerator(
            mixed_precision=precision, cpu=not torch.cuda.is_available(), kwargs_handlers=[_PATIENCE]
        )
    except ValueError as error:
        raise TrainingError(
            f"this device cannot train in {settings.precision} ({' '.join(str(error).split())}); choose "
            f"--precision bf16 or fp32"
        ) from error
    if settings.precision == "fp16" and accelerator.device.type == "cpu":
        raise TrainingError("a CPU cannot train in fp16; choose --precision bf16 or fp32")
    return accelerator


def by_the_first(work: Callable[[], T]) -> T:
    """What the first process makes, on all of them; the others wait for it.

    Args:
        work: called on the first process only; its result can be pickled.

    Raises:
        PiaaError: the one that ``work`` raised, on every process.
    """
    _leave_at_exit()
    state = PartialState(cpu=not torch.cuda.is_available(), **_PATIENCE.to_kwargs())
    made: list[T | PiaaError | None] = [None]
    if state.is_main_process:
        try:
            made[0] = work()
        except PiaaError as error:
            made[0] = error
    broadcast_object_list(made, from_process=0)
    if isinstance(made[0], PiaaError):
        raise made[0]
    return cast("T", made[0])


@cache
def _leave_at_exit() -> None:
    """Leave the group of processes before Python ends: its threads, still running then, abort the process."""
    atexit.register(_leave)


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
