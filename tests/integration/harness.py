"""A scheduler on a real runner, stepped by hand, and what its answers are measured by."""

from __future__ import annotations

from collections import defaultdict

from mullama.engine.options import EngineOptions
from mullama.engine.scheduler import Scheduler
from mullama.llama.context import ContextOptions
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.llama.vocab import LlamaVocab
from mullama.types import (
    Chunk,
    Delta,
    Event,
    Finished,
    GenerateOptions,
    GenerateRequest,
    MemoryKind,
    OpenSampler,
    Plan,
    PromptScored,
    Remove,
    SamplerParams,
    Status,
    Token,
)

GREEDY = SamplerParams.greedy()
N_CELLS = 256
MOST_STEPS = 5000


def context(n_lanes: int, n_ubatch: int, **options: object) -> ContextOptions:
    chosen = {"n_lanes": n_lanes, "n_batch": 512, "n_ubatch": n_ubatch, "n_threads": 1}
    return ContextOptions(N_CELLS, **(chosen | options))  # type: ignore[arg-type]


class BareLoop:
    """One row a call, one sequence, no engine: what every answer is measured by."""

    def __init__(self, model: LlamaModel, **options: object) -> None:
        self.runner = LlamaRunner(model, context(1, 512, **options))
        self.eog = LlamaVocab(model).eog
        self.key = 0
        self.tokens: list[Token] = []

    def shortfalls(self, prompt: list[Token], answer: list[Token]) -> list[float]:
        """How far below the likeliest token each token of an answer is, in logits (nats).

        Tokens that end a generation don't count: the answers here go on regardless.
        """
        tokens = prompt + answer
        same = 0
        while same < min(len(tokens), len(self.tokens)) and tokens[same] == self.tokens[same]:
            same += 1
        same = min(same, len(prompt) - 1)  # the rows that predict the answer are computed
        if self.runner.memory is not MemoryKind.ATTENTION:
            same = 0
        self.runner.execute(Plan(ops=[Remove(0, same)]))
        self.tokens = tokens
        found = []
        for pos in range(same, len(tokens) - 1):
            target = tokens[pos + 1]
            chunk = Chunk(0, 0, pos, [tokens[pos]], False, logprobs=4, targets=[target])
            (score,) = self.runner.execute(Plan(chunks=[chunk])).scores[0]
            if pos >= len(prompt) - 1:
                best = next(logprob for token, logprob in score.top if token not in self.eog)
                found.append(best - score.logprob)
        return found

    def answer(self, prompt: list[Token], n: int) -> list[Token]:
        """The greedy answer."""
        self.key += 1
        self.tokens = []
        plan = Plan(ops=[Remove(0, 0)], opened=[OpenSampler(self.key, GREEDY, ())])
        tokens = list(prompt)
        for pos in range(len(prompt) + n - 1):
            sample = pos >= len(prompt) - 1
            plan.chunks = [Chunk(self.key, 0, pos, [tokens[pos]], sample, banned=tuple(self.eog))]
            tokens += [drawn.token for drawn in self.runner.execute(plan).samples[0]]
            plan = Plan()
        self.runner.execute(Plan(closed=[self.key]))
        return tokens[len(prompt) :]


class Bench:
    """A scheduler on the real runner, stepped by hand."""

    def __init__(self, runner: LlamaRunner, model: LlamaModel, **options: object) -> None:
        self.runner = runner
        self.scheduler = Scheduler(
            EngineOptions(**options),  # type: ignore[arg-type]
            runner,
            LlamaVocab(model),
            lambda: 0.0,
        )
        self.answers: dict[tuple[int, int], list[Token]] = defaultdict(list)
        self.ended: dict[tuple[int, int], Finished] = {}
        self.scored: list[PromptScored] = []

    def add(self, id: int, prompt: list[Token], n_tokens: int, **options: object) -> None:
        chosen = GenerateOptions(
            **{
                "sampler": GREEDY,
                "max_tokens": n_tokens,
                "ignore_eos": True,
                "return_tokens": True,
                **options,
            }  # type: ignore[arg-type]
        )
        self.take(self.scheduler.add(GenerateRequest(id, tuple(prompt), chosen)))

    def step(self) -> None:
        plan = self.scheduler.plan()
        output = self.runner.execute(plan)
        assert output.status is Status.DONE
        self.take(self.scheduler.apply(plan, output, 0.001 * plan.n_rows))

    def run(self) -> None:
        for _ in range(MOST_STEPS):
            if not self.scheduler.has_work:
                break
            self.step()
        else:
            raise AssertionError("the work does not end")
        self.scheduler.audit(self.runner)

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Delta):
                self.answers[event.id, event.index] += event.tokens
            elif isinstance(event, Finished):
                self.ended[event.id, event.index] = event
            elif isinstance(event, PromptScored):
                self.scored.append(event)
