"""Loading a model: its facts, its end, and the reasons why it can't be loaded."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mullama.errors import InvalidRequest, ModelError
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from tests import gguf_models
from tests.gguf_models import write_model


def test_the_facts_of_a_loaded_model(model: LlamaModel) -> None:
    assert (model.name, model.architecture, model.n_ctx_train) == ("Random", "llama", 512)
    assert (model.n_embd, model.n_layer, model.n_head) == (64, 2, 2)
    assert model.n_vocab == len(gguf_models.vocabulary())
    assert (model.token_bos, model.token_eos) == (gguf_models.BOS, gguf_models.EOS)
    assert (model.n_params, model.size) == (model.info.n_params, model.info.size)
    assert model.description == "llama 96.2K F32"


def test_its_metadata_are_text(model: LlamaModel) -> None:
    metadata = model.metadata()
    assert metadata["general.architecture"] == "llama"
    assert metadata["llama.context_length"] == "512"


def test_a_long_value_of_the_metadata_is_whole(tmp_path: Path) -> None:
    template = "{{ 'ü' }}" * 2000
    path = write_model(tmp_path / "m.gguf", metadata={"tokenizer.chat_template": template})
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        assert model.metadata()["tokenizer.chat_template"] == template


@pytest.mark.parametrize(("use_mmap", "use_mlock"), [(True, False), (False, False), (True, True)])
def test_every_way_of_loading(random_file: Path, use_mmap: bool, use_mlock: bool) -> None:
    info = read_info(random_file)
    with LlamaModel.load(info, use_mmap=use_mmap, use_mlock=use_mlock) as model:
        assert model.n_vocab == info.n_vocab


def test_a_vocabulary_loads_without_weights(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", tensors=False)
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        assert LlamaVocab(model).tokenize("the", add_special=False)


def test_a_split_model_loads(tmp_path: Path) -> None:
    write_model(tmp_path / "big.gguf", split_max_tensors=8)
    first = min(tmp_path.glob("big-*.gguf"))
    with LlamaModel.load(read_info(first)) as model:
        assert model.n_layer == gguf_models.N_LAYER


def test_progress_runs_from_0_to_1(random_file: Path) -> None:
    seen: list[float] = []
    LlamaModel.load(read_info(random_file), progress=seen.append).close()
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("error", [RuntimeError("enough"), KeyboardInterrupt()])
def test_an_exception_of_progress_ends_the_loading(random_file: Path, error: BaseException) -> None:
    def progress(done: float) -> None:
        raise error

    with pytest.raises(type(error)):
        LlamaModel.load(read_info(random_file), progress=progress)


# ---------------------------------------------------------------------------------- what can't load


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"arch": "foo"}, "unknown model architecture: 'foo'"),
        ({"tensors": False}, "it has a vocabulary, but no weights"),
        ({"extra": {"stray": np.zeros(4, np.float32)}}, "wrong number of tensors"),
        ({"metadata": {"llama.feed_forward_length": 128}}, "has wrong shape"),
        ({"metadata": {"llama.context_length": None}}, "key not found.*context_length"),
        ({"metadata": {"tokenizer.ggml.pre": "wild"}}, "unknown pre-tokenizer type: 'wild'"),
        ({"metadata": {"tokenizer.ggml.model": "wild"}}, "unknown tokenizer: 'wild'"),
        ({"tokenizer": False}, "tokenizer"),
    ],
)
def test_a_load_that_fails_says_why(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    path = write_model(tmp_path / "m.gguf", **options)
    with pytest.raises(ModelError, match=rf"Can't load '.*m\.gguf': .*{reason}"):
        LlamaModel.load(read_info(path))


def test_a_model_that_has_no_tokenizer_has_no_vocabulary(tmp_path: Path) -> None:
    no_vocab = {"tokenizer.ggml.model": "none"}
    path = write_model(tmp_path / "m.gguf", tokenizer=False, metadata=no_vocab)
    with LlamaModel.load(read_info(path)) as model:
        assert (model.token_bos, model.token_eos) == (None, None)
        with pytest.raises(ModelError, match="has no tokenizer"):
            LlamaVocab(model)


def test_a_file_that_vanished_after_it_was_read_is_a_model_error(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf")
    info = read_info(path)
    path.unlink()
    with pytest.raises(ModelError, match="Can't load"):
        LlamaModel.load(info)


# ------------------------------------------------------------------------------------------ its end


def test_a_closed_model_can_not_be_used(random_file: Path) -> None:
    model = LlamaModel.load(read_info(random_file))
    vocab = LlamaVocab(model)
    vocab.piece(10)
    model.close()
    model.close()
    assert model.closed
    uses: list[Callable[[], object]] = [
        model.metadata,
        lambda: model.token_bos,
        lambda: vocab.tokenize("the"),
        lambda: vocab.detokenize([12]),
        lambda: vocab.piece(11),
        lambda: LlamaVocab(model),
        lambda: LlamaContext(model, ContextOptions(n_ctx=64)),
    ]
    for use in uses:
        with pytest.raises(InvalidRequest, match="The model is closed"):
            use()


def test_closing_a_model_closes_its_contexts_first(random_file: Path) -> None:
    model = LlamaModel.load(read_info(random_file))
    context = LlamaContext(model, ContextOptions(n_ctx=64))
    model.close()
    with pytest.raises(InvalidRequest, match="The context is closed"):
        context.length(0)


def test_a_context_that_nobody_has_any_more_does_not_stay(random_file: Path) -> None:
    with LlamaModel.load(read_info(random_file)) as model:
        handle = LlamaContext(model, ContextOptions(n_ctx=64)).handle
        assert not handle.closed
        del handle


def test_closing_while_other_threads_tokenize_is_an_error_not_a_crash(random_file: Path) -> None:
    model = LlamaModel.load(read_info(random_file))
    vocab = LlamaVocab(model)
    text = "the hen in a tin on the inn " * 50
    errors: list[Exception] = []
    started = threading.Barrier(5)

    def tokenize() -> None:
        started.wait()
        try:
            while True:
                vocab.tokenize(text)
        except InvalidRequest as error:
            errors.append(error)

    threads = [threading.Thread(target=tokenize) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    model.close()
    for thread in threads:
        thread.join(30)
    assert len(errors) == 4


def test_the_path_may_have_any_characters(tmp_path: Path) -> None:
    path = write_model(tmp_path / "mod èl 模型 'x'.gguf")
    with LlamaModel.load(replace(read_info(path))) as model:
        assert model.info.path == str(path)


def test_a_process_may_end_with_everything_open(random_file: Path) -> None:
    code = f"""
import logging
logger = logging.getLogger("mullama.llama")
logger.setLevel(logging.DEBUG)
logger.addHandler(logging.NullHandler())
logger.propagate = False
from mullama.models.gguf import read_info
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.llama.context import ContextOptions
from mullama.llama.runner import LlamaRunner
from mullama.types import *
model = LlamaModel.load(read_info({str(random_file)!r}))
runner = LlamaRunner(model, ContextOptions(n_ctx=64, n_threads=1))
runner.execute(Plan(opened=[OpenSampler(0, SamplerParams(dry_multiplier=1), [])],
                    chunks=[Chunk(0, 0, 0, [5, 6], True)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
