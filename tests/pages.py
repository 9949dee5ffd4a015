"""The examples of the pages, and the answers that are printed under them.

An example is a block of `sh` or `python`; the block right under it, if there is one, is its answer.
What an answer should read, given what came, is decided here: JSON may be a part of what came, with
"…" where something is left out, and what is another every time (ids, times) or on another machine
(memory, processor) stays as it is printed, as do lines that say the same in another layout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
WIDTH = 100
LEFT_OUT = "…"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUNS, _ANSWERS = ("sh", "python"), ("", "json", "text")
_RANDOM = re.compile(r"(chatcmpl-|cmpl-|call_|rerank-)[0-9a-f]{20,}")
_DEVICE = re.compile(r"(?: +[\d.]+ [KMGT]iB){2} .+")  # its memory, free and in all, and its name
# What no two answers have in common, or what depends on what was asked before.
_OF_THE_MOMENT = {"created", "timings", "uptime", "prompt_tokens_details"}


@dataclass(frozen=True)
class Example:
    """`shown`: the printed answer, or None where none is printed."""

    page: Path
    language: str
    text: str
    shown: str | None
    whole: str  # from the example's first mark to the answer's last, as it stands in the page

    def write(self, answer: str) -> None:
        """Prints this answer in the page, in place of the one that is shown."""
        assert self.shown is not None
        head = self.whole[: -len(f"{self.shown}```")]
        page = self.page.read_text()
        assert page.count(self.whole) == 1, f"{self.page.name} has this twice:\n{self.whole}"
        self.page.write_text(page.replace(self.whole, f"{head}{answer}```"))


def examples(page: Path) -> Iterator[Example]:
    """All examples of a page, in their order."""
    text = page.read_text()
    blocks = list(_BLOCK.finditer(text))
    for block, below in zip(blocks, [*blocks[1:], None], strict=False):
        if block[1] not in _RUNS:
            continue
        answered = (
            below is not None
            and below[1] in _ANSWERS
            and not text[block.end() : below.start()].strip()
        )
        shown, end = (below[2], below.end()) if answered and below else (None, block.end())
        yield Example(page, block[1], block[2], shown, text[block.start() : end])


def answer(shown: str, came: str) -> str:
    """What should be printed where `shown` is, when this came."""
    if shown.startswith("data: "):
        return _stream(shown, came)
    try:
        printed = json.loads(shown)
    except ValueError:
        return shown if _anywhere(shown) == _anywhere(came) else came
    filled = _filled(printed, _part(printed, json.loads(came)))
    return shown if filled == printed else _rendered(filled) + "\n"


def _anywhere(text: str) -> str:
    """A text without what only this machine would say, and the widths that follow from it."""
    return re.sub(" +", " ", _DEVICE.sub("", text))


def _part(printed: Any, came: Any) -> Any:
    """The outermost part of what came that has all the fields that are printed."""
    if not isinstance(printed, dict):
        return came
    wanted = printed.keys() - {LEFT_OUT}
    parts = [came]
    for part in parts:  # which grows
        if isinstance(part, dict) and wanted <= part.keys():
            return part
        inner = part.values() if isinstance(part, dict) else part
        parts += [one for one in inner if isinstance(one, dict | list)]
    raise AssertionError(f"nothing that came has the fields {sorted(wanted)}: {came}")


def _filled(printed: Any, came: Any) -> Any:
    """What came, in the shape of what is printed."""
    if isinstance(printed, dict) and isinstance(came, dict):
        left_out = LEFT_OUT in printed
        names = [name for name in printed if name in came] if left_out else list(came)
        made = {name: _value(name, printed, came[name]) for name in names}
        return made | ({LEFT_OUT: LEFT_OUT} if left_out else {})
    if isinstance(printed, list) and isinstance(came, list):
        left_out = LEFT_OUT in printed
        items = came[: len(printed) - 1] if left_out else came
        shapes = [*printed, *[None] * len(items)]
        made = [_filled(shape, item) for shape, item in zip(shapes, items, strict=False)]
        return made + ([LEFT_OUT] if left_out else [])
    if _is_random(printed) and _is_random(came):
        return printed
    return came


def _value(name: str, printed: Mapping[str, Any], came: Any) -> Any:
    if name in _OF_THE_MOMENT and type(printed.get(name)) is type(came):
        return printed[name]
    return _filled(printed.get(name), came)


def _is_random(value: Any) -> bool:
    return isinstance(value, str) and _RANDOM.fullmatch(value) is not None


def _rendered(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON in lines: what fits into one stays in one. `before`: how much of it is taken."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + before + len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        return line
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        names = {name: f"{json.dumps(name, ensure_ascii=False)}: " for name in value}
        parts = [names[n] + _rendered(v, indent + 2, len(names[n])) for n, v in value.items()]
        marks = "{}"
    else:
        parts = [_rendered(item, indent + 2) for item in value]
        marks = "[]"
    inner = ",\n".join(pad + part for part in parts)
    return f"{marks[0]}\n{inner}\n{' ' * indent}{marks[1]}"


def _stream(shown: str, came: str) -> str:
    """The first event whole; of two with text, and of the last, what matters; the end."""
    events = [event for event in came.split("\n\n") if event.startswith("data: ")]
    first, *texts, last, done = events
    id, created = (re.search(rf'"{name}":("?[\w-]+"?)', shown) for name in ("id", "created"))
    assert id is not None
    assert created is not None

    def as_shown(event: str) -> str:
        event = re.sub(r'"id":"[\w-]+"', f'"id":{id[1]}', event)
        return re.sub(r'"created":\d+', f'"created":{created[1]}', event)

    def short(event: str) -> str:
        event = re.sub(r'("id":"[\w-]+"),.*"choices":', rf'\1, {LEFT_OUT} "choices":', event)
        return re.sub(r'"timings":\{[^}]*\}', f'"timings":{{{LEFT_OUT}}}', as_shown(event))

    parts = [as_shown(first), *map(short, texts[:2]), LEFT_OUT, short(last), done]
    return "\n\n".join(parts) + "\n"
