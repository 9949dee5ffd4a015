"""Whose turn it is, what the medians are, and what the card and the document say."""

from __future__ import annotations

import json

import pytest

from benchmarks import report
from benchmarks.address import Address, BadAddress
from benchmarks.client import Client
from benchmarks.figures import Outcome
from benchmarks.rounds import Plan, Results, Subject, Unusable, measure, warm_up
from benchmarks.scenarios import Scenario, groups
from tests.benchmarks.scripted import Script, scripted

FACTS = {"benchmark": "test", "rounds": 3, "machine": report.machine()}


def filled() -> Results:
    """Three rounds of `ours` against `theirs`, which fails in one of them."""
    results = Results(["ours", "theirs"])
    for ours, theirs in ((10.0, 30.0), (12.0, None), (50.0, 40.0)):
        results.add("single", "ours", Outcome({"ttft_p50_ms": ours, "tokens_per_s": 1234.5}))
        found = {} if theirs is None else {"ttft_p50_ms": theirs}
        results.add("single", "theirs", Outcome(found, () if found else ("it broke",), not found))
    return results


def test_figures_are_medians_of_the_rounds_that_have_them() -> None:
    results = filled()
    assert results.median("single", "ttft_p50_ms", "ours") == 12
    assert results.median("single", "ttft_p50_ms", "theirs") == 35
    assert results.ratio("single", "ttft_p50_ms", "theirs") == pytest.approx(12 / 35)
    assert results.ratio("single", "tokens_per_s", "theirs") is None


def test_what_went_wrong_says_where() -> None:
    results = filled()
    assert results.notes == ["single, theirs, round 2: it broke"]
    assert results.n_failed == 1


def test_the_card_has_medians_ratios_and_notes() -> None:
    lines = report.card(filled(), FACTS).splitlines()
    assert lines[0].split() == ["ours", "theirs", "÷", "theirs"]
    assert lines[1].startswith("single: one client")
    assert lines[2].split()[-3:] == ["12.0", "35.0", "0.34"]
    assert lines[3].split()[-3:] == ["1,234.5", "–", "–"]
    assert lines[-1] == "! single, theirs, round 2: it broke"


def test_the_columns_are_aligned() -> None:
    assert report.align([["", "one"], ["a title as long as it likes"], ["name", "2"]]) == [
        "      one",
        "a title as long as it likes",
        "name    2",
    ]


def test_the_document_has_every_round() -> None:
    line = report.line(report.document(filled(), FACTS))
    assert "\n" not in line
    figure = json.loads(line)["results"]["single"]["ttft_p50_ms"]
    assert figure == {
        "unit": "ms",
        "better": "less",
        "median": {"ours": 12.0, "theirs": 35.0},
        "rounds": {"ours": [10.0, 12.0, 50.0], "theirs": [30.0, 40.0]},
        "ratio": {"theirs": 0.342857},
    }


def plan(*names: str, n_rounds: int = 1) -> Plan:
    return Plan(groups(names), n_rounds, n_vocab=4000, seed=0, scale=0.02)


def test_servers_take_turns_in_each_round() -> None:
    told: list[str] = []
    with scripted() as (_, one), scripted() as (_, other):
        subjects = [Subject("A", Client(one)), Subject("B", Client(other))]
        results = Results(["A", "B"])
        measure(subjects, plan("single", "warm", n_rounds=2), results, told.append)
    assert told == [
        *("single: A", "single: B", "single: A", "single: B"),
        *("burst: A", "warm: A", "burst: B", "warm: B", "burst: A", "warm: A", "burst: B"),
        "warm: B",
    ]
    assert len(results.values("warm", "wall_s", "B")) == 2


def test_servers_of_a_round_get_the_same_work() -> None:
    with scripted() as (first, one), scripted() as (second, other):
        subjects = [Subject("A", Client(one)), Subject("B", Client(other))]
        measure(subjects, plan("turns", n_rounds=2), Results(["A", "B"]), lambda _: None)
    assert first.requests == second.requests
    half = len(first.requests) // 2
    assert first.requests[:half] != first.requests[half:]


def warm(address: Address, groups: list[list[Scenario]]) -> None:
    warm_up(Subject("it", Client(address, timeout=5)), groups, plan().load(0))


def test_a_warm_up_is_of_the_kind_that_is_measured() -> None:
    with scripted() as (script, address):
        warm(address, groups(["single", "storm", "embed"]))
    assert sorted("prompt" if "prompt" in body else "input" for body in script.requests) == [
        "input",
        "prompt",
    ]


def test_a_server_that_refuses_is_no_use() -> None:
    with (
        scripted(Script(status=404)) as (_, address),
        pytest.raises(Unusable, match=r"it at http://127\.0\.0\.1:\d+ is no use: HTTP 404: .*told"),
    ):
        warm(address, groups(["single"]))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/base/", "http://127.0.0.1:8080/base"),
        ("http://127.8.8.8", "http://127.8.8.8:80"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_this_machine_s_addresses_are_taken(url: str, text: str) -> None:
    assert str(Address.parse(url)) == text


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.2:8080",
        "http://example.com",
        "http://0.0.0.0:8080",
        "http://[2001:db8::1]",
    ],
)
def test_other_machines_are_refused(url: str) -> None:
    with pytest.raises(BadAddress, match="is not this machine"):
        Address.parse(url)


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8080", "https://127.0.0.1", "http://", "", "http://127.0.0.1:x", "http://[::"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadAddress, match=r"no server's address|no URL"):
        Address.parse(url)
