"""What a template can't take is said in a form that it can, and only that."""

from __future__ import annotations

from typing import Any

import pytest

from mullama.text.template import ChatTemplate

USER, MORE = {"role": "user", "content": "U"}, {"role": "user", "content": "V"}
ANSWER = {"role": "assistant", "content": "A"}
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}

# Prints everything that there is, an object or a list as JSON.
EVERYTHING = (
    "{% for m in messages %}[{{ m.role }}]"
    "{% if m.reasoning_content %}({{ m.reasoning_content }}){% endif %}"
    "{{ m.content if m.content is string else m.content|map(attribute='text')|join('+') }}"
    "{% for c in m.tool_calls %}<{{ c.id }} {{ c.function.name }} "
    "{{ c.function.arguments|tojson }}>{% endfor %}"
    "{% endfor %}"
    "{% if tools %}{{ tools|tojson }}{% endif %}"
)


def raising(condition: str) -> str:
    """A template that takes everything but messages `m`, at `i`, of which this is true."""
    return (
        "{% for m in messages %}{% set i = loop.index0 %}{% set before = messages[i - 1] if i %}"
        f"{{% if {condition} %}}{{{{ raise_exception('no') }}}}{{% endif %}}{{% endfor %}}"
    ) + EVERYTHING


def call(id: str = "c1", arguments: Any = '{"a": 1}') -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "now", "arguments": arguments}}


