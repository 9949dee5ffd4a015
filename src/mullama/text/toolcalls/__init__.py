"""Tool calls: formats that probing can't find, one file and one line each.

A line is the words of a template's source that tell the format, and the format. What such a format
leaves open (its thoughts, the head of a message) is found by probing all the same.
"""

from mullama.text.syntax import CallSyntax, Format
from mullama.text.toolcalls import (
    command_r,
    common,
    functionary,
    granite,
    harmony,
    hunyuan,
    kimi,
    lfm2,
    minimax,
    phi,
)

_TOLD_BY: tuple[tuple[tuple[str, ...], Format], ...] = (
    (("<|start|>", "<|channel|>", "<|message|>"), harmony.FORMAT),
    ((">>>all",), functionary.FORMAT),
    (("<|from|>", "<|recipient|>", "<|content|>"), functionary.FORMAT_2),
    (("<|tool_call_argument_begin|>",), kimi.FORMAT),
    (("<|tool_list_start|>",), lfm2.FORMAT),
    (("<|tool_call|> followed by a",), granite.FORMAT),
    (("Action:", "directly-answer", "<|CHATBOT_TOKEN|>"), command_r.FORMAT),
    (("]<]minimax[>[",), minimax.FORMAT),
    (("functools[", "<|end|>"), phi.FORMAT),
    (("<|startoftext|>", "<|extra_0|>", "<think>"), hunyuan.FORMAT),
)


def known(source: str) -> Format | None:
    """The format of a template with this source, if its words tell it."""
    for words, format in _TOLD_BY:
        if all(word in source for word in words):
            return format
    return None


def told(source: str) -> CallSyntax | None:
    """The form of calls that a template with this source tells of, if it tells of any."""
    format = known(source)
    return (format and format.calls) or common.told(source)
