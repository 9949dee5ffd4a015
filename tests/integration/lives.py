"""Random lives of a scheduler on a real runner: requests come, are cancelled, go on, are evicted.

Whatever happens in between, an answer is right if at each of its places the bare loop, fed with the
same tokens, finds the chosen one's logit within a tolerance of the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from mullama.types import Token
from tests.integration.harness import BareLoop, Bench


def shortfall(bare: BareLoop, prompts: dict[int, list[Token]], bench: Bench) -> float:
    """How far the least likely of all answered tokens is below the bare loop's best, in logits."""
    found = [0.0]
    for (id, _), answer in bench.answers.items():
        found += bare.shortfalls(prompts[id], answer)
    return max(found)


def live(
    open_bench: Callable[[], Bench],
    bare: BareLoop,
    beginnings: Sequence[list[Token]],
    words: tuple[Token, Token],
    *,
    tolerance: float,
    n_lives: int,
    n_events: int,
) -> None:
    """Has so many lives of so many events each, and holds all answers to the bare loop's.

    A prompt is one of the `beginnings`, few, so that prefixes are often shared, and then any tokens
    of the range `words`. A life that fails is shown as it is: finding a smaller one takes hundreds
    more.
    """

    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.bench = open_bench()
            self.prompts: dict[int, list[Token]] = {}

        @rule(
            beginning=st.sampled_from(beginnings),
            tail=st.lists(st.integers(*words), max_size=20),
            n_tokens=st.integers(1, 60),
            n=st.integers(1, 2),
        )
        def submit(self, beginning: list[Token], tail: list[Token], n_tokens: int, n: int) -> None:
            id = len(self.prompts) + 1
            self.prompts[id] = beginning + tail
            self.bench.add(id, self.prompts[id], n_tokens, n=n)

        @precondition(lambda self: self.prompts)
        @rule(data=st.data())
        def cancel(self, data: st.DataObject) -> None:
            id = data.draw(st.sampled_from(sorted(self.prompts)))
            self.bench.take(self.bench.scheduler.cancel(id))

        @rule(n=st.integers(1, 10))
        def steps(self, n: int) -> None:
            for _ in range(n):
                self.bench.step()
            self.bench.scheduler.audit(self.bench.runner)

        @rule(n=st.integers(1, 100))
        def evict(self, n: int) -> None:
            self.bench.scheduler._residents.cache.evict(n)

        def teardown(self) -> None:
            try:
                self.bench.run()
                assert shortfall(bare, self.prompts, self.bench) <= tolerance
            finally:
                self.bench.runner.close()

    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=n_lives,
            stateful_step_count=n_events,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
