"""Training, where PyTorch is installed (`make tiny` makes such an environment)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.model import LlamaModel
from mullama.models.gguf import read_info
from mullama.types import Chunk, Status
from recipes.tiny import packing
from recipes.tiny.bpe import Tokenizer
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


def test_attention_and_its_gradients_are_those_of_the_formula() -> None:
    """Grouped heads, several parts of queries, conversations that do not see each other."""
    from recipes.tiny.model import Attention, attends

    torch.manual_seed(3)
    rows, length, head = 2, 300, 8
    q, k, v = (torch.randn(rows, n, length, head, requires_grad=True) for n in (4, 2, 2))
    bias = attends(torch.cumsum(torch.rand(rows, length) < 0.02, dim=-1))
    weight = torch.randn(rows, 4, length, head)
    mixed = Attention.apply(q, k, v, bias)
    expected = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=bias.float(), enable_gqa=True
    )
    assert torch.allclose(mixed, expected, atol=1e-5)
    ours = torch.autograd.grad(mixed, (q, k, v), weight)
    for one, other in zip(ours, torch.autograd.grad(expected, (q, k, v), weight), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_llama_cpp_computes_the_exported_net(tmp_path: Path) -> None:
    from recipes.tiny.export import write
    from recipes.tiny.model import Net, attends

    tokenizer = Tokenizer([("t", "h")])
    shape = replace(SMALL, n_vocab=len(tokenizer.tokens))
    torch.manual_seed(4)
    net = Net(shape)
    for parameter in net.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.1)
    write(tmp_path / "net.gguf", net, tokenizer)
    tokens = torch.randint(20, shape.n_vocab, (1, 40))
    with torch.no_grad():
        states = net(tokens, attends(torch.zeros(1, 40)))[0, -1]
        expected = (states @ net.token_embd.T).numpy()
    options = ContextOptions(n_ctx=64, type_k="f32", type_v="f32", flash_attn="off", n_threads=1)
    with (
        LlamaModel.load(read_info(tmp_path / "net.gguf")) as model,
        closing(LlamaContext(model, options)) as context,
    ):
        batch = Batch(64)
        batch.fill([Chunk(0, 0, 0, tokens[0].tolist(), sample=True)])
        assert context.decode(batch) is Status.DONE
        (row,) = context.logits(1).copy()
    assert np.corrcoef(row, expected)[0, 1] > 0.999  # weights have 8 bits
