"""A runner and a vocabulary without a model.

`FakeRunner` keeps real books: cells with a position, a token and the lanes that share them. It
insists that a chunk's lane holds exactly the positions before it, and "computes" the next token as
a function of every token the lane holds. So a wrong copy, removal or position shows as a wrong
answer, and `reference` tells the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mullama.types import (
    Copy,
    GenerateOptions,
    GenerateRequest,
    MemoryKind,
    Plan,
    Remove,
    Sample,
    SamplerParams,
    Status,
    StepOutput,
    Token,
)

EOG = 0
N_VOCAB = 97
GREEDY = SamplerParams.greedy()


def next_token(tokens: Sequence[Token]) -> Token:
    """The fake model: depends on every token and its place."""
    state = 17
    for token in tokens:
        state = (state * 31 + token + 7) % 1_000_003
    return state % (N_VOCAB - 1) + 1


def reference(prompt: Sequence[Token], n: int) -> list[Token]:
    """What the fake model answers, `n` tokens long."""
    tokens = list(prompt)
    for _ in range(n):
        tokens.append(next_token(tokens))
    return tokens[len(prompt) :]


def request(
    id: int, prompt: Sequence[Token], max_tokens: int | None = 4, **options: object
) -> GenerateRequest:
    chosen = GenerateOptions(**{"sampler": GREEDY, "return_tokens": True, **options})  # type: ignore[arg-type]
    object.__setattr__(chosen, "max_tokens", max_tokens)
    return GenerateRequest(id, tuple(prompt), chosen)


class FakeVocab:
    """Token t is the letter chr(65 + t % 58), in one byte; token 0 ends the generation."""

    n_tokens = N_VOCAB
    bos = None
    eos = EOG
    eog = frozenset({EOG})

    def piece(self, token: Token, *, special: bool = False) -> bytes:
        if token == EOG:
            return b"<eog>" if special else b""
        return bytes([65 + token % 58])

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        return [ord(c) % (N_VOCAB - 1) + 1 for c in text]

    def detokenize(
        self,
        tokens: Sequence[Token],
        *,
        remove_special: bool = False,
        unparse_special: bool = False,
    ) -> str:
        return b"".join(map(self.piece, tokens)).decode()

    def infill(self, prefix: str, suffix: str) -> list[Token] | None:
        return None


@dataclass(eq=False)
class Cell:
    pos: int
    token: Token
    lanes: set[int]


@dataclass
class FakeRunner:
    """`script` holds the statuses of the next calls with rows; when it is empty they succeed.

    A FATAL call leaves half of its rows in the cells, an ABORTED one all of them.
    """

    n_cells: int = 256
    n_lanes: int = 8
    n_batch: int = 64
    n_ubatch: int = 32
    n_tile: int = 16
    memory: MemoryKind = MemoryKind.ATTENTION
    script: list[Status] = field(default_factory=list)
    poison: Token | None = None  # a batch with this token fails, fatally
    plans: list[Plan] = field(default_factory=list)
    forced: dict[int, list[Token]] = field(default_factory=dict)  # by key: tokens to "sample"
    samplers: dict[int, SamplerParams] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cells: list[Cell] = []

    def lane_tokens(self, lane: int) -> list[Token]:
        held = sorted((c for c in self.cells if lane in c.lanes), key=lambda c: c.pos)
        assert [c.pos for c in held] == list(range(len(held))), f"lane {lane} has holes or doubles"
        return [c.token for c in held]

    def lane_length(self, lane: int) -> int:
        return len(self.lane_tokens(lane))

    def execute(self, plan: Plan) -> StepOutput:
        self.plans.append(plan)
        self._operate(plan)
        assert plan.n_rows <= self.n_batch
        if not plan.chunks:
            return StepOutput(Status.DONE)
        poisoned = any(self.poison in chunk.tokens for chunk in plan.chunks)
        status = self.script.pop(0) if self.script else Status.DONE
        if poisoned and status is Status.DONE:
            status = Status.FATAL
        if status in (Status.NO_SLOT, Status.INVALID):
            return StepOutput(status)
        if len(self.cells) + plan.n_rows > self.n_cells:
            return StepOutput(Status.NO_SLOT)
        n_done = plan.n_rows // 2 if status is Status.FATAL else plan.n_rows
        return self._compute(plan, status, n_done)

    def _operate(self, plan: Plan) -> None:
        for op in plan.ops:
            if self.memory is MemoryKind.RECURRENT:
                assert isinstance(op, Remove), "a state can't be shared"
                assert (op.start, op.end) == (0, -1), "a state can't be cut"
            if isinstance(op, Copy):
                held = self.lane_tokens(op.src)
                assert len(held) >= op.end, f"{op}: the source holds {len(held)} positions"
                for cell in self.cells:
                    if op.src in cell.lanes and op.start <= cell.pos < op.end:
                        cell.lanes.add(op.dst)
            else:
                for cell in self.cells:
                    if cell.pos >= op.start and (op.end < 0 or cell.pos < op.end):
                        cell.lanes.discard(op.lane)
                self.cells = [c for c in self.cells if c.lanes]
        for opened in plan.opened:
            assert opened.key not in self.samplers
            self.samplers[opened.key] = opened.params
        for key in plan.closed:
            del self.samplers[key]

    def _compute(self, plan: Plan, status: Status, n_rows: int) -> StepOutput:
        output = StepOutput(status)
        for chunk in plan.chunks:
            held = self.lane_tokens(chunk.lane)
            assert len(held) == chunk.pos, f"lane {chunk.lane}: {len(held)} held, pos {chunk.pos}"
            todo = list(chunk.tokens)[: max(0, n_rows)]
            n_rows -= len(chunk.tokens)
            self.cells += [Cell(chunk.pos + i, t, {chunk.lane}) for i, t in enumerate(todo)]
            held += todo
            output.lengths[chunk.lane] = len(held)
            output.samples.append(self._sample(chunk.key, held) if chunk.sample else None)
            output.scores.append([Sample(t, -1.0) for t in chunk.targets])
        return output if status is Status.DONE else StepOutput(status, lengths=output.lengths)

    def _sample(self, key: int, held: list[Token]) -> Sample:
        assert key in self.samplers, "sampling without a sampler"
        forced = self.forced.get(key)
        return Sample(forced.pop(0) if forced else next_token(held), -0.5, ((1, -0.5), (2, -1.5)))


class FakeClock:
    """Time passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