def calls(*made: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": list(made), **more}


def result(content: str = "R", id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "content": content, "tool_call_id": id}


def rendered(source: str, *messages: dict[str, Any], **given: Any) -> str:
    return ChatTemplate(source, bos="", eos="").render(list(messages), **given)


CALLED = '[user]U[assistant]<c1 now {"a": 1}>[tool]R'


def test_a_template_that_takes_everything_gets_everything() -> None:
    assert rendered(EVERYTHING, USER, calls(call()), result()) == CALLED
    assert rendered(EVERYTHING, USER, MORE, ANSWER, ANSWER) == "[user]U[user]V" + "[assistant]A" * 2
    thought = ANSWER | {"reasoning_content": "T"}
    assert rendered(EVERYTHING, USER, thought) == "[user]U[assistant](T)A"


def test_two_messages_of_a_role_become_one() -> None:
    source = raising("i and m.role == before.role")
    assert rendered(source, USER, MORE, ANSWER, ANSWER) == "[user]U\n\nV[assistant]A\n\nA"
    parts = {"role": "user", "content": [{"type": "text", "text": "P"}]}
    assert rendered(source, parts, USER) == "[user]P+U"
    thought = ANSWER | {"reasoning_content": "T"}
    assert rendered(source, USER, thought, thought) == "[user]U[assistant](T\n\nT)A\n\nA"
    assert rendered(source, USER, ANSWER, calls(call()), result()) == (
        '[user]U[assistant]A<c1 now {"a": 1}>[tool]R'
    )


def test_instructions_at_the_beginning_become_one_and_later_ones_are_the_user_s() -> None:
    system = {"role": "system", "content": "S"}
    source = raising("i and m.role == 'system'")
    assert rendered(source, system, {"role": "developer", "content": "D"}, USER) == (
        "[system]S\n\nD[user]U"
    )
    assert rendered(source, USER, ANSWER, system, MORE) == "[user]U[assistant]A[user]S\nV"
    assert rendered(source, USER, ANSWER, system) == "[user]U[assistant]A[user]S"


def test_a_user_begins_where_the_assistant_may_not() -> None:
    source = raising("m.role == 'assistant' and (not i or before.role == 'system')")
    assert rendered(source, ANSWER, USER) == "[user][assistant]A[user]U"


def test_a_user_speaks_where_one_must() -> None:
    source = raising("not messages|selectattr('role', 'eq', 'user')|list")
    assert rendered(source, {"role": "system", "content": "S"}) == "[user]S"
    assert rendered(source, ANSWER) == "[user][assistant]A"
    assert rendered(source, ANSWER, USER) == "[assistant]A[user]U"


def test_an_empty_answer_is_a_space_where_it_may_not_be_empty() -> None:
    source = raising("m.role == 'assistant' and not m.content and not m.tool_calls")
    assert rendered(source, USER, ANSWER | {"content": None}) == "[user]U[assistant] "
    assert rendered(source, USER, calls(call()), result()) == CALLED


def test_an_answer_stands_between_a_result_and_the_user_where_it_must() -> None:
    source = raising("m.role == 'user' and i and before.role == 'tool'")
    assert rendered(source, USER, calls(call()), result(), MORE) == CALLED + "[assistant][user]V"


def test_several_calls_become_several_messages() -> None:
    source = raising("m.tool_calls and m.tool_calls|length > 1")
    both = calls(call("c1"), call("c2"), content="C", reasoning_content="T")
    assert rendered(source, USER, both, result("R2", "c2"), result("R1", "c1")) == (
        '[user]U[assistant](T)C<c1 now {"a": 1}>[tool]R1[assistant]<c2 now {"a": 1}>[tool]R2'
    )
    assert rendered(source, USER, both, MORE) == (
        '[user]U[assistant](T)C<c1 now {"a": 1}>[assistant]<c2 now {"a": 1}>[user]V'
    )


def test_no_result_is_lost_where_several_calls_become_several_messages() -> None:
    """Of results with one id, or with none that is known, only the last was printed."""
    source = raising("m.tool_calls and m.tool_calls|length > 1")
    both = calls(call("c1"), call("c2"))
    results = [result(f"R{n}", id) for n, id in enumerate(("c1", "c2", "c2", "x", "x"))]
    assert rendered(source, USER, both, *results) == (
        '[user]U[assistant]<c1 now {"a": 1}>[tool]R0[assistant]<c2 now {"a": 1}>[tool]R1[tool]R2'
        "[tool]R3[tool]R4"
    )


def test_long_ids_are_shortened_the_same_everywhere() -> None:
    source = raising("m.tool_calls and m.tool_calls[0].id|length != 9") + (
        "{{ messages[-1].tool_call_id }}"
    )
    text = rendered(source, USER, calls(call("call_" + "x" * 24)), result("R", "call_" + "x" * 24))
    short = text[-9:]
    assert short.isalnum()
    assert text == CALLED.replace("c1", short) + short
    assert rendered(source, USER, calls(call("abcdefghi")), result("R", "abcdefghi")).endswith(
        "abcdefghi"
    )


def test_calls_that_a_template_drops_become_text() -> None:
    source = EVERYTHING.replace("m.tool_calls", "[]")
    assert rendered(source, USER, calls(call(), content="C"), result()) == (
        '[user]U[assistant]C\n<tool_call>\n{"name": "now", "arguments": {"a": 1}}\n</tool_call>'
        "[tool]R"
    )


def test_results_that_a_template_refuses_are_the_user_s() -> None:
    source = raising("m.role == 'tool'")
    assert rendered(source, USER, calls(call()), result()) == (
        '[user]U[assistant]<c1 now {"a": 1}>[user]<tool_response>\nR\n</tool_response>'
    )


def test_a_result_without_a_call_is_the_user_s_where_it_must_be() -> None:
    source = raising("m.role == 'tool' and before.role != 'tool' and not before.tool_calls")
    assert rendered(source, USER, result()) == "[user]U[user]<tool_response>\nR\n</tool_response>"
    assert rendered(source, USER, calls(call()), result()) == CALLED


def test_content_stands_before_calls_that_are_printed_alone() -> None:
    source = raising("m.tool_calls and m.content")
    assert rendered(source, USER, calls(call(), content="C"), result()) == (
        '[user]U[assistant]C[assistant]<c1 now {"a": 1}>[tool]R'
    )


def test_calls_stay_where_a_template_that_prints_them_beside_tools_is_given_none() -> None:
    source = EVERYTHING.replace("in m.tool_calls", "in (m.tool_calls if tools else [])")
    refuses = "{% for t in tools or [] if t.function.odd %}{{ raise_exception('no') }}{% endfor %}"
    odd = {"type": "function", "function": TOOL["function"] | {"odd": 1}}
    for tools in ([], [odd]):  # which is described in words
        prompt = rendered(refuses + source, USER, calls(call()), result(), tools=tools)
        assert '{"name": "now", "arguments": {"a": 1}}' in prompt
        assert ("<tools>" in prompt) is bool(tools)


def test_arguments_are_text_for_a_template_that_prints_them_so() -> None:
    source = EVERYTHING.replace("arguments|tojson", "arguments")
    # As an object they would be printed as Python would.
    assert rendered(source, USER, calls(call(arguments={"a": "b"})), result()) == (
        '[user]U[assistant]<c1 now {"a": "b"}>[tool]R'
    )
    exact = '{"a":"b"}'
    assert exact in rendered(source, USER, calls(call(arguments=exact)), result())


@pytest.mark.parametrize("field", ["reasoning", "thinking"])
def test_thoughts_are_given_under_the_template_s_name(field: str) -> None:
    source = EVERYTHING.replace("reasoning_content", field)
    for given in ("reasoning_content", "reasoning", "thinking"):
        message = ANSWER | {given: "T"}
        assert rendered(source, USER, message) == "[user]U[assistant](T)A"


def test_thoughts_may_be_a_part_of_the_content() -> None:
    source = (
        "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for p in m.content %}{{ '(' ~ p.thinking ~ ')' if p.thinking else p.text }}{% endfor %}"
        "{% endif %}{% endfor %}"
    )
    assert rendered(source, USER, ANSWER | {"reasoning_content": "T"}) == "U(T)A"


def test_thoughts_and_content_beside_a_call_are_one_where_both_are_refused() -> None:
    source = raising("m.tool_calls and m.content and m.reasoning_content")
    message = calls(call(), content="C", reasoning_content="T")
    assert rendered(source, USER, message, result()) == (
        '[user]U[assistant](T\n\nC)<c1 now {"a": 1}>[tool]R'
    )


def test_no_words_beside_a_call_are_null_where_an_empty_text_would_have_a_place() -> None:
    source = EVERYTHING.replace("[{{ m.role }}]", "[{{ m.role }}]{% if m.content is not none %}:")
    source = source.replace("|join('+') }}", "|join('+') }}{% endif %}", 1)
    for content in (None, ""):
        message = calls(call()) | {"content": content}
        assert rendered(source, USER, message, result()) == (
            '[user]:U[assistant]<c1 now {"a": 1}>[tool]:R'
        )
    message = calls(call(), content="C")
    assert ":C<c1" in rendered(source, USER, message, result())


# Puts the instructions beside the user's words if these come last.
BESIDE = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}[{{ m.role }}]"
    "{% if loop.last and m.role == 'user' and system %}{{ system }}{{ '\n\n' }}{% endif %}"
    "{{ m.content }}{% for c in m.tool_calls %}<{{ c.function.name }} "
    "{{ c.function.arguments|tojson }}>{% endfor %}{% endfor %}"
)


