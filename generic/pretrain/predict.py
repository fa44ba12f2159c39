"""A network's outputs for photos as they are, computed by all processes together."""

from __future__ import annotations

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray
from torch import nn

from generic.errors import TrainingError
from generic.pretrain.batches import PhotoReader, in_order, loader
from generic.pretrain.config import Settings
from generic.pretrain.photos import Photos
from generic.pretrain.trained_network import Trainee
from generic.words import counted


def outputs_of(
    trainee: Trainee,
    network: nn.Module,
    photos: Photos,
    settings: Settings,
    *,
    accelerator: Accelerator,
    micro: int,
) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Raw outputs of n photos, neither mirrored nor cropped.

    Args:
        trainee: what the network is.
        network: its weights, or their running mean; left in the mode that it was in.
        photos: which.
        settings: ``fit`` and ``workers`` are used.
        accelerator: the process's device; its precision is used.
        micro: photos in one pass of one process.

    Returns:
        shape (n, t), with rows of NaN for photos that cannot be read, and their errors by row.

    Raises:
        TrainingError: not one photo can be read.
    """
    device = accelerator.device
    share = in_order(
        len(photos), micro, process=accelerator.process_index, n_processes=accelerator.num_processes
    )
    # Rows of other processes stay 0 here and are added.
    table = torch.zeros(len(photos), trainee.outputs, device=device)
    errors: dict[int, str] = {}
    training = {name: module.training for name, module in network.named_modules()}
    network.eval()
    reader = PhotoReader(photos, trainee.size, settings)
    with torch.no_grad():
        for batch in loader(reader, share, workers=settings.workers, pin=device.type == "cuda"):
            with accelerator.autocast():
                raw = network(trainee.normalise(batch.pixels.to(device, non_blocking=True)))
            table[batch.rows.to(device)] = raw.float()
            errors |= batch.errors
    for name, module in network.named_modules():
        module.training = training[name]
    outputs: NDArray[np.float32] = accelerator.reduce(table, reduction="sum").cpu().numpy()
    for theirs in gather_object([errors]):
        errors |= theirs
    if len(errors) == len(photos):
        raise TrainingError(
            f"not one of {counted(len(photos), 'photo')} can be read; the first: "
            f"{next(iter(errors.values()))}"
        )
    outputs[list(errors)] = np.nan
    return outputs, errors
