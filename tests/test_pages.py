"""The examples of all pages, run as they are printed: each gets the answer that stands under it.

`make docs` writes what came into the pages instead (`--write-answers`). An example that asks the
embedding or the reranking model is run only, since those are whatever a reader has.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.processes import PATIENCE, Server, running
from tests.pages import PAGES, ROOT, Example, answer, examples
from tests.rank_models import write_bert

ADDRESS = "http://127.0.0.1:8080"
STRICT_CURL = 'curl() { command curl -sS --fail-with-body --noproxy "*" "$@"; }\n'
OTHERS = re.compile(r'"(embed|ranker)"')
README, LIBRARY = ROOT / "README.md", ROOT / "docs" / "library.md"

Settle = Callable[[Example, str], None]


def found(language: str, holds: Callable[[Example], bool]) -> list[object]:
    """Every example of that language of which this holds."""
    return [
        pytest.param(example, id=f"{page.name}-{number}")
        for page in PAGES
        for number, example in enumerate(
            [one for one in examples(page) if one.language == language and holds(one)], 1
        )
    ]


@pytest.fixture
def settle(request: pytest.FixtureRequest) -> Settle:
    """Holds a printed answer to what came, or writes it."""

    def settle(example: Example, came: str) -> None:
        assert came.strip()
        if example.shown is None or OTHERS.search(example.text):
            return
        expected = answer(example.shown, came)
        if request.config.getoption("--write-answers"):
            example.write(expected)
        else:
            assert example.shown == expected, "`make docs` writes what came into the page"

    return settle


@pytest.fixture(scope="module")
def server(
    tiny_model: Path, embed_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The models by the names that the pages give them."""
    ranker = write_bert(tmp_path_factory.mktemp("models") / "ranker.gguf")
    models = (f"mullama-tiny={tiny_model}", f"embed={embed_model}", f"ranker={ranker}")
    with running("serve", *models, "--port", "0") as server:
        server.said("Ctrl-C stops")
        yield server