def test_instructions_stay_where_they_were_when_others_speak_after_the_user() -> None:
    system = {"role": "system", "content": "S"}
    asked = "[user]U[assistant]A[user]S\n\nV"
    assert rendered(BESIDE, system, USER, ANSWER, MORE) == asked
    assert rendered(BESIDE, system, USER, ANSWER, MORE, calls(call()), result()) == (
        asked + '[assistant]<now {"a": 1}>[tool]R'
    )
    assert rendered(BESIDE, system, USER, ANSWER) == "[user]S\n\nU[assistant]A"
    assert rendered(BESIDE, USER, ANSWER) == "[user]U[assistant]A"
    open_end = rendered(BESIDE, system, USER, ANSWER, continue_final_message=True)
    assert open_end == "[user]S\n\nU[assistant]A"


# ------------------------------------------------------------------------------------- tools


def test_tools_are_a_message_where_a_template_takes_nothing_without_it() -> None:
    source = (
        "{% set at = 1 if messages[0].role == 'system' else 0 %}"
        "{% if messages|length <= at or messages[at].role|upper != 'FUNCTIONS' %}"
        "{{ raise_exception('Tell me of functions.') }}{% endif %}" + EVERYTHING
    ).partition("{% if tools %}")[0]
    system = {"role": "system", "content": "S"}
    assert rendered(source, USER) == "[functions][][user]U"
    assert rendered(source, system, USER, ANSWER, MORE) == (
        "[system]S[functions][][user]U[assistant]A[user]V"
    )
    text = rendered(source, system, USER, tools=[TOOL])
    assert text.startswith("[system]S[functions][\n    {")
    assert '"name": "now"' in text
    assert text.endswith("][user]U")


