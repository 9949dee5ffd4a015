"""`mullama serve` and `mullama api` as real processes: answers, signals, bad input, no orphans."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from mullama.cli import main
from tests.cli.processes import PATIENCE, Server, is_alive, running, wait
from tests.gguf_models import write_model

# A stream that would run for minutes, so that it only ends when somebody ends it.
ENDLESS = {"prompt": "Once", "max_tokens": 60_000, "ignore_eos": True, "stream": True}
HELLO = {"role": "user", "content": "Hello"}
LONG_CONTEXT = ("--context-size", "65536")


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    """One server for the tests that leave it as it was."""
    with running("serve", "--model", f"tiny={tiny_model}", "--port", "0") as server:
        server.said("Ctrl-C stops")
        yield server


def serve_endlessly(tiny_model: Path) -> tuple[str, ...]:
    return ("serve", "-m", str(tiny_model), "-p", "0", *LONG_CONTEXT)


def capital(url: str, model: str = "default") -> str:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "temperature": 0,
    }
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=PATIENCE)
    return str(answer.raise_for_status().json()["choices"][0]["message"]["content"])


def test_it_says_what_it_serves_and_answers(server: Server, tiny_model: Path) -> None:
    assert server.said("ready").startswith("  tiny: ready (llama, 5.5M parameters, Q8_0, generate")
    assert f"curl {server.url}/v1/chat/completions" in server.said("Try it")
    assert "Paris" in capital(server.url)
    assert httpx.get(f"{server.url}/health").json()["status"] == "ok"


def test_500_half_open_connections_leave_the_others_alone(server: Server) -> None:
    port = httpx.URL(server.url).port
    assert port is not None
    with ExitStack() as stack:
        for i in range(500):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 9\r\n\r\n"[:i])
        assert "Paris" in capital(server.url)
        assert "Paris" in capital(server.url)


def test_a_full_queue_is_503_and_a_waiting_stream_is_kept_open(tiny_model: Path) -> None:
    one = ("--parallel", "1", "--queue-size", "1", "--ping-interval", "0.1")
    with running(*serve_endlessly(tiny_model), *one) as server, ExitStack() as stack:
        http = stack.enter_context(httpx.Client(base_url=server.url, timeout=PATIENCE))

        def ask() -> httpx.Response:
            return stack.enter_context(http.stream("POST", "/v1/completions", json=ENDLESS))

        first = ask()
        running_lines = first.iter_lines()
        assert any(line.startswith("data: ") for line in running_lines)
        second = ask()
        assert second.status_code == 200
        lines = second.iter_lines()
        assert next(lines) == ": ping"
        third = ask()
        assert third.status_code == 503
        assert third.headers["x-should-retry"] == "true"
        assert int(third.headers["retry-after"]) >= 1
        assert json.loads(third.read())["error"]["code"] == "queue_full"
        first.close()
        assert any(line.startswith("data: ") for line in lines)


def test_a_taken_port_is_one_line_and_1(
    server: Server, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = httpx.URL(server.url).port
    assert main(["serve", "-m", str(tiny_model), "-p", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"Error: Port {port} of 127.0.0.1 is taken by another program; choose another with "
        "--port, or 0 for any free one.\n"
    )


def test_one_command_serves_one_file(tiny_model: Path) -> None:
    with running("api", str(tiny_model), "-h", "127.0.0.1", "-p", "0", "-ngl", "0") as server:
        assert "Paris" in capital(server.url, "mullama-tiny")
        server.process.send_signal(signal.SIGINT)
        assert server.exit_code() == 0


def test_a_file_names_models_each_with_its_options(tiny_model: Path, tmp_path: Path) -> None:
    config = tmp_path / "mullama.toml"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "m.gguf").symlink_to(tiny_model)
    config.write_text(
        """
        [server]
        port = 0
        [models.large]
        path = "folder/m.gguf"
        context_size = 1024
        [models.small]
        path = "mullama-tiny"
        context_size = 512
        """
    )
    with running("serve", "--config", str(config)) as server:
        assert "Paris" in capital(server.url)
        models = httpx.get(f"{server.url}/status").json()["models"]
        sizes = {model["name"]: model["context_size"] for model in models}
        assert sizes == {"large": 1024, "small": 512}


def test_a_wrong_file_is_one_line_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "mullama.toml"
    config.write_text("[models.chat]\npth = 'x.gguf'")
    assert main(["serve", "-C", str(config)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(
        f"Error: {config}: models.chat has no option 'pth'; did you mean 'path'?"
    )


@pytest.mark.parametrize("command", ["serve", "api"])
def test_without_a_model_the_built_in_one_is_served_and_called_a_demo(command: str) -> None:
    with running(command, "--port", "0") as server:
        assert "Paris" in capital(server.url, "mullama-tiny")
        assert server.lines[0] == (
            "No model is given, so this is mullama-tiny, a demo that knows little. "
            f"With a real one: mullama {command} path/to/model.gguf"
        )


def test_the_built_in_model_is_one_of_several_by_its_name() -> None:
    models = ("--model", "mullama-tiny", "--model", "chat=mullama-tiny")
    with running("serve", *models, "--port", "0") as server:
        assert "Paris" in capital(server.url, "mullama-tiny")
        assert "Paris" in capital(server.url, "chat")
        assert "demo" not in "".join(server.lines)


def test_two_models_have_a_worker_each(tiny_model: Path, embed_model: Path) -> None:
    models = ("--model", f"embed={embed_model}", f"chat={tiny_model}")
    with running("serve", *models, "--port", "0") as server:
        assert "Paris" in capital(server.url), "what is given without a flag comes first"
        assert "Paris" in capital(server.url, "chat")
        body = {"model": "embed", "input": "Hello"}
        answer = httpx.post(f"{server.url}/v1/embeddings", json=body, timeout=PATIENCE)
        assert len(answer.json()["data"][0]["embedding"]) > 0
        assert len(server.workers()) == 2


def is_refused(port: int | None) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port or 0)).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # it was in the queue of a socket that is closed just now
    return False


def ready(server: Server) -> list[int]:
    """Its workers, once they have loaded their models."""
    server.said("Ctrl-C stops")
    return server.workers()


def test_a_first_signal_lets_a_stream_finish(tiny_model: Path) -> None:
    with running("serve", "-m", str(tiny_model), "-p", "0") as server:
        workers = ready(server)
        body = {**ENDLESS, "max_tokens": 800, "stream_options": {"include_usage": True}}
        with httpx.stream(
            "POST", f"{server.url}/v1/completions", json=body, timeout=PATIENCE
        ) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line.startswith("data: ")]
        assert rest[-1] == "data: [DONE]"
        assert json.loads(rest[-2][6:])["usage"]["completion_tokens"] == 800
        assert server.exit_code() == 0
        assert not any(map(is_alive, workers))


def test_a_stopping_server_takes_no_more(tiny_model: Path) -> None:
    with running(*serve_endlessly(tiny_model)) as server:
        port = httpx.URL(server.url).port
        with httpx.stream(
            "POST", f"{server.url}/v1/completions", json=ENDLESS, timeout=PATIENCE
        ) as answer:
            next(answer.iter_lines())
            server.process.send_signal(signal.SIGTERM)
            wait(lambda: is_refused(port))


def test_a_second_signal_ends_at_once(tiny_model: Path) -> None:
    with running(*serve_endlessly(tiny_model), "--shutdown-timeout", "600") as server:
        workers = ready(server)
        port = httpx.URL(server.url).port
        with httpx.stream(
            "POST", f"{server.url}/v1/completions", json=ENDLESS, timeout=PATIENCE
        ) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.process.send_signal(signal.SIGINT)
            wait(lambda: is_refused(port))
            server.process.send_signal(signal.SIGINT)
            last = [line for line in lines if line.startswith("data: ")][-1]
        assert json.loads(last[6:])["error"]["code"] == "shutting_down"
        assert server.exit_code() == 0
        assert not any(map(is_alive, workers))


def test_a_stop_that_takes_too_long_ends_the_streams(tiny_model: Path) -> None:
    with running(*serve_endlessly(tiny_model), "--shutdown-timeout", "0.2") as server:
        ready(server)
        with httpx.stream(
            "POST", f"{server.url}/v1/completions", json=ENDLESS, timeout=PATIENCE
        ) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.process.send_signal(signal.SIGTERM)
            last = [line for line in lines if line.startswith("data: ")][-1]
        assert json.loads(last[6:])["error"]["code"] == "shutting_down"
        assert server.exit_code() == 0


def test_a_killed_server_leaves_no_worker(tiny_model: Path) -> None:
    with running(*serve_endlessly(tiny_model)) as server:
        workers = ready(server)
        with httpx.stream(
            "POST", f"{server.url}/v1/completions", json=ENDLESS, timeout=PATIENCE
        ) as answer:
            next(answer.iter_lines())
            server.process.kill()
            wait(lambda: not any(map(is_alive, workers)))


def test_a_signal_while_a_model_loads_ends_the_server(tiny_model: Path) -> None:
    with running("serve", "-m", str(tiny_model), "-p", "0") as server:
        wait(lambda: bool(server.workers()))
        workers = server.workers()
        server.process.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not any(map(is_alive, workers))


def failed(*args: str) -> str:
    """The last line of a command that fails."""
    with running(*args, "--port", "0") as server:
        assert server.exit_code() == 1
        return server.lines[-1]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    line = failed("serve", "-m", str(tmp_path / "none.gguf"))
    assert line.startswith("Error: ")
    assert "none.gguf" in line


@pytest.mark.parametrize("content", [b"", b"PK\3\4 not a model", b"GGUF"])
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    line = failed("api", str(path))
    assert line.startswith("Error: ")
    assert "bad.gguf" in line


def test_a_model_that_does_not_load_ends_a_server_that_has_no_other(
    shared_data: Callable[[str], Path],
) -> None:
    with running("api", str(shared_data("vocab/ggml-vocab-gpt-2.gguf")), "-p", "0") as server:
        assert server.exit_code() == 1
        reasons = [line for line in server.lines if "can't load" in line.lower()]
        assert reasons == server.lines[-1:], "told once, as the last line"
        assert reasons[0].startswith("Error: ")


def test_a_model_that_does_not_load_leaves_the_others(
    tiny_model: Path, shared_data: Callable[[str], Path]
) -> None:
    broken = f"broken={shared_data('vocab/ggml-vocab-gpt-2.gguf')}"
    with running("serve", "-m", str(tiny_model), "-m", broken, "-p", "0") as server:
        assert server.said("broken: failed: ")
        assert "Paris" in capital(server.url)


def test_every_model_s_trouble_is_its_own(tmp_path: Path, tiny_model: Path) -> None:
    made = {
        "foreign": write_model(tmp_path / "foreign.gguf", arch="foo"),
        "mute": write_model(tmp_path / "mute.gguf", tokenizer=False),
        "plain": write_model(tmp_path / "plain.gguf"),
    }
    models = [word for name, path in made.items() for word in ("-m", f"{name}={path}")]
    with running("serve", "-m", f"good={tiny_model}", *models, "-p", "0") as server:
        ready(server)

        def asked(model: str, path: str, **body: object) -> tuple[int, str]:
            answer = httpx.post(
                f"{server.url}/v1/{path}", json={"model": model, **body}, timeout=PATIENCE
            )
            return answer.status_code, answer.json().get("error", {}).get("message", "")

        status, message = asked("foreign", "completions", prompt="x")
        assert (status, "'foo'" in message) == (500, True)
        status, message = asked("mute", "completions", prompt="x")
        assert (status, "tokenizer" in message) == (500, True)
        status, message = asked("plain", "chat/completions", messages=[HELLO])
        assert (status, "/v1/completions" in message) == (400, True)
        assert asked("plain", "completions", prompt="x", max_tokens=3) == (200, "")
        assert "Paris" in capital(server.url, "good")


def test_a_worker_that_dies_is_replaced(tiny_model: Path) -> None:
    with running("serve", "-m", str(tiny_model), "-p", "0") as server:
        (worker,) = ready(server)
        assert "Paris" in capital(server.url)
        os.kill(worker, signal.SIGKILL)
        wait(lambda: not is_alive(worker))
        assert "Paris" in capital(server.url)
