"""Training: two micro-batches a step, a checkpoint now and then, from which it goes on.

Nothing is random once the weights are drawn, and which rows a step takes follows from its number:
a run that was interrupted makes the same steps as one that was not.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recipes.tiny import packing
from recipes.tiny.generate import shards
from recipes.tiny.model import Net
from recipes.tiny.muon import Muon
from recipes.tiny.progress import Progress
from recipes.tiny.settings import BUCKETS, SCHEDULE, SHAPE, Schedule, Shape

_LOG_EVERY = 10


class Trainer:
    """Model, optimizers and the number of the next step: all that a checkpoint holds."""

    def __init__(
        self,
        data: dict[str, packing.Rows],
        schedule: Schedule = SCHEDULE,
        shape: Shape = SHAPE,
    ) -> None:
        torch.manual_seed(1)
        self.net = Net(shape)
        self.schedule, self.data = schedule, data
        self.muon = Muon(self.net.matrices(), schedule.weight_decay)
        self.adam = torch.optim.AdamW(
            self.net.others(),
            lr=schedule.adam_rate,
            betas=(0.9, schedule.adam_memory),
            weight_decay=0.0,
            fused=True,
        )
        self.done = 0

    def compile(self) -> None:
        """Block by block: seconds instead of minutes. Without a C++ compiler, not at all."""
        if shutil.which(os.environ.get("CXX", "g++")) is None:
            return
        for block in self.net.blocks:
            block.compile(dynamic=False)

    def step(self) -> dict[str, float]:
        """One step. The loss of a trained token, by bucket."""
        batches = []
        for bucket, index in self.schedule.takes(self.done):
            batches.append((bucket.name, self.data[bucket.name].batch(index, bucket.rows)))
        count = sum(int((packing.targets(rows) >= 0).sum()) for _, rows in batches)
        losses: dict[str, float] = {}
        for name, rows in batches:
            wanted = packing.targets(rows)
            with torch.autocast("cpu", torch.bfloat16):
                loss = self.net.loss(
                    _tensor(packing.tokens(rows)),
                    _tensor(packing.documents(rows)),
                    _tensor(wanted),
                )
            (loss / count).backward()
            losses[name] = loss.item() / max(1, int((wanted >= 0).sum()))
        if not all(loss < 1e4 for loss in losses.values()):
            raise FloatingPointError(f"the loss is {losses} at step {self.done}")
        rate = self.schedule.rate(self.done)
        for group in self.adam.param_groups:
            group["lr"] = self.schedule.adam_rate * rate
        self.adam.step()
        self.muon.step(self.schedule.muon_rate * rate)
        self.net.zero_grad(set_to_none=True)
        self.done += 1
        return losses

    # -- checkpoints --------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        state = {
            "net": self.net.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "done": self.done,
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        self.done = state["done"]


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(array)


def train(folder: Path) -> None:
    """To the last step, from the checkpoint if there is one; Ctrl-C loses only the steps since."""
    data = {b.name: packing.Rows(shards(folder, b), b.length) for b in BUCKETS}
    trainer, checkpoint = Trainer(data), folder / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    trainer.compile()
    progress = Progress("training", SCHEDULE.steps, trainer.done)
    sums: dict[str, list[float]] = {}
    log = folder / "losses.tsv"
    while trainer.done < SCHEDULE.steps:
        for name, loss in trainer.step().items():
            sums.setdefault(name, []).append(loss)
        due = trainer.done % _LOG_EVERY == 0
        note = ", ".join(f"{name} {sum(v) / len(v):.4f}" for name, v in sums.items())
        progress.advance(note, quiet=not due)
        if due:
            with log.open("a") as file:
                file.write(f"{trainer.done}\t{note}\n")
            sums.clear()
        if trainer.done % SCHEDULE.save_every == 0 or trainer.done == SCHEDULE.steps:
            trainer.save(checkpoint)
            _give_back()


def _give_back() -> None:
    """Return free memory to the system. A step's tensors differ in size from the last one's, so
    glibc's heap grows by 10 MB a step, nearly all of it holes."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