def test_tools_that_a_template_drops_are_described_with_its_own_calls_as_an_example() -> None:
    source = EVERYTHING.partition("{% if tools %}")[0]
    system = {"role": "system", "content": "S"}
    for messages in ([USER], [system, USER]):
        text = rendered(source, *messages, tools=[TOOL])
        assert text.startswith("[system]")
        assert '{"type": "function", "function": {"name": "now"' in text
        assert '> the_name {"the_key": "the_value"}>' in text.replace("<abcde1230 ", "<> ")
        assert text.endswith("[user]U")
    assert text.startswith("[system]S\n\n")


def test_tools_whose_schemas_a_template_can_t_take_are_described() -> None:
    source = EVERYTHING + (
        "{% for t in tools %}{% for p in t.function.parameters.properties.values() %}"
        "{{ p.type.upper() }}{% endfor %}{% endfor %}"
    )
    odd = {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}}
    tool = {"type": "function", "function": {"name": "now", "parameters": odd}}
    text = rendered(source, USER, tools=[tool])
    assert text.startswith("[system]")
    assert "anyOf" in text


def test_tools_get_the_fields_that_a_template_must_have() -> None:
    source = "{% for t in tools %}{{ t.function.description + t.function.parameters.type }}" + (
        "{{ t.function.parameters.properties.keys()|join }}{% endfor %}" + EVERYTHING
    )
    bare = {"type": "function", "function": {"name": "now"}}
    assert rendered(source, USER, tools=[bare]).startswith("object[user]U")
    assert '"name": "now"}' in rendered(EVERYTHING, USER, tools=[bare])  # not where it need not


def test_a_second_template_is_for_tools() -> None:
    template = ChatTemplate("plain", bos="", eos="", tool_use="with tools")
    assert template.render([USER]) == "plain"
    assert template.render([USER], tools=[TOOL]) == "with tools"


def test_a_template_may_come_in_pieces() -> None:
    assert ChatTemplate(["{{ messages[0]", ".content }}"], bos="", eos="").render([USER]) == "U"


@pytest.mark.parametrize("name", ["functions", "xml_tools"])
def test_tools_have_other_names_too(name: str) -> None:
    source = EVERYTHING.partition("{% if tools %}")[0] + "{{ " + name + " }}"
    assert "now" in rendered(source, USER, tools=[TOOL]).partition("[user]U")[2]


@pytest.mark.parametrize(
    ("id", "wrong"), [("c", "< 9"), ("call_0123456789abcdef", "> 9"), ("c", "!= 9")]
)
def test_ids_get_the_length_that_a_template_insists_on(id: str, wrong: str) -> None:
    source = raising(f"m.tool_calls and m.tool_calls[0].id|length {wrong}")
    made = rendered(source, USER, calls(call(id)), result(id=id)).split("<")[1].split()[0]
    assert len(made) == 9


BY_ID = (
    "{% for m in messages %}[{{ m.role }}{{ ' ' + m.tool_call_id if m.tool_call_id }}]"
    "{{ m.content }}"
    "{% for c in m.tool_calls %}<{{ c.id }} {{ c.function.arguments|tojson }}>{% endfor %}"
    "{% endfor %}{% if tools %}{{ tools|tojson }}{% endif %}"
)


def test_an_id_that_is_all_that_tells_a_call_has_its_name() -> None:
    said = rendered(
        BY_ID,
        USER,
        calls(call("x"), call("functions.now:5")),
        result(id="x"),
        result(id="functions.now:5"),
        calls(call("x")),
        result(id="x"),
    )
    made = [word.split("]")[0] for word in said.split("[tool ")[1:]]
    assert made == ["functions.now:0", "functions.now:5", "functions.now:2"]
    assert all(f"<{id} " in said for id in made)


def test_calls_that_are_printed_beside_tools_only_are_said_in_words_without() -> None:
    source = EVERYTHING.replace("in m.tool_calls", "in (m.tool_calls if tools else [])")
    assert "<c1 now" in rendered(source, USER, calls(call()), result(), tools=[TOOL])
    said = rendered(source, USER, calls(call()), result())
    assert said.count('{"name": "now", "arguments": {"a": 1}}') == 1
