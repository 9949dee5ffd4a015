"""`python -m recipes.tiny.evaluate MODEL`: held-out cases, greedily, through Mullama's own server.

Prints a table by family and writes the same as JSON, with the wrong answers beside what was
expected, and which file it was that answered. An answer is right if the whole of it is, to the
letter; a call if its name and all of its arguments are.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from mullama.models.header import read_header
from recipes.tiny.cases import Answer, Case, cases, from_file
from recipes.tiny.progress import Progress

_PARALLEL = 8
_WRONG_SHOWN = 12
_TOLD_EVERY = 100


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """A server for the model on a port of its own. The URL of its API."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mullama", "serve", "--model", str(model), "--port", str(port)]
    command += ["--parallel", str(_PARALLEL), "--context-size", str(2048 * _PARALLEL)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process)
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start; try `mullama serve` by hand ({process.poll()})")


def ask(url: str, case: Case, temperature: float = 0.0) -> Answer:
    body: dict[str, Any] = {
        "messages": case.messages,
        "temperature": temperature,
        "max_tokens": 400,
        "enable_thinking": case.think,
    }
    if case.tools:
        body["tools"] = case.tools
    request = urllib.request.Request(
        f"{url}/chat/completions",
        json.dumps(_for_wire(body)).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=600) as response:
            message = json.load(response)["choices"][0]["message"]
    except urllib.error.HTTPError as error:
        return Answer(f"HTTP {error.code}: {error.read().decode()[:300]}")
    calls = tuple(
        (call["function"]["name"], _arguments(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    )
    return Answer(message.get("content") or "", calls)


def _for_wire(body: dict[str, Any]) -> dict[str, Any]:
    """Earlier calls have ids and their arguments as text, as the API wants them."""
    messages: list[dict[str, Any]] = []
    ids: list[str] = []
    for message in body["messages"]:
        made = dict(message)
        if made.get("tool_calls"):
            made["tool_calls"] = calls = [
                {
                    "id": f"call_{len(messages)}_{i}",
                    "type": "function",
                    "function": {
                        "name": call["function"]["name"],
                        "arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False),
                    },
                }
                for i, call in enumerate(made["tool_calls"])
            ]
            ids = [str(call["id"]) for call in calls]
        if made["role"] == "tool" and ids:
            made["tool_call_id"] = ids.pop(0)
        messages.append(made)
    return body | {"messages": messages}


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def evaluate(url: str, asked: Sequence[Case], temperature: float) -> dict[str, Any]:
    """By family: how many, how many right, and some of the wrong ones."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    wrong: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        progress = Progress("evaluation", len(asked))
        answers = pool.map(lambda case: ask(url, case, temperature), asked)
        for case, answer in zip(asked, answers, strict=True):
            right = case.is_right(answer)
            progress.advance(case.family, quiet=progress.done % _TOLD_EVERY != 0)
            counts[case.family][0] += 1
            counts[case.family][1] += right
            if not right and len(wrong[case.family]) < _WRONG_SHOWN:
                wrong[case.family].append(
                    {
                        "asked": case.messages[-1]["content"],
                        "expected": case.calls or case.parts or case.expected,
                        "answered": answer.calls or answer.content,
                    }
                )
    return {
        family: {
            "n": n,
            "right": right,
            "percent": round(100 * right / n, 1),
            "wrong": wrong[family],
        }
        for family, (n, right) in counts.items()
    }


def identity(model: Path) -> dict[str, Any]:
    """Which model was asked: what its header says, and what only this file has."""
    header, data = read_header(model), model.read_bytes()
    return {
        "name": header.text("general.name"),
        "version": header.text("general.version"),
        "bytes": len(data),
        "sha256": sha256(data).hexdigest(),
    }


def table(results: dict[str, Any]) -> str:
    lines = [f"{'family':18} {'n':>5} {'right':>6} {'%':>6}"]
    for family, it in results.items():
        lines.append(f"{family:18} {it['n']:5} {it['right']:6} {it['percent']:6.1f}")
    n, right = (sum(it[key] for it in results.values()) for key in ("n", "right"))
    lines.append(f"{'all':18} {n:5} {right:6} {100 * right / max(1, n):6.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.tiny.evaluate", description=__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("-n", type=int, default=200, help="cases of each family")
    parser.add_argument("--family", action="append", default=[], help="only this one (repeatable)")
    parser.add_argument("--cases", type=Path, help="a file of other cases instead of our own")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--output", type=Path, help="where to write the results as JSON")
    options = parser.parse_args()
    if options.cases:
        asked = list(from_file(options.cases, options.n, options.family))
    else:
        asked = list(cases(options.n, options.family))
    with serving(options.model) as url:
        results = evaluate(url, asked, options.temperature)
    print(table(results))
    if options.output:
        asked_of = {"model": identity(options.model), "temperature": options.temperature}
        document = asked_of | {"families": results}
        options.output.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
