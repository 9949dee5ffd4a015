"""What of the options reaches the model and its contexts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mullama.config import ModelOptions
from mullama.host import wiring
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.placement import Placement
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from tests.gguf_models import vocabulary, write_model

SMALL: dict[str, Any] = {"context_size": 64, "parallel": 1, "threads": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    path = write_model(tmp_path_factory.mktemp("models") / "m.gguf")
    with LlamaModel.load(read_info(path)) as model:
        yield model


def test_options_of_placement_are_a_placement() -> None:
    options = ModelOptions(
        gpu_layers=-1,
        main_gpu=1,
        split_mode="row",
        tensor_split="3,1",
        device="CUDA1, CUDA0",
        override_tensor=r"blk\.0=CUDA0,exps=CPU",
        cpu_moe=True,
        n_cpu_moe=4,
    )
    assert wiring.placement(options) == Placement(
        n_gpu_layers=-1,
        main_gpu=1,
        split_mode="row",
        tensor_split=[3, 1],
        devices=("CUDA1", "CUDA0"),
        overrides=((r"blk\.0", "CUDA0"), ("exps", "CPU")),
        cpu_moe=True,
        n_cpu_moe=4,
    )


def test_the_tokens_that_end_a_text_are_those_that_end_an_answer(tmp_path: Path) -> None:
    source = (
        "{% for m in messages %}{% if m.reasoning_content %}<|role|>assistant/think\n"
        "{{ m.reasoning_content }}<|end|>\n{% endif %}<|role|>{{ m.role }}\n{{ m.content }}<|end|>"
        "{{ '<|stop|>' if m.role == 'assistant' }}\n{% endfor %}"
        "{% if add_generation_prompt %}<|role|>assistant{% endif %}"
    )
    tokens = ["<|end|>", "<|stop|>", *vocabulary()[2:]]
    metadata = {"tokenizer.chat_template": source, "tokenizer.ggml.tokens": tokens}
    path = write_model(tmp_path / "m.gguf", metadata=metadata)
    with LlamaModel.load(read_info(path)) as model:
        assert LlamaVocab(model).eog == {0}
        vocab, template = wiring.reading(model)
        assert template is not None
        assert vocab.eog == {1}


def test_without_options_everything_is_as_llama_cpp_has_it() -> None:
    assert wiring.placement(ModelOptions()) == Placement(tensor_split=[])


@pytest.mark.parametrize(("kv", "op"), [(True, True), (False, True), (True, False)])
def test_offloading_reaches_both_contexts(
    model: LlamaModel, monkeypatch: pytest.MonkeyPatch, kv: bool, op: bool
) -> None:
    seen: list[tuple[bool, bool]] = []
    create = C.llama_init_from_model

    def record(weights: int, params: Any) -> int:
        seen.append((params.offload_kqv, params.op_offload))
        return int(create(weights, params))

    monkeypatch.setattr(C, "llama_init_from_model", record)
    options = ModelOptions(kv_offload=kv, op_offload=op, **SMALL)
    runner = wiring.open_runner(model, options)
    assert runner is not None
    runner.close()
    wiring.open_embedder(model, options).close()
    assert seen == [(kv, op)] * 2
