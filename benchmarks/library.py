"""The library as a program uses it: how soon a model can answer, and how fast one answer comes.

No drafts, and tokens that would end the answer are never drawn: an answer that has nothing to say
soon repeats itself, and repetitions are what drafts foresee.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.figures import Outcome
from benchmarks.rounds import Plan, Results, Tell
from benchmarks.scenarios import Load
from mullama import Context, Model, SamplerParams

SIDE = "library"
N_PROMPT, N_OUT = 8, 1024


def measure(path: Path, plan: Plan, n_threads: int, tell: Tell) -> Results:
    """Rounds of loading and answering. Raises MullamaError."""
    results = Results((SIDE,))
    for number in range(-1, plan.n_rounds):  # one before the first, not counted
        tell("loading, then one stream")
        for name, outcome in _round(path, plan.load(number), n_threads).items():
            if number >= 0:
                results.add(name, SIDE, outcome)
    return results


def _round(path: Path, load: Load, n_threads: int) -> dict[str, Outcome]:
    begin = time.perf_counter()
    with Model.load(path) as model, Context(model, n_threads=n_threads, draft_model="none") as ctx:
        ready = time.perf_counter()
        prompt, n_out = load.prompts(SIDE)(N_PROMPT), load.n(N_OUT)
        never = tuple((t, float("-inf")) for t in range(model.n_vocab) if model.token_is_eog(t))
        params = SamplerParams(temperature=0.0, logit_bias=never)
        asked = time.perf_counter()
        ctx.generate(prompt, max_tokens=n_out, params=params)
        done = time.perf_counter()
    return {
        "loading": Outcome({"load_ms": 1e3 * (ready - begin)}),
        "one stream": Outcome({"tokens_per_s": n_out / (done - asked)}),
    }
