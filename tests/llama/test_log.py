"""llama.cpp's log lines become Python's, whole, from any thread; a failed call's reason is kept."""

from __future__ import annotations

import ctypes
import gc
import logging
import threading

import pytest

from mullama.llama import log
from mullama.llama.lib import C

INFO, WARN, ERROR, CONT = 2, 3, 4, 5


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="mullama.llama")
    return caplog


@pytest.mark.parametrize(
    ("level", "expected"),
    [(1, logging.DEBUG), (INFO, logging.DEBUG), (WARN, logging.WARNING), (ERROR, logging.ERROR)],
)
def test_levels_are_translated(lines: pytest.LogCaptureFixture, level: int, expected: int) -> None:
    log.receive(level, b"a line\n")
    assert lines.record_tuples == [("mullama.llama", expected, "a line")]


def test_pieces_of_a_line_are_joined(lines: pytest.LogCaptureFixture) -> None:
    log.receive(WARN, b"loading ")
    log.receive(CONT, b"..")
    log.receive(CONT, b". done\n")
    assert lines.record_tuples == [("mullama.llama", logging.WARNING, "loading ... done")]


def test_a_new_line_ends_one_that_was_not_ended(lines: pytest.LogCaptureFixture) -> None:
    log.receive(INFO, b"first")
    log.receive(ERROR, b"second\n")
    assert [record.message for record in lines.records] == ["first", "second"]


def test_lines_of_two_threads_do_not_mix(lines: pytest.LogCaptureFixture) -> None:
    log.receive(INFO, b"mine ")
    other = threading.Thread(target=log.receive, args=(INFO, b"theirs\n"))
    other.start()
    other.join()
    log.receive(CONT, b"still mine\n")
    assert {record.message for record in lines.records} == {"theirs", "mine still mine"}


def test_text_that_is_not_utf8_is_logged(lines: pytest.LogCaptureFixture) -> None:
    log.receive(INFO, b"name: \xff\n")
    assert lines.messages == ["name: \ufffd"]


def test_llama_cpp_calls_it_and_it_outlives_a_collection(
    lines: pytest.LogCaptureFixture,
) -> None:
    gc.collect()
    callback, data = C.llama_log_callback(), ctypes.c_void_p()
    C.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
    callback(ERROR, b"from C\n", None)
    assert lines.messages == ["from C"]


def test_a_capture_has_the_warnings_and_errors_of_its_thread() -> None:
    with log.capture() as kept:
        log.receive(INFO, b"detail\n")
        log.receive(WARN, b"careful\n")
        other = threading.Thread(target=log.receive, args=(ERROR, b"elsewhere\n"))
        other.start()
        other.join()
        log.receive(ERROR, b"failed\n")
    log.receive(ERROR, b"later\n")
    assert kept == [(logging.WARNING, "careful"), (logging.ERROR, "failed")]


def test_a_captured_error_is_detail_in_the_log(lines: pytest.LogCaptureFixture) -> None:
    with log.capture():
        log.receive(WARN, b"careful\n")
        log.receive(ERROR, b"failed\n")
    log.receive(ERROR, b"later\n")
    levels = [record.levelno for record in lines.records]
    assert levels == [logging.WARNING, logging.DEBUG, logging.ERROR]


@pytest.mark.parametrize(
    "line",
    [
        "graph_compute: ggml_backend_sched_graph_compute_async failed with error 1",
        "process_ubatch: failed to compute graph, compute status: 1",
        "decode: removing memory module entries for seq_id = 0, pos = [4, +inf)",
        "llama_decode: failed to decode, ret = 2",
        "decode: failed to find a memory slot for batch of size 512",
        "llama_init_from_model: model default pooling_type is [-1], but [0] was specified",
        "load: special_eos_id is not in special_eog_ids - the tokenizer config may be incorrect",
    ],
)
def test_what_is_no_trouble_is_detail(line: str, lines: pytest.LogCaptureFixture) -> None:
    log.receive(ERROR, line.encode() + b"\n")
    assert [record.levelno for record in lines.records] == [logging.DEBUG]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([], None),
        (
            [
                "llama_model_load: error loading model: unknown model architecture: 'foo'",
                "llama_model_load_from_file_impl: failed to load model",
            ],
            "unknown model architecture: 'foo'",
        ),
        (
            ["load: error loading model: error loading model hyperparameters: invalid n_rot: 1"],
            "invalid n_rot: 1",
        ),
        (
            ["gguf_init: tensor 'x' has offset 5, expected 0", "gguf_init: failed to load model"],
            "tensor 'x' has offset 5, expected 0",
        ),
        (["f: failed to initialize the context: no   memory"], "no memory"),
        (["llama_model_load: failed to load model"], "failed to load model"),
    ],
)
def test_the_reason_is_the_first_error_that_says_something(
    errors: list[str], expected: str | None
) -> None:
    lines = [(logging.WARNING, "f: a warning"), *((logging.ERROR, line) for line in errors)]
    assert log.reason(lines) == expected
