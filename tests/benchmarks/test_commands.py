"""The tool as people use it."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import gguf
import pytest
from click.testing import CliRunner, Result

from benchmarks.__main__ import cli
from benchmarks.client import Client
from benchmarks.shapes import SHAPES
from benchmarks.soak import look_on
from benchmarks.synthetic import make
from benchmarks.traffic import Load
from mullama.llama.model import LlamaModel
from mullama.models.gguf import read_info
from tests.benchmarks import scripted as program
from tests.benchmarks.scripted import Script, scripted
from tests.gguf_models import write_model


def call(*args: object) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="python -m benchmarks")


def last_line(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "random.gguf")


def test_without_arguments_it_says_what_there_is() -> None:
    result = call()
    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("run", "start", "engine", "library", "soak"))


def test_running_servers_are_compared() -> None:
    with scripted() as (_, one), scripted() as (_, other):
        result = call(
            *("run", "--server", f"ours={one}", "--server", f"theirs={other}"),
            *("--scenario", "storm", "--rounds", 2, "--scale", 0.05),
        )
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split() == ["ours", "theirs", "÷", "theirs"]
    document = last_line(result)
    assert document["addresses"] == {"ours": str(one), "theirs": str(other)}
    assert document["results"]["storm"]["requests_per_s"]["ratio"]["theirs"] > 0
    assert len(document["results"]["storm"]["requests_per_s"]["rounds"]["ours"]) == 2


def test_the_document_goes_to_a_file_if_told(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    with scripted() as (_, address):
        result = call(
            *("run", "--server", f"it={address}", "--scenario", "embed", "--rounds", 1),
            *("--scale", 0.1, "--json", path),
        )
    assert json.loads(path.read_text())["results"]["embed"]["texts_per_s"]["median"]["it"] > 0
    assert "{" not in result.stdout


def test_the_seed_makes_the_prompts() -> None:
    seen = []
    for seed in (5, 5, 6):
        with scripted() as (script, address):
            call(
                *("run", "--server", f"it={address}", "--scenario", "single", "--rounds", 1),
                *("--scale", 0.1, "--seed", seed),
            )
            seen.append(script.requests)
    assert seen[0] == seen[1] != seen[2]


def test_failed_requests_are_exit_code_1() -> None:
    requests = count()
    script = Script()

    def refuse_after_the_second(body: object, number: int) -> None:
        if number == 0 and next(requests) > 0:
            script.status = 500

    script.before_token = refuse_after_the_second
    with scripted(script) as (_, address):
        result = call(
            *("run", "--server", f"it={address}", "--scenario", "turns", "--rounds", 1),
            *("--scale", 0.05),
        )
    assert result.exit_code == 1
    assert last_line(result)["n_failed"] == 29
    assert "! turns, it, round 1: 29 of 30 requests failed" in result.stdout


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["run", "--server", "a=http://10.0.0.1:80"], 1, "10.0.0.1 is not this machine"),
        (["run", "--server", "http://127.0.0.1:80"], 2, "is no server; one is name=http"),
        (["run"], 2, "--server"),
        (
            ["run", "--server", "a=http://127.0.0.1:1", "--server", "a=http://127.0.0.1:2"],
            2,
            "Two servers are called 'a'",
        ),
        (["run", "--server", "a=http://127.0.0.1:1"], 1, "a at http://127.0.0.1:1 is no use"),
        (["run", "--server", "a=http://127.0.0.1:1", "--rounds", "0"], 2, "--rounds"),
        (["soak", "http://10.0.0.1:80"], 1, "is not this machine"),
        (["soak", "http://127.0.0.1:1"], 1, "can't be found. Is the server running?"),
        (["soak", "http://127.0.0.1:1", "--pid", "0"], 1, "There is no process 0"),
    ],
)
def test_wrong_usage_is_told_in_one_line(args: list[str], code: int, words: str) -> None:
    result = call(*args)
    assert result.exit_code == code
    assert words in result.stderr.splitlines()[-1]


def test_started_servers_are_compared_and_stopped(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    other = shlex.join([sys.executable, program.__file__, "{port}"])
    for mode in ([], ["--alone"]):
        result = call(
            *("start", model, "--with-command", f"scripted={other}", *mode, "--rounds", 1),
            *("--scenario", "coldstart", "--scenario", "single", "--scale", 0.05),
        )
        assert result.exit_code == 0, result.output
        document = last_line(result)
        assert document["servers"] == ["mullama", "scripted"]
        assert document["results"]["coldstart"]["first_token_s"]["ratio"]["scripted"] > 0
        assert document["results"]["single"]["tokens_per_s"]["median"]["mullama"] > 0
        assert document["results"]["memory after the load"]["rss_mb"]["median"]["mullama"] > 0


def test_servers_need_different_names(model: Path) -> None:
    result = call("start", model, "--with-command", "mullama=server {port}")
    assert result.exit_code == 2
    assert "different names" in result.stderr


def test_a_model_that_only_embeds_is_not_asked_for_text(minilm_model: Path) -> None:
    result = call("start", minilm_model, "--scenario", "single", "--scenario", "coldstart")
    assert result.exit_code == 2
    assert "only embeds, so there can be no single, coldstart" in result.stderr


def test_the_engine_is_compared_to_a_bare_loop(model: Path) -> None:
    result = call("engine", model, "--rounds", 1, "--scale", 0.1)
    assert result.exit_code == 0, result.output
    document = last_line(result)
    assert list(document["results"]) == ["one stream", "16 streams", "prompt"]
    for figures in document["results"].values():
        assert figures["tokens_per_s"]["ratio"]["bare loop"] > 0


def test_the_library_loads_and_streams(model: Path) -> None:
    result = call("library", model, "--rounds", 2, "--scale", 0.05)
    assert result.exit_code == 0, result.output
    results = last_line(result)["results"]
    assert len(results["loading"]["load_ms"]["rounds"]["library"]) == 2
    assert results["one stream"]["tokens_per_s"]["median"]["library"] > 0


def test_a_soak_looks_at_memory_and_counters() -> None:
    ticks = count()
    script = Script(counters=lambda: {"n_finished_total": float(next(ticks)), "n_running": 0.0})
    with scripted(script) as (_, address):
        result = call("soak", address, "--requests", 20, "--clients", 4)
    assert result.exit_code == 0, result.output
    document = last_line(result)
    assert document["n_requests"] == 20
    assert [look["n_requests"] for look in document["looks"]] == list(range(0, 21, 2))
    assert document["counters"]["before"]["n_finished_total"] == 0
    assert document["counters"]["after"]["n_finished_total"] == 10
    assert "n_finished_total: 0 → 10" in result.stdout
    assert len(script.requests) == 22
    assert script.most_at_once <= 4


def test_a_soak_of_a_server_that_refuses_ends_at_once() -> None:
    with scripted(Script(status=500)) as (script, address):
        result = call("soak", address, "--requests", 1000, "--clients", 4)
    assert result.exit_code == 1
    assert "100 of 100 requests failed, the first with: HTTP 500" in result.stderr
    assert len(script.requests) == 100


def test_a_soak_ends_when_its_time_is_over() -> None:
    told: list[str] = []
    stop = threading.Event()
    script = Script(before_token=lambda body, number: stop.wait(60))
    with scripted(script) as (_, address):
        looks = list(look_on(Client(address), 0, Load("0", 4000), 10, 2, 0.05, told.append))
        stop.set()
    assert (looks, told) == ([], ["0.05 s are over"])


def test_a_made_model_has_the_shape_and_runs(model: Path, tmp_path: Path) -> None:
    out, template = tmp_path / "made.gguf", tmp_path / "chat.jinja"
    template.write_text("{{ messages[0].content }}")
    result = call(
        *("model", "--shape", "tiny", "--vocab", model, "--template", template, "--out", out),
        *("--quantize", "q8_0"),
    )
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir() if path != template] == ["made.gguf"]
    made, shape = read_info(out), SHAPES["tiny"]
    assert (made.n_layer, made.n_embd, made.n_head) == (shape.n_layer, shape.n_embd, shape.n_head)
    assert (made.n_vocab, made.quantization) == (read_info(model).n_vocab, "Q8_0")
    assert made.chat_template == "{{ messages[0].content }}"
    assert call("engine", out, "--rounds", 1, "--scale", 0.05).exit_code == 0


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_loads_with_as_many_tokens_as_it_says(
    name: str, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made.gguf"
    small = replace(SHAPES[name], n_layer=1, n_embd=64, n_head=2, n_head_kv=1, n_ff=96, n_vocab=400)
    make(small, model, out)
    tokens = gguf.GGUFReader(out).fields["tokenizer.ggml.tokens"].contents()
    assert len(set(tokens)) == 400
    with LlamaModel.load(read_info(out)) as loaded:
        assert (loaded.n_vocab, loaded.architecture) == (400, small.architecture)


def test_an_unknown_quantization_is_refused_before_anything_is_written(
    model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made.gguf"
    result = call(
        *("model", "--shape", "tiny", "--vocab", model, "--out", out, "--quantize", "Q99")
    )
    assert result.exit_code == 1
    assert "Q4_K_M" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    vocab, out = write_model(tmp_path / "none.gguf", tokenizer=False), tmp_path / "made.gguf"
    result = call("model", "--shape", "tiny", "--vocab", vocab, "--out", out)
    assert result.exit_code == 1
    assert "has no tokenizer" in result.stderr
