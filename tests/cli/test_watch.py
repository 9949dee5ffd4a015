"""What `serve` says while models load, on a terminal and without one."""

from __future__ import annotations

import asyncio
import io
import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mullama.cli.output import Progress
from mullama.cli.watch import Watch, example, human_count
from mullama.errors import ModelError
from mullama.types import ModelInfo, ModelKind, ModelState, ModelStatus

INFO = ModelInfo(
    path="tiny.gguf",
    name="Tiny",
    architecture="llama",
    description="",
    size=5_960_000,
    n_params=5_480_000,
    n_ctx_train=4096,
    n_embd=256,
    n_layer=6,
    n_head=4,
    n_head_kv=2,
    n_vocab=4096,
    kind=ModelKind.GENERATE,
    pooling=None,
    quantization="Q8_0",
    chat_template="{{ messages }}",
    kv_bytes_per_token=3072,
)


def status(name: str, state: ModelState, error: str | None = None) -> ModelStatus:
    return ModelStatus(name, state, INFO, created=0, n_ctx=4096, error=error, progress=0.42)


class Backend:
    """Whose models stand differently each time that somebody looks."""

    def __init__(self, *looks: Sequence[ModelStatus]) -> None:
        self._looks = list(looks)

    def models(self) -> Sequence[ModelStatus]:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"watching needs no {name}")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(backend: Backend, stream: io.StringIO) -> str:
    asyncio.run(Watch("http://here:1", Progress(stream))(backend))  # type: ignore[arg-type]
    return stream.getvalue()


LOADING, LOADED, FAILED = ModelState.LOADING, ModelState.LOADED, ModelState.FAILED


def test_an_open_server_says_so() -> None:
    said = io.StringIO()
    watch = Watch("http://here:1", Progress(said), is_open=True)
    asyncio.run(watch(Backend([status("a", LOADED)])))  # type: ignore[arg-type]
    assert "open to other machines" in said.getvalue().splitlines()[1]


def test_each_model_gets_a_line_when_it_is_ready() -> None:
    backend = Backend(
        [status("a", LOADING), status("b", LOADING)],
        [status("a", LOADING), status("b", LOADED)],
        [status("a", FAILED, "no memory"), status("b", LOADED)],
    )
    lines = watched(backend, io.StringIO()).splitlines()
    assert lines[0].endswith("listens on http://here:1")
    assert lines[1] == "  b: ready (llama, 5.5M parameters, Q8_0, generate, context 4096)"
    assert lines[2] == "  a: failed: no memory"
    assert lines[3].startswith("Try it: curl http://here:1/v1/chat/completions ")


def test_a_terminal_sees_an_updating_line_that_goes_away() -> None:
    backend = Backend([status("a", LOADING)], [status("a", LOADED)])
    text = watched(backend, Terminal())
    assert "\r\x1b[Kloading a 42%\r\x1b[K  a: ready" in text


def test_an_updating_line_stays_on_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Progress(stream).update("loading " + ", ".join("abcdefgh"))
    assert stream.getvalue() == "\r\x1b[Kloading a, b, c, d,"


def test_a_model_that_loads_later_is_not_waited_for() -> None:
    assert "loads when it is first asked for" in watched(
        Backend([status("a", ModelState.UNLOADED)]), io.StringIO()
    )


def test_nothing_to_serve_is_an_error_with_the_reasons() -> None:
    stream = io.StringIO()
    with pytest.raises(ModelError, match="nothing to serve"):
        watched(Backend([status("a", FAILED, "no memory"), status("b", FAILED, "no file")]), stream)
    assert "a: failed: no memory" in stream.getvalue()
    assert "b: failed: no file" in stream.getvalue()


def test_the_only_model_s_failure_is_told_once_as_the_error() -> None:
    stream = io.StringIO()
    with pytest.raises(ModelError, match=r"^no memory$"):
        watched(Backend([status("a", LOADING)], [status("a", FAILED, "no memory")]), stream)
    assert "no memory" not in stream.getvalue()


def test_the_example_names_a_model_that_is_not_the_default() -> None:
    backend = Backend([status("it's", LOADED), replace(status("b", LOADED), is_default=True)])
    last = watched(backend, io.StringIO()).splitlines()[-2]
    *_, body = shlex.split(last.removeprefix("Try it: "))
    assert json.loads(body)["model"] == "it's"
    backend = Backend([replace(status("a", LOADED), is_default=True)])
    assert '"model"' not in watched(backend, io.StringIO())


@pytest.mark.parametrize(
    ("info", "endpoint"),
    [
        (INFO, "chat/completions"),
        (replace(INFO, chat_template=None), "completions"),
        (replace(INFO, kind=ModelKind.EMBED), "embeddings"),
    ],
)
def test_the_example_suits_the_model(info: ModelInfo, endpoint: str) -> None:
    assert example(info)[0] == endpoint


@pytest.mark.parametrize(
    ("number", "text"), [(7_615_616_512, "7.6B"), (5_480_000, "5.5M"), (1000, "1.0K"), (999, "999")]
)
def test_large_numbers_are_short(number: int, text: str) -> None:
    assert human_count(number) == text
