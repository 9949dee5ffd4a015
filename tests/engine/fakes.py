"""A runner and a vocabulary without a model.

`FakeRunner` keeps real books: cells with a position, a token and the lanes that share them. It
insists that a chunk's lane holds exactly the positions before it, and "computes" the next token as
a function of every token the lane holds. So a wrong copy, removal or position shows as a wrong
answer, and `reference` tells the right one. With a memory that forgets, a lane also has a state,
which stands for the tokens that made it, and must be that of the lane's cells when rows come.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mullama.types import (
    Chunk,
    Copy,
    GenerateOptions,
    GenerateRequest,
    Load,
    LoadState,
    MemoryKind,
    Op,
    Plan,
    Remove,
    Sample,
    SamplerParams,
    Save,
    SaveState,
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


def echoing_token(tokens: Sequence[Token]) -> Token:
    """A fake model that repeats itself: mostly a function of the last two tokens."""
    odd = len(tokens) % 40 == 0
    return (sum(tokens[-2:]) * 7 + odd) % 13 + 1


def reference(
    prompt: Sequence[Token], n: int, model: Callable[[Sequence[Token]], Token] = next_token
) -> list[Token]:
    """What the fake model answers, `n` tokens long."""
    tokens = list(prompt)
    for _ in range(n):
        tokens.append(model(tokens))
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
    n_outputs: int = 64
    memory: MemoryKind = MemoryKind.ATTENTION
    cell_bytes: int = 1
    state_bytes: int = 0
    lose: bool = False  # the next copy can't be put back
    model: Callable[[Sequence[Token]], Token] = next_token
    script: list[Status] = field(default_factory=list)
    poison: Token | None = None  # a batch with this token fails, fatally
    plans: list[Plan] = field(default_factory=list)
    forced: dict[int, list[Token]] = field(default_factory=dict)  # by key: tokens to "sample"
    samplers: dict[int, SamplerParams] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cells: list[Cell] = []
        self.states: dict[int, list[Token]] = {}

    def lane_tokens(self, lane: int) -> list[Token]:
        held = sorted((c for c in self.cells if lane in c.lanes), key=lambda c: c.pos)
        assert [c.pos for c in held] == list(range(len(held))), f"lane {lane} has holes or doubles"
        return [c.token for c in held]

    def lane_length(self, lane: int) -> int:
        return len(self.lane_tokens(lane))

    def execute(self, plan: Plan) -> StepOutput:
        self.plans.append(plan)
        self._sample_with(plan)
        if not all(map(self._operate, plan.ops)):
            return StepOutput(Status.LOST)
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

    def _sample_with(self, plan: Plan) -> None:
        for opened in plan.opened:
            assert opened.key not in self.samplers
            self.samplers[opened.key] = opened.params
        for key in plan.closed:
            del self.samplers[key]

    def _operate(self, op: Op) -> bool:
        match op:
            case Copy():
                self._copy(op)
            case Remove():
                self._remove(op)
            case Save():
                self._save(op)
            case Load():
                return self._load(op)
            case SaveState():
                assert self.memory is not MemoryKind.ATTENTION
                assert self.states[op.lane] == self.lane_tokens(op.lane)
                assert op.blob.end == len(self.states[op.lane])
                op.blob.data = _packed(self.states[op.lane])
            case LoadState():
                assert op.blob.data is not None
                self.states[op.lane] = _unpacked(op.blob.data)
        return True

    def _copy(self, op: Copy) -> None:
        held = self._held(op.src, op.start, op.end)
        assert len(held) == op.end - op.start, f"{op}: the source holds {len(held)} positions"
        for cell in held:
            assert not any(op.dst in c.lanes and c.pos == cell.pos for c in self.cells), op
            cell.lanes.add(op.dst)
        self.states[op.dst] = list(self.states.get(op.src, []))

    def _remove(self, op: Remove) -> None:
        for cell in self._held(op.lane, op.start, op.end if op.end >= 0 else 1 << 30):
            cell.lanes.discard(op.lane)
        self.cells = [cell for cell in self.cells if cell.lanes]
        self.states.pop(op.lane, None)

    def _save(self, op: Save) -> None:
        held = self._held(op.lane, op.blob.start, op.blob.end)
        assert len(held) == op.blob.end - op.blob.start, f"{op}: {len(held)} positions"
        op.blob.data = _packed([cell.token for cell in sorted(held, key=lambda cell: cell.pos)])

    def _load(self, op: Load) -> bool:
        blob, self.lose, lost = op.blob, False, self.lose
        assert blob.data is not None
        tokens = _unpacked(blob.data)
        assert blob.start <= op.start < op.end <= blob.end
        assert len(self.cells) + len(tokens) <= self.n_cells, "no room for a copy"
        assert not self._held(op.lane, op.start, op.end), "a lane that holds these already"
        for pos in range(op.start, op.end):
            self.cells.append(Cell(pos, tokens[pos - blob.start], {op.lane}))
        self.states.pop(op.lane, None)
        return not lost

    def _held(self, lane: int, start: int, end: int) -> list[Cell]:
        return [c for c in self.cells if lane in c.lanes and start <= c.pos < end]

    def _compute(self, plan: Plan, status: Status, n_rows: int) -> StepOutput:
        output = StepOutput(status)
        for chunk in plan.chunks:
            held = self.lane_tokens(chunk.lane)
            assert len(held) == chunk.pos, f"lane {chunk.lane}: {len(held)} held, pos {chunk.pos}"
            if self.memory is not MemoryKind.ATTENTION:
                assert self.states.get(chunk.lane, []) == held, "rows on a state of other tokens"
            todo = list(chunk.tokens)[: max(0, n_rows)]
            n_rows -= len(chunk.tokens)
            self.cells += [Cell(chunk.pos + i, t, {chunk.lane}) for i, t in enumerate(todo)]
            held += todo
            self.states[chunk.lane] = list(held)
            output.lengths[chunk.lane] = len(held)
            output.samples.append(self._follow(chunk, held) if chunk.sample else [])
            output.scores.append([Sample(t, -1.0) for t in chunk.targets])
        return output if status is Status.DONE else StepOutput(status, lengths=output.lengths)

    def _follow(self, chunk: Chunk, held: list[Token]) -> list[Sample]:
        drawn = []
        for n_left in range(chunk.n_draft, -1, -1):
            sample = self._sample(chunk.key, held[: len(held) - n_left], chunk.mask)
            drawn.append(sample)
            if n_left and sample.token != chunk.tokens[-n_left]:
                break
        return drawn

    def _sample(self, key: int, held: list[Token], mask: bytes | None) -> Sample:
        assert key in self.samplers, "sampling without a sampler"
        if mask is not None:  # the first token that may come
            return Sample(next(t for t in range(N_VOCAB) if mask[t // 8] >> t % 8 & 1), -0.5)
        forced = self.forced.get(key)
        return Sample(forced.pop(0) if forced else self.model(held), -0.5, ((1, -0.5), (2, -1.5)))


def _packed(tokens: list[Token]) -> memoryview:
    return memoryview(array("i", tokens).tobytes())


def _unpacked(data: memoryview) -> list[Token]:
    return list(array("i", bytes(data)))


class FakeClock:
    """Time passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
