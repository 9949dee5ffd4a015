"""A vocabulary, a template, and the parts of a model, without a model."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from threading import Event
from typing import Any

from mullama.errors import InvalidRequest, ModelError
from mullama.host.running import Parts
from mullama.types import GenerateOptions, Pair, Plan, SamplerParams, StepOutput, Token
from tests.engine import fakes

BOS = 95
EOS = fakes.EOG
N_EMBD = 4


class Vocab(fakes.FakeVocab):
    """Letters; "^" is BOS where control tokens are parsed. With `add_special`, BOS and EOS."""

    bos: int | None = BOS

    def __init__(
        self, *, bos: int | None = BOS, adds: bool = True, infills: bool = True, pairs: bool = True
    ) -> None:
        self.bos = bos
        self._adds = adds and bos is not None
        self._infills = infills
        self._pairs = pairs

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        tokens = [BOS if parse_special and c == "^" else ord(c) % 64 + 1 for c in text]
        return [BOS, *tokens, EOS] if add_special and self._adds else tokens

    def infill(self, prefix: str, suffix: str) -> list[Token] | None:
        if not self._infills:
            return None
        return [90, *self.tokenize(prefix, add_special=False), 91, len(suffix)]

    def pair(self, query: str, document: str) -> Pair | None:
        """BOS, query, EOS, document, EOS."""
        if not self._pairs:
            return None
        before = [BOS, *self.tokenize(query, add_special=False), EOS]
        tokens = [*before, *self.tokenize(document, add_special=False), EOS]
        return Pair(tokens, len(before), len(tokens) - 1)


class Template:
    """Roles and contents, one after the other."""

    def render(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        tools: Sequence[dict[str, Any]] = (),
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        **kwargs: Any,
    ) -> str:
        if "refuse" in kwargs:
            raise InvalidRequest("the template refuses")
        text = "".join(f"tool:{tool['function']['name']};" for tool in tools)
        text += "".join(f"{m['role']}:{m['content']};" for m in messages)
        return kwargs.get("begin", "") + text + ("assistant:" if add_generation_prompt else "")


class Runner(fakes.FakeRunner):
    """Waits for `gate` before each computation, and says when it has `entered` one."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.entered = Event()
        self.gate = Event()
        self.gate.set()
        self.error: Exception | None = None
        self.closed = False
        self.aborted = False

    def execute(self, plan: Plan) -> StepOutput:
        self.entered.set()
        self.gate.wait()
        if self.error is not None:
            raise self.error
        return super().execute(plan)

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Embedder:
    """An input's vector is its length, its first token, and zeros."""

    n_embd = N_EMBD
    n_ctx = 16
    n_batch = 32
    n_lanes = 4
    ranks = False

    def __init__(self) -> None:
        self.entered = Event()
        self.gate = Event()
        self.gate.set()
        self.error: Exception | None = None
        self.closed = False

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        self.entered.set()
        self.gate.wait()
        if self.error is not None:
            raise self.error
        return [struct.pack("<4f", len(tokens), tokens[0], 0, 0) for tokens in inputs]

    def abort(self) -> None:
        self.error = ModelError("aborted")
        self.gate.set()

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Ranker(Embedder):
    """A pair's log-odds are its length."""

    n_embd = 1
    ranks = True

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        return [vector[:4] for vector in super().embed(inputs)]


class Model:
    """All parts of a made-up model, and what became of them."""

    def __init__(
        self, *, generates: bool = True, ranks: bool = False, template: bool = True, **facts: Any
    ) -> None:
        self.runner = Runner(**facts) if generates else None
        self._embedder = Ranker if ranks else Embedder
        self.embedders: list[Embedder] = []
        self.embedder_error: Exception | None = None
        self.closed = False
        self.parts = Parts(
            Vocab(),
            Template() if template else None,
            self.runner,
            self._open_embedder,
            self._close,
        )

    def _open_embedder(self) -> Embedder:
        if self.embedder_error is not None:
            raise self.embedder_error
        self.embedders.append(self._embedder())
        return self.embedders[-1]

    def _close(self) -> None:
        assert self.runner is None or self.runner.closed
        assert all(embedder.closed for embedder in self.embedders)
        self.closed = True


def options(**changes: Any) -> GenerateOptions:
    return GenerateOptions(**{"sampler": SamplerParams.greedy(), **changes})
