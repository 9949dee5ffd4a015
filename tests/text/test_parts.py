"""Answers of several parts: messages of their own, marks of several tokens, types beside values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.text.channels import Parser, begun
from mullama.text.formats import find_format
from mullama.text.spans import Answer
from mullama.text.syntax import Format, Slot
from mullama.text.template import ChatTemplate
from tests.text.chat_cases import parse

USER = {"role": "user", "content": "Hi"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            },
        },
    }
    for name in ("get_time", "get_weather")
]
CALLS = [
    ("get_time", {"city": "Paris", "days": 3}),
    ("get_weather", {"city": "Bern"}),
]


def generation(head: str) -> str:
    return f"{{%- if add_generation_prompt %}}{{{{ {head!r} }}}}{{%- endif %}}"


# Each part of an answer is a message that says whom it is for.
ADDRESSED = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}"
    "{%- if m.reasoning_content %}"
    "{{ '<|turn|>bot to=self<|text|>' + m.reasoning_content + '<|next|>' }}{%- endif %}"
    "{%- for c in m.tool_calls or [] %}{{ '<|turn|>bot to=' + c.function.name + '<|text|>' }}"
    "{{ '<do name=\"' + c.function.name + '\">' }}{{ c.function.arguments | tojson }}{{ '</do>' }}"
    "{{ '<|over|>' if loop.last else '<|next|>' }}{%- else %}"
    "{{ '<|turn|>bot to=user<|text|>' + m.content + '<|over|>' }}{%- endfor %}"
    "{%- else %}{{ '<|turn|>' + m.role + '<|text|>' + m.content + '<|over|>' }}{%- endif %}"
    "{%- endfor %}" + generation("<|turn|>bot")
)
# Marks are made of several tokens and words.
SEVERAL = (
    "{%- macro open(t) %}{{ '<|open|>' + t + '<|sep|>' }}{%- endmacro %}"
    "{%- macro close(t) %}{{ '<|close|>' + t + '<|sep|>' }}{%- endmacro %}"
    "{%- for m in messages %}{{ open('turn role=\"' + m.role + '\"') }}"
    "{%- if m.role == 'assistant' %}"
    "{{ open('muse') + (m.reasoning_content or '') + close('muse') }}"
    "{{ open('reply') + m.content + close('reply') }}"
    "{%- if m.tool_calls %}{{ open('acts') }}{%- for c in m.tool_calls %}"
    "{{ open('act tool=\"' + c.function.name + '\" index=\"' + loop.index | string + '\"') }}"
    "{%- for k, v in c.function.arguments.items() %}{{ open('arg key=\"' + k + '\" type=\"' "
    "+ ('string' if v is string else 'number') + '\"') }}"
    "{{ v if v is string else v | tojson }}{{ close('arg') }}{%- endfor %}{{ close('act') }}"
    "{%- endfor %}{{ close('acts') }}{%- endif %}"
    "{%- else %}{{ m.content }}{%- endif %}{{ close('turn') }}{{ '<|end|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ open('turn role=\"assistant\"') }}"
    "{{ open('muse' if thinking is not defined or thinking else 'reply') }}{%- endif %}"
)
# A template that leaves its last answer open, and writes calls by hand over its own messages.
CHANGED = (
    "{%- for m in messages %}{%- if m.tool_calls %}{%- for c in m.tool_calls %}"
    "{%- set m.content = m.content + '<use><tool>' + c.function.name + '</tool>' "
    "+ (c.function.arguments | tojson) + '</use>' %}{%- endfor %}{%- endif %}{%- endfor %}"
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{%- if not loop.last or add_generation_prompt %}{{ '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
    + generation("<|im_start|>assistant\n")
)


def read(source: str, raw: str, **given: Any) -> Answer:
    """The answer, which is the same whole and cut at every character."""
    template = ChatTemplate(source, bos="", eos="")
    format = find_format(template)
    prompt = template.render([USER], **given)
    opened = begun(prompt, template.render([USER], add_generation_prompt=False, **given))
    whole = parse(Parser(format, opened=opened, tools=TOOLS), [raw])
    assert parse(Parser(format, opened=opened, tools=TOOLS), list(raw)) == whole
    return whole


def told(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    assert all(call.complete and not call.id for call in answer.calls)
    return [(call.name, json.loads(call.arguments)) for call in answer.calls]


def format_of(source: str) -> Format:
    return find_format(ChatTemplate(source, bos="", eos=""))


def test_parts_that_are_messages_are_told_apart() -> None:
    answer = read(
        ADDRESSED,
        " to=self<|text|>Hm, to=user?<|next|><|turn|>bot to=user<|text|>Let me see.<|next|>"
        '<|turn|>bot to=get_time<|text|><do name="get_time">{"city": "Paris", "days": 3}</do>'
        '<|next|><|turn|>bot to=get_weather<|text|><do name="get_weather">{"city": "Bern"}</do>'
        "<|over|>",
    )
    assert (answer.reasoning, answer.content) == ("Hm, to=user?", "Let me see.")
    assert told(answer) == CALLS


def test_a_call_has_one_name_however_often_it_is_written() -> None:
    raw = ' to=get_time<|text|><do name="get_weather">{"city": "Paris"}</do><|over|>'
    answer = read(ADDRESSED, raw)
    assert not answer.calls
    assert "Paris" in answer.content


@pytest.mark.parametrize("raw", ["Hi.", "Hi.<|over|>", " to=user<|text|>Hi.<|over|>"])
def test_the_head_of_a_message_is_no_word(raw: str) -> None:
    assert read(ADDRESSED, raw) == Answer(content="Hi.")


@pytest.mark.parametrize("thought", ["", "Hm <|open|> reply"])
def test_marks_of_several_tokens_are_marks(thought: str) -> None:
    answer = read(
        SEVERAL,
        f"{thought}<|close|>muse<|sep|><|open|>reply<|sep|>On it.<|close|>reply<|sep|>"
        '<|open|>acts<|sep|><|open|>act tool="get_time" index="1"<|sep|>'
        '<|open|>arg key="city" type="string"<|sep|>Paris<|close|>arg<|sep|>'
        '<|open|>arg key="days" type="number"<|sep|>3<|close|>arg<|sep|><|close|>act<|sep|>'
        '<|open|>act tool="get_weather" index="2"<|sep|>'
        '<|open|>arg key="city" type="string"<|sep|>Bern<|close|>arg<|sep|><|close|>act<|sep|>'
        "<|close|>acts<|sep|><|close|>turn<|sep|><|end|>",
    )
    assert (answer.reasoning, answer.content) == (thought, "On it.")
    assert told(answer) == CALLS


def test_words_end_a_thought_that_was_left_open() -> None:
    raw = "<|open|>reply<|sep|>Yes<|close|>reply<|sep|>"
    assert read(SEVERAL, raw) == Answer(content="Yes")
    assert read(SEVERAL, f"Hm{raw}") == Answer(content="Yes", reasoning="Hm")
    verbatim = Parser(format_of(SEVERAL), opened="<|open|>muse<|sep|>", reasoning=False)
    assert parse(verbatim, list(raw)) == Answer(content="Yes")


def test_types_are_written_beside_values() -> None:
    calls = format_of(SEVERAL).calls
    assert calls is not None
    assert Slot.INDEX in calls.call
    written = calls.write([("get_time", {"a": "x", "b": 1, "c": None, "d": [True]})])
    found = [piece.partition('"')[0] for piece in written.split('type="')[1:]]
    assert found == ["string", "number", "null", "array"]


def test_a_template_may_change_its_own_messages() -> None:
    raw = '<use><tool>get_time</tool>{"city": "Paris", "days": 3}</use>'
    assert told(read(CHANGED, raw)) == CALLS[:1]
    assert told(read(CHANGED, f"{raw}<|im_end|>")) == CALLS[:1]


def test_calls_are_printed_where_content_must_be_a_text() -> None:
    source = (
        "{%- for m in messages %}{{ '<|' + m.role + '|>' }}{%- if m.tool_calls %}"
        "{%- if m.content[0].thinking %}{{ m.content[0].thinking }}{%- endif %}"
        "{%- for c in m.tool_calls %}{{ '<do>' + c.function.name + ' ' }}"
        "{{ c.function.arguments | tojson }}{{ '</do>' }}{%- endfor %}"
        "{%- else %}{{ m.content }}{%- endif %}{%- endfor %}" + generation("<|assistant|>")
    )
    assert ChatTemplate(source, bos="", eos="").traits.no_content == " "
    raw = '<do>get_time {"city": "Paris", "days": 3}</do>'
    assert told(read(source, raw)) == CALLS[:1]


def test_cdata_is_no_part_of_a_value() -> None:
    source = (
        "{%- for m in messages %}{{ '<|' + m.role + '|>' + m.content }}"
        "{%- for c in m.tool_calls or [] %}{{ '<do name=\"' + c.function.name + '\">' }}"
        "{%- for k, v in c.function.arguments.items() %}{{ '<p name=\"' + k + '\">' }}"
        "{{ '<![CDATA[' + v + ']]>' if v is string and '<' in v else v }}{{ '</p>' }}"
        "{%- endfor %}{{ '</do>' }}{%- endfor %}<|end|>{%- endfor %}" + generation("<|assistant|>")
    )
    for city in ("<![CDATA[</p> & <b>]]>", "</p> & <b>".replace("</p> & ", "")):
        raw = f'<do name="get_time"><p name="city">{city}</p><p name="days">3</p></do>'
        expected = city.removeprefix("<![CDATA[").removesuffix("]]>")
        assert told(read(source, raw)) == [("get_time", {"city": expected, "days": 3})]
