"""The scheduler's decisions, with made-up output and a made-up clock."""

from __future__ import annotations

from collections import defaultdict

import pytest

from mullama.engine.options import EngineOptions
from mullama.errors import ContextLengthExceeded, Overloaded
from mullama.types import (
    Delta,
    Failed,
    Finished,
    FinishReason,
    MemoryKind,
    PromptScored,
    SamplerParams,
    Started,
    Status,
    Token,
)
from tests.engine.bench import Bench
from tests.engine.fakes import EOG, reference, request


def test_an_answer_is_what_the_model_says() -> None:
    bench = Bench()
    bench.add(request(1, [5, 6, 7], 6))
    bench.run()
    assert bench.tokens()[1, 0] == reference([5, 6, 7], 6)
    end = bench.finished()
    assert (end.reason, end.n_prompt, end.n_generated) == (FinishReason.LENGTH, 3, 6)


def test_a_prompt_longer_than_a_micro_batch_is_computed_in_chunks() -> None:
    bench = Bench(n_ubatch=32)
    bench.add(request(1, range(1, 81), 2))
    assert [bench.step() for _ in range(4)] == [[16], [32], [32], [1]]  # odd rows come first
    assert bench.tokens()[1, 0] == reference(range(1, 81), 2)


def test_streams_go_first_and_prompts_take_what_fits_into_the_target_gap() -> None:
    bench = Bench(EngineOptions(target_gap=0.02), n_cells=1000, n_ubatch=64)
    bench.add(request(1, range(1, 65), 50))
    bench.step()  # 64 rows in 64 ms
    bench.step()  # one in 1 ms: so a tile of 16 fits into the gap, and not two
    bench.add(request(2, range(30, 94), 1))
    assert [bench.step() for _ in range(5)] == [[1, 4], *[[1, 15]] * 4]


def test_prompts_are_finished_one_after_another() -> None:
    bench = Bench(n_cells=2000, n_ubatch=512, n_batch=512)
    for id in range(1, 5):
        bench.add(request(id, [id + i % 50 for i in range(300)], 1))
    assert [bench.step() for _ in range(4)] == [[300], [300], [300], [300]]


def test_short_prompts_share_a_step() -> None:
    bench = Bench(n_cells=2000, n_ubatch=512, n_batch=512)
    for id in range(1, 5):
        bench.add(request(id, [id, 9, 9], 1))
    assert bench.step() == [3, 3, 3, 3]


def test_a_second_turn_computes_only_what_is_new() -> None:
    bench = Bench()
    prompt = list(range(1, 41))
    bench.add(request(1, prompt, 5))
    bench.run()
    before = bench.n_computed
    turn = [*prompt, *reference(prompt, 5), 50, 51, 52]
    bench.add(request(2, turn, 1))
    bench.run()
    assert bench.finished(2).n_cached == 44  # the last sampled token has no cells
    assert bench.n_computed - before == len(turn) - 44
    assert bench.tokens()[2, 0] == reference(turn, 1)


def test_requests_that_arrive_together_compute_their_common_prefix_once() -> None:
    bench = Bench(n_cells=1000, n_lanes=16, n_ubatch=64)
    prefix = [3 + i % 70 for i in range(200)]
    for id in range(1, 9):
        bench.add(request(id, [*prefix, id, id + 1], 2))
    bench.run()
    assert bench.n_computed == 200 + 8 * 2 + 8  # prefix, tails, one decoded token each
    for id in range(1, 9):
        assert bench.tokens()[id, 0] == reference([*prefix, id, id + 1], 2)


def test_those_who_wait_for_a_prefix_compute_it_themselves_when_it_does_not_come() -> None:
    bench = Bench(n_cells=1000, n_ubatch=64)
    prefix = [3 + i % 70 for i in range(200)]
    bench.add(request(1, [*prefix, 1], 2), request(2, [*prefix, 2], 2))
    bench.step()
    bench.events += bench.scheduler.cancel(1)
    bench.run()
    assert bench.tokens()[2, 0] == reference([*prefix, 2], 2)
    assert bench.n_computed == 200 + 2


def test_several_answers_share_the_prompt_and_differ_by_seed() -> None:
    bench = Bench(n_cells=1000)
    params = SamplerParams(seed=7)
    bench.add(request(1, [3 + i % 60 for i in range(60)], 3, n=3, sampler=params))
    bench.run()
    assert bench.n_computed == 60 + 2 + 3 * 2  # each fork computes the prompt's last token again
    assert {bench.finished(1, i).n_prompt for i in range(3)} == {60}
    seeds = [o.params.seed for plan in bench.runner.plans for o in plan.opened]
    assert seeds == [7, 8, 9]


