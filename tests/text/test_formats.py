"""What is found by probing: the ecosystem's templates, and templates nobody has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.channels import Parser
from mullama.text.formats import find_format
from mullama.text.syntax import Format, Slot, Style
from mullama.text.template import ChatTemplate
from tests.text.chat_cases import TEMPLATES, format_of, parse

TABLE = Path(__file__).parent / "formats.txt"
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
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("get_time", {"city": "Paris", "days": 3}),
    ("get_weather", {"city": "Bern"}),
]
TURN = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% if m.tool_calls %}%s{% endif %}"
    "<|over|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

# Inventions, and formats of models that are not among the templates: how each writes two calls.
UNSEEN = {
    "attributes": (
        "<deed>\n{% for c in m.tool_calls %}<invoke name=\"{{ c.function.name }}\">\n"
        "{% for k, v in c.function.arguments.items() %}<parameter name=\"{{ k }}\">"
        "{{ v if v is string else v | tojson }}</parameter>\n{% endfor %}</invoke>\n"
        "{% endfor %}</deed>",
        '<deed>\n<invoke name="get_time">\n<parameter name="city">Paris</parameter>\n'
        '<parameter name="days">3</parameter>\n</invoke>\n<invoke name="get_weather">\n'
        '<parameter name="city">Bern</parameter>\n</invoke>\n</deed>',
    ),
    "wrapped": (
        "<|tools|>{{ m.tool_calls | tojson }}<|/tools|>",
        '<|tools|>[{"type": "function", "function": {"name": "get_time", "arguments": '
        '{"city": "Paris", "days": 3}}}, {"function": {"name": "get_weather", "arguments": '
        '{"city": "Bern"}}}]<|/tools|>',
    ),
    "list": (
        "<TOOLCALL>[{% for c in m.tool_calls %}{{ c.function | tojson }}"
        "{{ '' if loop.last else ', ' }}{% endfor %}]</TOOLCALL>",
        '<TOOLCALL>[{"name": "get_time", "arguments": {"city": "Paris", "days": 3}}, '
        '{"name": "get_weather", "arguments": {"city": "Bern"}}]</TOOLCALL>',
    ),
    "other keys": (
        "{% for c in m.tool_calls %}<|action|>{\"tool\": \"{{ c.function.name }}\", \"with\": "
        "{{ c.function.arguments | tojson }}}<|action_end|>{% endfor %}",
        '<|action|>{"tool": "get_time", "with": {"city": "Paris", "days": 3}}<|action_end|>'
        '<|action|>{"with": {"city": "Bern"}, "tool": "get_weather"}<|action_end|>',
    ),
    "bare list of Python": (
        "[{% for c in m.tool_calls %}{{ c.function.name }}("
        "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v | tojson }}"
        "{{ '' if loop.last else ', ' }}{% endfor %}){{ '' if loop.last else ', ' }}{% endfor %}]",
        "[get_time(city='Paris', days=3), get_weather(city=\"Bern\")]",
    ),
    "elements": (
        "{% for c in m.tool_calls %}<call {{ c.function.name }}>"
        "{% for k, v in c.function.arguments.items() %}<{{ k }}>{{ v }}</{{ k }}>{% endfor %}"
        "</call>{% endfor %}",
        "<call get_time><city>Paris</city><days>3</days></call>"
        "<call get_weather><city>Bern</city></call>",
    ),
    "name, then JSON": (
        "{% for c in m.tool_calls %}[[call]]{{ c.function.name }}#{{ c.id }}\n"
        "{{ c.function.arguments | tojson }}[[done]]{% endfor %}",
        '[[call]]get_time#abc123\n{"city": "Paris", "days": 3}[[done]]'
        '[[call]]get_weather#abc124\n{"city": "Bern"}[[done]]',
    ),
    "numbered": (
        "<calls>{% for c in m.tool_calls %}<c>{{ c.function.name }}:{{ loop.index0 }}<a>"
        "{{ c.function.arguments | tojson }}</c>{% endfor %}</calls>",
        '<calls><c>get_time:0<a>{"city": "Paris", "days": 3}</c>'
        '<c>get_weather:1<a>{"city": "Bern"}</c></calls>',
    ),
    "braces": (
        "{% for c in m.tool_calls %}<do>{{ c.function.name }}{{ '{' }}"
        "{% for k, v in c.function.arguments.items() %}{{ k }}:"
        "{{ ('|^|' + v + '|^|') if v is string else v }}{{ '' if loop.last else ',' }}"
        "{% endfor %}{{ '}' }}</do>{% endfor %}",
        "<do>get_time{city:|^|Paris|^|,days:3}</do><do>get_weather{city:|^|Bern|^|}</do>",
    ),
}  # fmt: skip


def made(turn: str) -> ChatTemplate:
    return ChatTemplate(TURN.replace("%s", turn), bos="", eos="")


def row(name: str, format: Format) -> str:
    """One line for what of a format one wants to see at a glance."""
    assert format.calls is not None
    assert format.reasoning is not None
    call = "".join(
        f"<{part.name}>" if isinstance(part, Slot) else part for part in format.calls.call
    )
    thought = format.reasoning
    more = [word for word in ("anywhere", "ended_by_call") if getattr(thought, word)]
    more += [] if format.thinks else ["(the template knows none)"]
    known = "" if format.calls_tools else " (the template knows none)"
    parts = [
        f"{name}: {format.name}",
        f"head {format.head!r}",
        f"thought {thought.open!r} {thought.close!r} {' '.join(more)}".rstrip(),
        f"content {format.content_begin!r} {format.content_end!r}",
        f"calls {format.calls.begin!r} {call!r} {format.calls.between!r} {format.calls.end!r}",
        f"{format.calls.arguments.style} {format.calls.trigger!r}{known}",
    ]
    return "\n    ".join(parts)


@pytest.mark.skipif(len(TEMPLATES) < 51, reason="shared test data 'chat_templates' is missing")
def test_the_formats_of_all_templates_are_those_of_the_table() -> None:
    """Write the table anew by running this file, and look at what changed."""
    assert table() == TABLE.read_text()


def table() -> str:
    rows = [row(name.removesuffix(".jinja"), format_of(name)) for name in TEMPLATES]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("name", UNSEEN)
def test_calls_of_an_unseen_template_are_read(name: str) -> None:
    turn, written = UNSEEN[name]
    format = find_format(made(turn))
    for pieces in ([written], list(written)):
        answer = parse(Parser(format, opened="<|assistant|>", tools=TOOLS), ["Words. ", *pieces])
        assert [call.name for call in answer.calls] == ["get_time", "get_weather"]
        assert answer.calls[0].arguments == '{"city": "Paris", "days": 3}'
        assert answer.calls[1].arguments == '{"city": "Bern"}'
        assert answer.content.strip() == "Words."


@pytest.mark.parametrize("name", UNSEEN)
def test_what_its_syntax_writes_is_what_the_template_writes(name: str) -> None:
    turn, _ = UNSEEN[name]
    template = made(turn)
    syntax = find_format(template).calls
    assert syntax is not None
    assert syntax.many
    if Slot.ID in syntax.call or name == "wrapped":
        return  # ids are made up
    calls = [
        {"id": "call00000", "type": "function", "function": {"name": said, "arguments": arguments}}
        for said, arguments in CALLS
    ]
    user = {"role": "user", "content": "Hi"}
    answer = {"role": "assistant", "content": "", "tool_calls": calls}
    prompt = template.render([user, answer], tools=TOOLS, add_generation_prompt=False)
    written = syntax.write(CALLS)
    if syntax.arguments.style is Style.KEYWORDS:
        written = written.replace("'", '"')
    assert written in prompt


@pytest.mark.parametrize(
    "around", ["m.reasoning_content + '\\n\\n'", "'T: ' + m.reasoning_content"]
)
def test_a_thought_that_nothing_closes_does_not_take_the_words(around: str) -> None:
    """All of an answer was a thought, where a template prints earlier ones without a mark."""
    turn = TURN.replace(
        "{{ m.content", "{% if m.reasoning_content %}{{ %s }}{% endif %}{{ m.content"
    )
    format = find_format(
        ChatTemplate(turn.replace("%s", around, 1).replace("%s", ""), bos="", eos="")
    )
    assert parse(Parser(format), ["Hello"]).content == "Hello"
    answer = parse(Parser(format), ["<think>Hm.</think>Hello"])
    assert (answer.reasoning, answer.content) == ("Hm.", "Hello")


def test_a_prompt_that_opens_a_thought_tells_its_marks() -> None:
    turn = TURN.replace("%s", "") + "{% if add_generation_prompt %}<ponder>\n{% endif %}"
    thought = find_format(ChatTemplate(turn + "{# </ponder> #}", bos="", eos="")).reasoning
    assert thought is not None
    assert (thought.open, thought.close) == ("<ponder>\n", "</ponder>")
    assert thought.ended_by_call


@pytest.mark.parametrize("source", ["{{ raise_exception('No.') }}", "{% broken", "", "Hello"])
def test_a_template_that_says_nothing_has_the_common_format(source: str) -> None:
    template = ChatTemplate(source, bos="", eos="")
    with_error = pytest.raises(InvalidRequest)
    if source.startswith("{"):
        with with_error:
            template.render([{"role": "user", "content": "Hi"}])
    format = find_format(template)
    answer = parse(
        Parser(format, tools=TOOLS),
        ['<think>Hm.</think><tool_call>{"name": "get_time", "arguments": {}}</tool_call>'],
    )
    assert answer.reasoning == "Hm."
    assert [call.name for call in answer.calls] == ["get_time"]


if __name__ == "__main__":
    TABLE.write_text(table())
