"""The terminal's side of `mullama run`: prompts in, answers out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import TextIO

import click

from mullama.text.spans import Span, SpanKind

# A model's text must not move the cursor, rename the window or type for the user: of the control
# characters, a terminal gets only line ends and tabs.
_UNSAFE = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)])
for _safe in "\n\t":
    del _UNSAFE[ord(_safe)]
_DIM, _BRIGHT = "\x1b[2m", "\x1b[22m"


def given_text(argument: str | None, stdin: TextIO | None) -> str | None:
    """The prompt: what is piped in, then the argument. None where there is neither."""
    piped = None if stdin is None or stdin.isatty() else _read(stdin)
    parts = [text for text in (piped, argument) if text]
    return "\n\n".join(parts) or None


def _read(stdin: TextIO) -> str:
    try:
        return stdin.read().strip("\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"What is piped in is not {error.encoding} text ({error.reason} at byte {error.start})."
        ) from error


def show(spans: Iterable[Span], out: TextIO) -> None:
    """Writes an answer as it comes, and ends its last line, however the answer ends.

    A terminal also gets the thoughts, dimmed and in a paragraph of their own; a file does not.
    """
    to_terminal = out.isatty()
    last, thinking = "\n", False
    try:
        for span in spans:
            thinks = span.kind is SpanKind.REASONING
            if thinks and not to_terminal:
                continue
            if thinks != thinking:
                thinking = thinks
                out.write(_DIM if thinks else _BRIGHT + "\n\n")
            out.write(span.text.translate(_UNSAFE) if to_terminal else span.text)
            out.flush()
            last = span.text[-1:] or last
    finally:
        out.write((_BRIGHT if thinking else "") + ("\n" if last != "\n" else ""))
        out.flush()


def ask_user(prompt: str) -> str:
    """One line from the user, with editing and history. Raises EOFError at Ctrl-D."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # importing it is what gives input() both
    if sys.stdout.isatty():
        return input(prompt)
    click.echo(prompt, err=True, nl=False)  # stdout has the answers only
    return input()