def in_bash(commands: str) -> str:
    done = subprocess.run(
        ["bash", "-c", commands], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("example", found("sh", lambda it: "curl " in it.text))
def test_every_curl_command_is_answered(server: Server, example: Example, settle: Settle) -> None:
    commands = re.sub("^(mullama|make) .*\n", "", example.text, flags=re.MULTILINE)
    settle(example, in_bash(STRICT_CURL + commands.replace(ADDRESS, server.url)))


@pytest.mark.parametrize("example", found("python", lambda it: ADDRESS in it.text))
def test_every_client_s_example_runs(
    server: Server, example: Example, settle: Settle, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(example.text.replace(ADDRESS, server.url), example.page.name, "exec"), {})
    settle(example, capsys.readouterr().out)


@pytest.mark.parametrize(
    "example", found("python", lambda it: it.page == README and "Model.load" in it.text)
)
def test_the_readme_shows_the_library(
    example: Example, settle: Settle, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(example.text, example.page.name, "exec"), {})
    settle(example, capsys.readouterr().out)


def is_for_the_terminal(example: Example) -> bool:
    return "curl " not in example.text and example.shown is not None


@pytest.mark.parametrize("example", found("sh", is_for_the_terminal))
def test_commands_show_what_is_printed(example: Example, settle: Settle) -> None:
    """A server is stopped as soon as it has said all that it says."""
    if not re.match("(make|mullama) serve", example.text):
        settle(
            example, in_bash(f'mullama() {{ {sys.executable} -m mullama "$@"; }}\n{example.text}')
        )
        return
    with running("serve", "--port", "0") as server:
        server.said("Ctrl-C stops")
        settle(example, "\n".join(server.lines).replace(server.url, ADDRESS) + "\n")


def test_the_library_page_runs_as_printed(
    minilm_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settle: Settle,
) -> None:
    """Its blocks one after the other, each with the output that stands under it."""
    (tmp_path / "minilm.gguf").symlink_to(minilm_model)
    write_bert(tmp_path / "reranker.gguf")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for example in examples(LIBRARY):
        exec(compile(example.text, example.text, "exec"), namespace)
        came = capsys.readouterr().out
        assert (example.shown is not None) == bool(came), f"this prints {came!r}:\n{example.text}"
        if came:
            settle(example, came)


# --------------------------------------------------------------------- what is printed of an answer

CAME = {
    "id": "chatcmpl-aaaaaaaaaaaaaaaaaaaaaaaa",
    "created": 7,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Rome."}}],
    "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}},
}


def printed(**changes: object) -> str:
    return json.dumps(CAME | changes, ensure_ascii=False)


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        (printed(), True),
        (printed(id="chatcmpl-bbbbbbbbbbbbbbbbbbbbbbbb", created=9), True),
        (printed(id="another"), False),
        (printed(created="now"), False),
        (printed(usage={"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 0}}), True),
        (printed(usage={"prompt_tokens": 4, "…": "…"}), False),
        (printed(choices=["…"]), True),
        (printed(choices=[]), False),
        ('{"role": "assistant", "content": "Rome."}', True),
        ('{"role": "assistant", "content": "Paris."}', False),
        ('{"content": "Rome."}', False),
        ('{"content": "Rome.", "…": "…"}', True),
    ],
)
def test_a_printed_answer_is_a_part_of_what_came(shown: str, same: bool) -> None:
    assert (json.loads(answer(shown, json.dumps(CAME))) == json.loads(shown)) is same


def test_another_machine_prints_the_same_table_of_devices() -> None:
    def table(free: str, name: str, kind: str = "cpu") -> str:
        return f"name  kind  {'free':{len(free)}}  total\nCPU   {kind}   {free}  64.0 GiB  {name}\n"

    shown = table("7.5 GiB", "This Processor (R)")
    assert answer(shown, table("640.5 GiB", "Another")) == shown
    other = table("7.5 GiB", "This Processor (R)", kind="gpu")
    assert answer(shown, other) == other


def test_fields_that_nothing_has_are_no_part() -> None:
    with pytest.raises(AssertionError, match="nosuch"):
        answer('{"nosuch": 1}', json.dumps(CAME))


def test_json_is_printed_in_lines_that_fit() -> None:
    came = {"a": {"b": ["x" * 60], "c": 1}, "d": ["y" * 50, "z" * 50], "e": []}
    assert answer("{}", json.dumps(came)) == (
        f'{{\n  "a": {{"b": ["{"x" * 60}"], "c": 1}},\n'
        f'  "d": [\n    "{"y" * 50}",\n    "{"z" * 50}"\n  ],\n  "e": []\n}}\n'
    )
    assert answer("{}", '{"a":[1,2]}') == '{"a": [1, 2]}\n'


def test_of_a_stream_a_few_events_are_printed() -> None:
    def event(choices: str, rest: str = "") -> str:
        return f'data: {{"id":"chatcmpl-b","created":2,"model":"m","choices":[{choices}]{rest}}}'

    came = [event(f'"{word}"') for word in ("role", "A", " cat", " says")]
    came += [event('"stop"', ',"timings":{"a":1}'), "data: [DONE]"]
    shown = 'data: {"id":"chatcmpl-a","created":1}\n'
    assert answer(shown, "\n\n".join(came) + "\n\n").split("\n\n") == [
        'data: {"id":"chatcmpl-a","created":1,"model":"m","choices":["role"]}',
        'data: {"id":"chatcmpl-a", … "choices":["A"]}',
        'data: {"id":"chatcmpl-a", … "choices":[" cat"]}',
        "…",
        'data: {"id":"chatcmpl-a", … "choices":["stop"],"timings":{…}}',
        "data: [DONE]\n",
    ]


def test_an_answer_is_the_block_right_under_its_example(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\na\n```\n\n```json\n1\n```\n\n```python\nb\n```\n\nIt says\n\n```text\n2\n```\n"
    )
    one, other = examples(page)
    assert (one.language, one.text, one.shown) == ("sh", "a\n", "1\n")
    assert (other.language, other.text, other.shown) == ("python", "b\n", None)
    one.write("3\n")
    assert page.read_text().startswith("```sh\na\n```\n\n```json\n3\n```\n\n```python\nb\n```\n")
