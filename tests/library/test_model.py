"""A model's facts, its tokens and its template."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mullama import Context, InvalidRequest, Model, ModelError, NotFound, devices


def test_a_model_says_what_it_is(model: Model) -> None:
    assert model.name == "mullama-tiny"
    assert model.architecture == "llama"
    assert model.description == "llama 5.48M Q8_0"
    assert f"{model.n_params:,}" == "5,475,584"
    assert model.size > model.n_params
    assert (model.n_ctx_train, model.n_vocab) == (2048, 4096)
    assert (model.n_embd, model.n_layer, model.n_head) == (256, 6, 4)
    assert model.token_bos == 0
    assert model.token_eos == 2
    assert model.metadata()["general.architecture"] == "llama"


def test_a_model_goes_where_it_is_put(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG, "mullama.llama"),
        Model.load(tiny_model, device="none", override_tensor=r"blk\.0\.ffn_up=CPU") as model,
    ):
        assert "tensor blk.0.ffn_up.weight (" in caplog.text
        with Context(model, n_ctx=256, kv_offload=False, op_offload=False) as context:
            assert context.generate("Once upon a time", max_tokens=4)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"device": "CUDA99"}, "device"),
        ({"device": ","}, "device"),
        ({"device": 0}, "device"),
        ({"override_tensor": "a=VRAM"}, "override_tensor"),
        ({"override_tensor": "["}, "override_tensor"),
        ({"n_cpu_moe": -1}, "n_cpu_moe"),
        ({"split_mode": "diagonal"}, "split_mode"),
        ({"tensor_split": [-1.0]}, "tensor_split"),
    ],
)
def test_a_place_that_is_not_there_is_refused_by_name(
    tiny_model: Path, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Model.load(tiny_model, **options)
    assert caught.value.param == param


def test_the_devices_are_those_that_models_can_be_put_on() -> None:
    assert "CPU" in [device.name for device in devices()]


def test_tokens_are_text_again(model: Model) -> None:
    text = "Héllo, wörld! 🙂"
    assert model.detokenize(model.tokenize(text, add_bos=False)) == text
    assert model.detokenize(iter(model.tokenize(text)), remove_special=True).strip() == text


def test_control_tokens_are_text_unless_asked_for(model: Model) -> None:
    assert len(model.tokenize("<|im_end|>", add_bos=False)) > 1
    (token,) = model.tokenize("<|im_end|>", add_bos=False, special=True)
    assert model.token_is_eog(token)
    assert not model.token_is_eog(model.tokenize("a", add_bos=False)[0])
    assert model.detokenize([token]) == ""
    assert model.detokenize([token], unparse_special=True) == "<|im_end|>"


def test_a_token_that_is_none_of_the_model_s_is_refused(model: Model) -> None:
    with pytest.raises(InvalidRequest, match="4096"):
        model.detokenize([4096])


@pytest.mark.parametrize(
    "messages",
    [
        [("system", "Be brief."), ("user", "Hi")],
        [["system", "Be brief."], ["user", "Hi"]],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    ],
)
def test_a_conversation_becomes_a_prompt(model: Model, messages: list[tuple[str, str]]) -> None:
    begun = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    assert model.apply_chat_template(messages, add_generation_prompt=False) == begun
    assert model.apply_chat_template(messages) == begun + "<|im_start|>assistant\n"


@pytest.mark.parametrize("messages", [[], [("user",)], [("user", "a", "b")], ["hello"]])
def test_a_conversation_of_the_wrong_shape_is_refused(
    model: Model, messages: list[tuple[str, str]]
) -> None:
    with pytest.raises(InvalidRequest):
        model.apply_chat_template(messages)


def test_a_vocabulary_alone_tokenizes_and_renders(tiny_model: Path) -> None:
    with Model.load(tiny_model, vocab_only=True) as model:
        assert model.detokenize(model.tokenize("hello", add_bos=False)) == "hello"
        assert "<|im_start|>user" in model.apply_chat_template([("user", "hello")])
        with pytest.raises(ModelError, match="vocabulary"):
            Context(model)


def test_a_model_without_a_template_can_t_chat(shared_data: Callable[[str], Path]) -> None:
    path = next(iter(sorted(shared_data("vocab").glob("*gpt-2*.gguf"))), None)
    if path is None:
        pytest.skip("no vocabulary without a chat template")
    with (
        Model.load(path, vocab_only=True) as model,
        pytest.raises(InvalidRequest, match="template"),
    ):
        model.apply_chat_template([("user", "hello")])
    with (
        Model.load(path, vocab_only=True) as model,
        pytest.raises(InvalidRequest, match="template"),
    ):
        model.answer_format(tools=False)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Model.load(tmp_path / "none.gguf")


def test_a_file_that_is_no_model_is_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("hello")
    with pytest.raises(ModelError, match=r"text\.gguf"):
        Model.load(path)


def test_the_built_in_model_has_a_name() -> None:
    with Model.load("mullama-tiny", vocab_only=True) as model:
        assert model.name == "mullama-tiny"


def test_loading_reports_its_progress(tiny_model: Path) -> None:
    seen: list[float] = []
    with Model.load(tiny_model, progress=seen.append):
        assert seen[-1] == 1.0
        assert seen == sorted(seen)


def test_a_progress_callback_can_stop_the_loading(tiny_model: Path) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Model.load(tiny_model, progress=stop)
