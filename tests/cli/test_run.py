"""`mullama run` as a real process: one answer, a conversation, and every way to end them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mullama import supports_gpu_offload
from tests.cli.processes import PATIENCE, wait

FRANCE = "What is the capital of France?"
# A seeded draw from all tokens alike: it goes on for thousands of them.
RAMBLE = ("--raw", "--temperature", "100", "--top-k", "0", "--top-p", "1", "--min-p", "0")
RAMBLE += ("--seed", "1")


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "mullama", "run", *args]


def run(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), input=stdin, capture_output=True, text=True, timeout=PATIENCE
    )


def test_the_answer_alone_is_on_stdout(tiny_model: Path) -> None:
    done = run(str(tiny_model), FRANCE, "--temperature", "0")
    assert (done.returncode, done.stdout) == (0, "The capital of France is Paris.\n")
    assert done.stderr == ""


def test_a_prompt_may_be_piped_in_with_a_task_behind_it(tiny_model: Path) -> None:
    done = run(str(tiny_model), "--temperature", "0", stdin=FRANCE + "\n")
    assert done.stdout == "The capital of France is Paris.\n"
    both = run(str(tiny_model), FRANCE, "--temperature", "0", stdin="Hello!\n")
    assert "Paris" in both.stdout


def test_a_model_kept_on_the_cpu_by_every_means_answers_the_same(tiny_model: Path) -> None:
    flags = ("--device", "none", "-ot", ".*=CPU", "-nkvo", "--no-op-offload", "--no-mmap")
    done = run(str(tiny_model), FRANCE, "--temperature", "0", *flags)
    assert (done.stdout, done.stderr) == ("The capital of France is Paris.\n", "")


def test_the_system_prompt_is_obeyed(tiny_model: Path) -> None:
    system = "Your name is Zorblax."
    done = run(str(tiny_model), "What is your name?", "-s", system, "--temperature", "0")
    assert "Zorblax" in done.stdout


def test_a_negative_seed_is_a_fresh_one(tiny_model: Path) -> None:
    done = run(str(tiny_model), FRANCE, "--temperature", "0", "--seed", "-1")
    assert (done.returncode, done.stdout) == (0, "The capital of France is Paris.\n")


def test_a_seed_reproduces_an_answer(tiny_model: Path) -> None:
    args = (str(tiny_model), "Tell me a story.", "--seed", "7", "-n", "40")
    assert run(*args).stdout == run(*args).stdout != ""


def test_an_answer_is_held_to_what_it_must_be(tiny_model: Path, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}}
    schema |= {"required": ["city"], "additionalProperties": False}
    args = (str(tiny_model), FRANCE, "--temperature", "0")
    done = run(*args, "--json-schema", json.dumps(schema))
    assert json.loads(done.stdout)["city"] in ("Rome", "Paris")
    path = tmp_path / "grammar.gbnf"
    path.write_text('root ::= "Lyon" | "Nice"')
    assert run(*args, "--grammar", f"@{path}").stdout in ("Lyon\n", "Nice\n")
    assert run(*args, "--regex", "[0-9]{4}", "--raw").stdout.strip().isdigit()


def test_a_file_gets_the_answer_that_thoughts_lead_to(tiny_model: Path) -> None:
    args = (str(tiny_model), "What is 27 + 45?", "--temperature", "0", "--thinking")
    assert run(*args, "on").stdout == "27 + 45 = 72.\n"
    assert run(*args, "off").stdout == "27 + 45 = 72.\n"


def test_stop_and_max_tokens_end_an_answer(tiny_model: Path) -> None:
    args = (str(tiny_model), FRANCE, "--temperature", "0")
    assert run(*args, "--stop", " is").stdout == "The capital of France\n"
    cut = run(*args, "-n", "2").stdout.removesuffix("\n")
    assert 0 < len(cut) < len("The capital of France is Paris.")
    assert "The capital of France is Paris.".startswith(cut)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--temperature", "-1"], 2, "temperature is -1.0; it must be between 0 and 100"),
        (["--max-tokens", "-1"], 2, "'-n' / '--max-tokens': -1 is not in the range"),
        (["--stop", ""], 2, "stop holds an empty string"),
        (["--raw", "--system", "x"], 2, "--system needs a model with a chat template"),
        (["--raw", "--thinking", "on"], 2, "--thinking needs a model with a chat template"),
        (["--json-schema", "{"], 2, "--json-schema is not JSON: Expecting property name"),
        (["--json-schema", "@no-such"], 1, "The schema 'no-such' can't be read"),
        (["--json-schema", '{"uniqueItems": true, "type": "array"}'], 1, "uniqueItems"),
        (["--regex", "a", "--grammar", "b"], 2, "only one of them at a time"),
        (["--regex", "("], 1, "never closed, at character 2"),
        (["--tensor-split", "x"], 2, "numbers separated by commas"),
        (["--device", "CUDA99"], 1, "There is no device 'CUDA99' to put layers on. There are"),
        (["-ot", ".*=VRAM"], 1, "There is no buffer type 'VRAM' for the tensors of '.*'. There"),
        (["too", "many"], 2, "unexpected extra arguments (too many)"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tiny_model: Path, args: list[str], code: int, words: str
) -> None:
    done = run(str(tiny_model), FRANCE, *args)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_prompt_that_does_not_fit_is_told_both_numbers(tiny_model: Path) -> None:
    done = run(str(tiny_model), "word " * 300, "--context-size", "256")
    assert (done.returncode, done.stdout) == (1, "")
    assert "256" in done.stderr
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("more", [[FRANCE], []])
def test_a_missing_file_is_said_before_anything_is_loaded(more: list[str]) -> None:
    done = run("none.gguf", *more, stdin="" if more else FRANCE)
    assert done.returncode == 1
    assert done.stderr == "Error: There is no file 'none.gguf'.\n"


def test_without_a_model_the_built_in_one_answers_and_is_called_a_demo() -> None:
    done = run(FRANCE, "--temperature", "0")
    assert (done.returncode, done.stdout) == (0, "The capital of France is Paris.\n")
    (line,) = done.stderr.splitlines()
    assert "mullama-tiny, a demo" in line
    assert "mullama run path/to/model.gguf" in line
    assert run("--temperature", "0", stdin=FRANCE).stdout == done.stdout


def test_the_built_in_model_goes_by_its_name() -> None:
    done = run("mullama-tiny", FRANCE, "--temperature", "0")
    assert (done.stdout, done.stderr) == ("The capital of France is Paris.\n", "")


def test_a_configuration_file_names_the_model_and_its_options(
    tiny_model: Path, tmp_path: Path
) -> None:
    """It took no --config: who had a file for a server repeated it in flags."""
    config = tmp_path / "mullama.toml"
    config.write_text(f'[models.small]\npath = "{tiny_model}"\ncontext_size = 256')
    args = ("--config", str(config), "--temperature", "0")
    done = run("small", FRANCE, *args)
    assert (done.stdout, done.stderr) == ("The capital of France is Paris.\n", "")
    long = run("word " * 300, *args)
    assert long.returncode == 1
    assert "256" in long.stderr
    assert "demo" not in long.stderr


def test_without_a_prompt_and_a_terminal_there_is_nothing_to_do(tiny_model: Path) -> None:
    done = run(str(tiny_model))
    assert done.returncode == 2
    assert "There is no prompt" in done.stderr


def test_layers_for_a_gpu_that_is_not_there_are_spoken_of(tiny_model: Path) -> None:
    if supports_gpu_offload():
        pytest.skip("this llama.cpp has GPU support")
    done = run(str(tiny_model), FRANCE, "-ngl", "-1")
    assert "gpu_layers is -1, but this llama.cpp was built without GPU support" in done.stderr


def test_an_embedding_model_writes_no_text(minilm_model: Path) -> None:
    done = run(str(minilm_model), FRANCE)
    assert done.returncode == 2
    assert "writes no text" in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(tiny_model: Path) -> None:
    with subprocess.Popen(
        command(str(tiny_model), "Once", *RAMBLE),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 141


def test_ctrl_c_ends_the_one_answer(tiny_model: Path) -> None:
    with subprocess.Popen(
        command(str(tiny_model), "Once", *RAMBLE),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert said.strip() == b""


class Terminal:
    """A process on a terminal of its own, what it showed, and a keyboard."""

    def __init__(self, *args: str) -> None:
        self._ours, theirs = os.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            command(*args), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)

    def type(self, text: str) -> None:
        self.shown = ""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        self.shown = ""
        self.process.send_signal(signal.SIGINT)

    def shows(self, words: str) -> None:
        wait(lambda: words in self._read())

    def _read(self) -> str:
        try:
            self.shown += os.read(self._ours, 1 << 16).decode(errors="replace")
        except OSError:  # nothing there, or nobody any more
            assert self.process.poll() is None, self.shown
        return self.shown

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._ours)


@contextmanager
def terminal(*args: str) -> Iterator[Terminal]:
    opened = Terminal(*args)
    try:
        yield opened
    finally:
        opened.close()


def test_a_conversation_remembers_until_it_is_cleared(tiny_model: Path) -> None:
    with terminal(str(tiny_model), "--temperature", "0") as user:
        user.shows("loading mullama-tiny.gguf")
        user.shows("> ")
        user.type("My name is Zorblax.\n")
        user.shows("\n> ")
        user.type("What is my name?\n")
        user.shows("Zorblax")
        user.shows("\n> ")
        user.type("/clear\n")
        user.shows("\n> ")
        user.type("What is my name?\n")
        user.shows("have not told me")
        user.shows("\n> ")
        user.type("\x04")
        assert user.process.wait(PATIENCE) == 0


def test_a_conversation_explains_its_commands_and_ends_by_one(tiny_model: Path) -> None:
    with terminal(str(tiny_model)) as user:
        user.shows("> ")
        user.type("/help\n")
        user.shows("/exit ends")
        user.shows("\n> ")
        user.type("/exit\n")
        assert user.process.wait(PATIENCE) == 0


def test_ctrl_c_stops_an_answer_and_then_the_conversation(tiny_model: Path) -> None:
    with terminal(str(tiny_model), *RAMBLE) as user:
        user.shows("> ")
        user.type("Once\n")
        wait(lambda: len(user._read()) > 100)
        user.interrupt()
        user.shows("\n> ")
        user.interrupt()
        assert user.process.wait(PATIENCE) == 130


def test_a_conversation_that_does_not_fit_any_more_says_what_to_do(tiny_model: Path) -> None:
    with terminal(str(tiny_model), "--context-size", "256", "--temperature", "0") as user:
        user.shows("> ")
        user.type("word " * 300 + "\n")
        user.shows("/clear starts anew")
        user.shows("\n> ")
        user.type(FRANCE + "\n")
        user.shows("Paris")
