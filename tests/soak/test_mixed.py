"""Mixed traffic with too little room for it, for a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import mixed
from benchmarks.__main__ import cli
from benchmarks.commands import mixed as command
from benchmarks.mixed import Difference, Sample


def test_mixed_traffic_leaves_the_books_right_and_answers_as_cold_ones(
    tiny_model: Path, minilm_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed, "SETTLE", 0.0)
    monkeypatch.setattr(command, "N_LOOKS", 1)
    words = ("mixed", str(tiny_model), str(minilm_model), "--minutes", "0.05", "--samples", "10")
    result = CliRunner().invoke(cli, [*words, "--seed", "1"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout.splitlines()[-1])
    assert document["n_failed"] == 0
    assert document["n_compared"] == 10
    assert document["wrong"] == []
    assert document["counters"]["after"]["n_cached_tokens_total"] > 0
    assert document["audits"]["n_audits_total"] > 0
    assert document["audits"]["n_audits_failed_total"] == 0


@pytest.mark.parametrize(("shortfall", "is_tie"), [(0.0, True), (0.0005, True), (0.002, False)])
def test_tokens_that_are_about_as_likely_are_a_tie(shortfall: float, is_tie: bool) -> None:
    difference = Difference(Sample((1, 2), 3, "a"), "b", shortfall)
    assert difference.is_tie is is_tie
    assert "'a' to a prompt of 2 tokens; cold: 'b'" in str(difference)


def test_samples_are_of_all_answers_alike() -> None:
    users = mixed.Users(None, None, None, n_samples=10)  # type: ignore[arg-type]
    for number in range(1000):
        users._keep(Sample((number,), 1, ""))
    assert len(users.samples) == 10
    assert users.n_answers == 1000
    assert any(sample.prompt[0] >= 500 for sample in users.samples)