def test_an_end_token_ends_the_answer_and_has_no_text() -> None:
    bench = Bench()
    bench.runner.forced[1] = [10, EOG]
    bench.add(request(1, [5], 10))
    bench.run()
    assert bench.tokens()[1, 0] == [10]
    assert bench.finished().reason is FinishReason.STOP
    assert bench.finished().n_generated == 2


def test_ignore_eos_and_min_tokens_ban_the_end_tokens() -> None:
    bench = Bench()
    bench.add(request(1, [5], 3, ignore_eos=True), request(2, [6], 3, min_tokens=2))
    bench.run()
    banned: dict[int, list[tuple[Token, ...]]] = defaultdict(list)
    for plan in bench.runner.plans:
        for chunk in plan.chunks:
            banned[chunk.key].append(tuple(chunk.banned))
    assert banned[1] == [(EOG,)] * 3
    assert banned[2] == [(EOG,), (EOG,), ()]


def test_a_stop_token_ends_the_answer() -> None:
    bench = Bench()
    bench.runner.forced[1] = [10, 11, 12]
    bench.add(request(1, [5], 10, stop_tokens=(11,)))
    bench.run()
    assert bench.tokens()[1, 0] == [10]
    assert bench.finished().reason is FinishReason.STOP


def test_a_stop_string_across_tokens_cuts_text_and_tokens() -> None:
    bench = Bench()
    bench.runner.forced[1] = [1, 2, 3, 4, 5]  # B C D E F
    bench.add(request(1, [5], 10, stop=("DE",)))
    bench.run()
    text = "".join(e.text for e in bench.events if isinstance(e, Delta))
    assert text == "BC"
    assert bench.tokens()[1, 0] == [1, 2]
    assert bench.finished().stop == "DE"


@pytest.mark.parametrize("stop", [(), ("Z",)])
def test_an_answer_wanted_whole_comes_in_few_deltas_and_is_the_same(stop: tuple[str, ...]) -> None:
    answers = []
    for interval in (0.0, 1.0, 100.0):
        bench = Bench(seconds_per_row=0.25)
        bench.add(request(1, [5], 10, delta_interval=interval, stop=stop, logprobs=0))
        bench.run()
        deltas = [event for event in bench.events if isinstance(event, Delta)]
        answers.append(deltas)
    assert [len(deltas) for deltas in answers] == [10, 4, 2]  # the first token's at once
    for deltas in answers:
        assert sum(delta.n_tokens for delta in deltas) == 10
        for joined in ("text", "tokens", "logprobs"):
            parts, all_parts = ([getattr(d, joined) for d in ds] for ds in (deltas, answers[0]))
            assert sum(map(tuple, parts), ()) == sum(map(tuple, all_parts), ())


def test_what_was_not_told_yet_comes_with_the_end_that_a_stop_token_makes() -> None:
    bench = Bench()
    bench.runner.forced[1] = [1, 2, 3, 11]
    bench.add(request(1, [5], 10, stop_tokens=(11,), delta_interval=100.0))
    bench.run()
    assert bench.tokens()[1, 0] == [1, 2, 3]
    assert isinstance(bench.events[-1], Finished)


def test_no_tokens_are_sampled_when_none_are_wanted() -> None:
    bench = Bench()
    bench.add(request(1, [5, 6, 7], 0))
    bench.run()
    assert bench.finished().n_generated == 0
    assert bench.finished().reason is FinishReason.LENGTH


def test_a_prompt_is_scored_whole_even_if_it_is_cached() -> None:
    bench = Bench()
    prompt = list(range(1, 50))
    bench.add(request(1, prompt, 1))
    bench.run()
    bench.add(request(2, prompt, 0, prompt_logprobs=True))
    bench.run()
    (scored,) = [e for e in bench.events if isinstance(e, PromptScored)]
    assert scored.logprobs[0] is None
    assert [entry.token for entry in scored.logprobs[1:] if entry] == prompt[1:]
    assert bench.scheduler.snapshot().n_cells_cached == 49  # nothing private stays behind


@pytest.mark.parametrize("status", [Status.FATAL, Status.ABORTED])
def test_a_prompt_is_scored_whole_even_if_a_step_of_it_fails(status: Status) -> None:
    """The rows that a failed call had computed were not computed again, and never scored."""
    bench = Bench(script=[Status.DONE, status])
    prompt = list(range(1, 90))
    bench.add(request(2, [5, 6], 9), request(1, prompt, 0, prompt_logprobs=True))
    bench.run()
    (scored,) = [e for e in bench.events if isinstance(e, PromptScored)]
    assert [entry.token for entry in scored.logprobs[1:] if entry] == prompt[1:]
    assert bench.tokens()[2, 0] == reference([5, 6], 9)


