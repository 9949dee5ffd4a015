"""Training, where PyTorch is installed (`make tiny` makes such an environment)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recipes.tiny import packing
from recipes.tiny.settings import BUCKETS, Schedule, Shape

torch = pytest.importorskip("torch", reason="PyTorch is only in the environment of `make tiny`")

SMALL = Shape(n_vocab=64, n_embd=64, n_layer=2, n_head=2, n_head_kv=1, n_ff=64, head=32)
SCHEDULE = Schedule(steps=100, warmup=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, packing.Rows]:
    """Pairs of tokens, said twice: the second time is trained."""
    folder, rng = tmp_path_factory.mktemp("rows"), np.random.default_rng(1)
    made = {}
    for bucket in BUCKETS:
        pairs = rng.integers(1, 64, (64, bucket.length // 4, 2), dtype=np.uint16)
        rows = np.concatenate([pairs, pairs | packing.TRAINED], axis=2)
        rows[:, :, 0] |= packing.BEGINS
        path = folder / f"{bucket.name}.rows"
        packing.write(path, rows)
        made[bucket.name] = packing.Rows([path], bucket.length)
    return made


def test_a_resumed_run_makes_the_same_steps(data: dict[str, packing.Rows], tmp_path: Path) -> None:
    from recipes.tiny.train import Trainer

    one = Trainer(data, SCHEDULE, SMALL)
    one.step()
    one.save(tmp_path / "checkpoint.pt")
    expected = [one.step() for _ in range(2)]
    other = Trainer(data, SCHEDULE, SMALL)
    other.load(tmp_path / "checkpoint.pt")
    assert other.done == 1
    for losses in expected:
        assert other.step() == pytest.approx(losses, rel=1e-4)


def test_the_loss_falls(data: dict[str, packing.Rows]) -> None:
    from recipes.tiny.train import Trainer

    trainer = Trainer(data, SCHEDULE, SMALL)
    losses = [trainer.step()["short"] for _ in range(30)]
    assert losses[-1] < losses[0] - 0.3


def test_a_conversation_is_computed_as_if_it_stood_alone() -> None:
    """Neither what comes before it in the row, nor its place there, changes anything."""
    from recipes.tiny.model import Net, attends

    torch.manual_seed(2)
    net = Net(SMALL)
    for parameter in net.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.2)
    tokens = torch.randint(1, 64, (1, 600))
    documents = torch.cat([torch.zeros(1, 250), torch.ones(1, 350)], dim=1).long()
    with torch.no_grad():
        together = net(tokens, attends(documents))[:, 250:]
        alone = net(tokens[:, 250:], attends(documents[:, 250:]))
    assert torch.allclose(together, alone, atol=1e-3)


def test_muon_makes_updates_orthogonal() -> None:
    from recipes.tiny.muon import orthogonal

    for shape in ((3, 64, 32), (3, 32, 64), (2, 32, 32)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(*shape)))
        assert values.max() < 1.5
        assert values.median() > 0.6
