"""A loss that is no number, a disk that is full, a state that is damaged."""

from __future__ import annotations

import os

import torch
from safetensors.numpy import load_file

from generic.folder_lock import FolderLock
from generic.pretrain import training_folder
from generic.pretrain.loop import Trainer


def test_a_loss_that_is_no_number_stops_with_step_rate_and_cure(train, tmp_path):
    refused = train("--epochs", 3, "--rate", 1000, "--schedule", "constant", out=tmp_path / "run", ok=False)
    assert refused.kind == "TrainingError"
    head, _, tail = refused.error.partition(" is ")
    assert head.startswith("the loss of step ")
    assert tail.startswith(("nan, at a learning rate of ", "inf, at a learning rate of "))
    assert tail.endswith(
        "; what was saved before is kept. To do: begin again in another folder with a lower --rate"
    )


def test_a_full_disk_stops_with_the_last_state_kept_and_goes_on_when_there_is_room(
    tmpfs, train, tmp_path, monkeypatch
):
    whole = train("--epochs", 3, out=tmp_path / "whole")
    finish = Trainer._finish_epoch
    with tmpfs(tmp_path / "disk", "8m") as disk:
        out, filler = disk / "run", disk / "filler"

        def fill_after_the_first(self, epoch, rate, speed):
            if epoch == 1 and not filler.exists():
                free = os.statvfs(disk)
                filler.write_bytes(bytes(free.f_bavail * free.f_frsize))
            finish(self, epoch, rate, speed)

        monkeypatch.setattr(Trainer, "_finish_epoch", fill_after_the_first)
        refused = train("--epochs", 3, out=out, ok=False)
        assert refused.kind == "OutputError"
        assert refused.error.endswith(": the disk is full; free some space or name a file in another folder")
        kept = load_file(out / "state.safetensors")
        filler.unlink()
        monkeypatch.setattr(Trainer, "_finish_epoch", finish)
        again = train("--epochs", 3, out=out)
        assert again.history == whole.history
        assert again.hash == whole.hash
        now = load_file(out / "state.safetensors")
        assert any((now[key] != kept[key]).any() for key in kept)


def test_too_little_memory_names_the_cure_which_works_in_the_same_folder(train, tmp_path, monkeypatch):
    whole = train("--epochs", 1, "--micro-batch", 1, out=tmp_path / "whole")
    one_pass = Trainer._pass

    def small_device(self, model, batch, number):
        if len(batch.rows) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return one_pass(self, model, batch, number)

    monkeypatch.setattr(Trainer, "_pass", small_device)
    refused = train("--epochs", 1, out=tmp_path / "run", ok=False)
    assert (refused.kind, refused.error) == (
        "TrainingError",
        "the device's memory is too small for passes of 2 photos; what was saved before is kept. To do: "
        "give a smaller --micro-batch, or --grad-checkpointing; where a state is saved already, in "
        "another folder",
    )
    assert train("--epochs", 1, "--micro-batch", 1, out=tmp_path / "run").hash == whole.hash


def test_a_damaged_state_is_named(train, tmp_path):
    train("--epochs", 1, out=tmp_path / "run")
    state = tmp_path / "run" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-40])
    refused = train("--epochs", 1, out=tmp_path / "run", ok=False)
    assert refused.error.startswith(f"the saved state {state} cannot be used (")
    assert refused.error.endswith("); begin again in another folder with --out")


def test_a_second_training_in_the_same_folder_is_refused(train, tmp_path, monkeypatch):
    train("--epochs", 1, out=tmp_path / "run")
    monkeypatch.setattr(training_folder, "_PATIENCE_S", 0.1)
    other = FolderLock(tmp_path / "run")
    assert other.claim(0)
    try:
        refused = train("--epochs", 1, out=tmp_path / "run", ok=False)
    finally:
        other.close()
    assert refused.error == (
        f"another training is going on in the run folder {tmp_path / 'run'}; wait for its end, or name "
        f"another folder with --out"
    )