def test_a_prompt_of_one_token_has_nothing_to_score() -> None:
    bench = Bench()
    bench.add(request(1, [5], 0, prompt_logprobs=True))
    bench.run()
    assert PromptScored(1, (None,)) in bench.events


def test_without_cache_prompt_nothing_is_taken_from_others_or_left_for_them() -> None:
    bench = Bench()
    prompt = list(range(1, 50))
    bench.add(request(1, prompt, 1, cache_prompt=False))
    bench.run()
    assert bench.scheduler.snapshot().n_cells_free == bench.runner.n_cells
    bench.add(request(2, prompt, 1))
    bench.run()
    assert bench.finished(2).n_cached == 0


def test_a_cancelled_request_frees_its_lane_in_the_next_step_and_leaves_its_prefix() -> None:
    bench = Bench()
    prompt = list(range(1, 30))
    bench.add(request(1, prompt, 100))
    bench.step()
    bench.step()
    bench.events += bench.scheduler.cancel(1)
    bench.step()
    assert bench.finished().reason is FinishReason.CANCELLED
    assert bench.scheduler.snapshot().n_running == 0
    bench.add(request(2, prompt, 1))
    bench.run()
    assert bench.finished(2).n_cached == len(prompt) - 1


def test_a_waiting_request_can_be_cancelled() -> None:
    bench = Bench(EngineOptions(n_parallel=1))
    bench.add(request(1, [5], 5), request(2, [6], 5))
    bench.step()
    bench.events += bench.scheduler.cancel(2)
    assert bench.finished(2).reason is FinishReason.CANCELLED
    bench.run()
    assert bench.tokens()[1, 0] == reference([5], 5)


def test_clearing_the_cache_forgets_what_no_running_sequence_uses() -> None:
    bench = Bench()
    bench.add(request(1, range(1, 40), 1), request(2, range(50, 80), 50))
    for _ in range(4):
        bench.step()
    bench.scheduler.clear_cache()
    bench.step()
    assert bench.scheduler.snapshot().n_cells_cached == 30  # the running one's prompt
    bench.run()
    assert bench.tokens()[2, 0] == reference(range(50, 80), 50)


def test_cancelling_what_has_ended_is_nothing() -> None:
    assert Bench().scheduler.cancel(99) == []


def test_cached_prefixes_make_room_for_running_sequences() -> None:
    bench = Bench(n_cells=128)
    bench.add(request(1, range(1, 81), 1))
    bench.run()
    bench.add(request(2, range(50, 96), 40))
    bench.run()
    assert bench.tokens()[2, 0] == reference(range(50, 96), 40)
    assert bench.scheduler.snapshot().n_evicted_cells_total > 0


def test_the_youngest_is_preempted_when_cells_run_out_and_ends_with_the_same_answer() -> None:
    bench = Bench(n_cells=100)
    first, second = [1, 2, 3, 4], [5, 6, 7, 8]
    bench.add(request(1, first, 90), request(2, second, 80))
    bench.run()
    assert bench.scheduler.snapshot().n_preempted_total > 0
    assert bench.tokens()[1, 0] == reference(first, 90)
    assert bench.tokens()[2, 0] == reference(second, 80)
    end_of_first = next(i for i, e in enumerate(bench.events) if isinstance(e, Finished))
    assert bench.events[end_of_first] == bench.finished(1)


def test_a_prompt_that_can_never_fit_is_refused_with_both_numbers() -> None:
    bench = Bench(n_cells=64)
    with pytest.raises(ContextLengthExceeded, match=r"64 tokens, and the context 64"):
        bench.scheduler.check(request(1, range(64)))
    bench.scheduler.check(request(1, range(63)))
    bench.scheduler.check(request(1, range(64), 0))


def test_an_answer_ends_where_the_context_does() -> None:
    bench = Bench(n_cells=64)
    bench.add(request(1, range(1, 60), None))
    bench.run()
    assert bench.finished().n_generated == 5
    assert bench.finished().reason is FinishReason.LENGTH


def test_a_full_queue_refuses() -> None:
    bench = Bench(EngineOptions(n_parallel=1, queue_size=2))
    bench.add(request(1, [5]), request(2, [6]))
    with pytest.raises(Overloaded) as error:
        bench.scheduler.check_queue(1)
    assert error.value.retry_after


def test_no_more_sequences_run_than_may() -> None:
    bench = Bench(EngineOptions(n_parallel=2))
    for id in range(1, 6):
        bench.add(request(id, [id, 2, 3], 3))
    bench.run()
    assert max(len(plan.chunks) for plan in bench.runner.plans) == 2
    for id in range(1, 6):
        assert bench.tokens()[id, 0] == reference([id, 2, 3], 3)


def test_no_slot_is_an_answer_and_the_next_plan_is_smaller() -> None:
    bench = Bench(script=[Status.NO_SLOT, Status.NO_SLOT])
    bench.add(request(1, range(1, 33), 3))
    assert [bench.step() for _ in range(4)] == [[32], [16], [8], [24]]
    bench.run()
    assert bench.tokens()[1, 0] == reference(range(1, 33), 3)


def test_a_single_row_without_a_slot_fails_only_its_request() -> None:
    bench = Bench(script=[Status.NO_SLOT] * 8)
    bench.add(request(1, [5], 3))
    bench.run()
    (failed,) = [e for e in bench.events if isinstance(e, Failed)]
    assert failed.error.kind == "InternalError"
    bench.runner.script.clear()
    bench.add(request(2, [5], 3))
    bench.run()
    assert bench.tokens()[2, 0] == reference([5], 3)


@pytest.mark.parametrize("status", [Status.INVALID, Status.FATAL, Status.ABORTED])
def test_after_a_failed_call_everybody_goes_on(status: Status) -> None:
    bench = Bench(script=[Status.DONE, status])
    for id in range(1, 4):
        bench.add(request(id, [id, 2, 3], 4))
    bench.run()
    for id in range(1, 4):
        assert bench.tokens()[id, 0] == reference([id, 2, 3], 4)


def test_a_request_that_was_aborted_alone_goes_on() -> None:
    """It failed as if something were wrong with it, where the engine was only being closed."""
    bench = Bench(script=[Status.DONE, Status.ABORTED])
    bench.add(request(1, [1, 2, 3], 4))
    bench.run()
    assert bench.tokens()[1, 0] == reference([1, 2, 3], 4)


def test_only_the_request_that_fails_alone_is_given_up() -> None:
    bench = Bench(poison=66)
    bench.add(request(1, [1, 2, 3], 4), request(2, [1, 66, 3], 4), request(3, [3, 2, 1], 4))
    bench.run()
    failed = [e for e in bench.events if isinstance(e, Failed)]
    assert [e.id for e in failed] == [2]
    assert bench.tokens()[1, 0] == reference([1, 2, 3], 4)
    assert bench.tokens()[3, 0] == reference([3, 2, 1], 4)


def test_samplers_are_closed_when_their_sequences_end() -> None:
    bench = Bench()
    bench.add(request(1, [1, 2], 3, n=2), request(2, [3], 9))
    bench.step()
    bench.events += bench.scheduler.cancel(2)
    bench.run()
    assert bench.runner.samplers == {}


def test_started_comes_first_and_finished_last() -> None:
    bench = Bench()
    bench.add(request(1, [1, 2], 3))
    bench.run()
    assert isinstance(bench.events[0], Started)
    assert isinstance(bench.events[-1], Finished)


def test_timings_tell_waiting_prompt_and_generation_apart() -> None:
    bench = Bench(EngineOptions(n_parallel=1), seconds_per_row=1.0)
    bench.add(request(1, [1, 2], 1), request(2, [3, 4, 5], 3))
    bench.run()
    timings = bench.finished(2).timings
    assert (timings.queued, timings.prompt, timings.predicted) == (2.0, 3.0, 2.0)


@pytest.mark.parametrize("status", [Status.FATAL, Status.ABORTED])
def test_without_a_host_tier_a_memory_that_forgets_is_not_shared(status: Status) -> None:
    bench = Bench(memory=MemoryKind.RECURRENT, script=[Status.DONE, status])
    prompt = list(range(1, 40))
    bench.add(request(1, prompt, 3), request(2, prompt, 3))
    bench.run()
    assert bench.tokens() == {(1, 0): reference(prompt, 3), (2, 0): reference(prompt, 3)}
    assert bench.finished(2).n_cached == 0


def test_everything_works_without_a_cache() -> None:
    bench = Bench(EngineOptions(prefix_cache=False))
    bench.add(request(1, range(1, 40), 3), request(2, range(1, 40), 3, n=2))
    bench.run()
    for answer in bench.tokens().values():
        assert answer == reference(range(1, 40), 3)
    assert bench.scheduler.snapshot().n_cells_free == bench.runner.n_cells


def test_a_prompt_with_a_few_rows_left_stays_within_the_batch() -> None:
    """A few rows more than a micro-batch were added to it even where a batch is no larger."""
    bench = Bench(n_cells=1000, n_batch=64, n_ubatch=64)
    for id in range(1, 8):
        bench.add(request(id, [id, *range(2, 101)], 2))
    bench.run()
    assert max(plan.n_rows for plan in bench.runner.plans) == 64
