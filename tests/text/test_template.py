"""A conversation becomes the prompt that the model's template writes, or an error in its words."""

from __future__ import annotations

import enum
import threading
from datetime import datetime
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.template import ChatTemplate

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
USER = {"role": "user", "content": "Hi"}


def template(source: str, **options: Any) -> ChatTemplate:
    return ChatTemplate(source, **{"bos": "<s>", "eos": "</s>"} | options)


def refusal(source: str, *messages: Any, **options: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        template(source).render(list(messages or [USER]), **options)
    return caught.value


def test_messages_become_a_prompt() -> None:
    messages = [{"role": "system", "content": "Be brief."}, USER]
    assert template(CHATML).render(messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_without_a_generation_prompt_no_answer_is_begun() -> None:
    assert template(CHATML).render([USER], add_generation_prompt=False) == (
        "<|im_start|>user\nHi<|im_end|>\n"
    )


def test_the_model_s_tokens_are_variables() -> None:
    assert template("{{ bos_token }}{{ eos_token }}").render([USER]) == "<s></s>"


def test_a_variable_of_the_template_s_own_reaches_it() -> None:
    source = "{{ enable_thinking|default(true) }}"
    assert template(source).render([USER]) == "True"
    assert template(source).render([USER], enable_thinking=False) == "False"


def test_the_switch_for_thinking_has_two_names() -> None:
    source = "{{ enable_thinking }} {{ thinking }}"
    assert template(source).render([USER], enable_thinking=False) == "False False"
    assert template(source).render([USER], enable_thinking=False, thinking=True) == "False True"
    assert template(source).render([USER], thinking=True) == " True"


@pytest.mark.parametrize("name", ["messages", "bos_token", "eos_token"])
def test_what_the_renderer_sets_can_t_be_set_by_a_variable(name: str) -> None:
    with pytest.raises((InvalidRequest, TypeError)):
        template(CHATML).render([USER], **{name: "x"})


def test_the_date_is_the_clock_s() -> None:
    rendered = template(
        "{{ strftime_now('%Y-%m-%d') }}|{{ date_string }}|{{ datetime }}",
        now=lambda: datetime(2026, 11, 20),
    ).render([USER])
    assert rendered == "2026-11-20|20 Nov 2026|Nov 20 2026"


def test_tools_reach_the_template_and_none_stay_out() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    source = "{% if tools %}{{ tools[0].function.name }}{% else %}{{ tools }}{% endif %}"
    source += "{{ messages[0].content }}"
    assert template(source).render([USER], tools=tools) == "fHi"
    assert template(source).render([USER]) == "NoneHi"


def test_a_template_that_can_t_take_no_tools_finds_them_undefined() -> None:
    source = "{% for t in tools %}{% endfor %}{{ messages[0].content }}"
    assert template(source).render([USER]) == "Hi"


def test_the_caller_s_messages_are_not_changed() -> None:
    messages = [{"role": "user", "content": "Hi", "more": [1]}]
    source = (
        "{% set _ = messages.append(1) %}{% set _ = messages[0].more.append(2) %}"
        "{% set _ = messages[0].update({'content': 'x'}) %}"
    )
    template(source).render(messages)
    assert messages == [{"role": "user", "content": "Hi", "more": [1]}]


# ------------------------------------------------------------------- what a template takes


def test_a_missing_content_is_an_empty_text() -> None:
    for content in ({}, {"content": None}):
        message = {"role": "assistant", **content}
        assert template("[{{ messages[1].content }}]").render([USER, message]) == "[]"


PARTS = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]


def test_parts_become_one_text_for_a_template_that_prints_content() -> None:
    for source in (
        CHATML,  # would print them as Python does
        CHATML.replace("m.content", "'' + m.content"),  # would refuse them
        CHATML.replace("m.content", "m.content if m.content is string"),  # would drop them
        CHATML.replace("m.content", "m.content|tojson|trim('\"')"),  # would print JSON
    ):
        assert "user\none" in template(source).render([{"role": "user", "content": PARTS}])


def test_parts_reach_a_template_that_knows_them() -> None:
    source = (
        "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for p in m.content %}({{ p.text }}){% endfor %}{% endif %}{% endfor %}"
    )
    assert template(source).render([{"role": "user", "content": PARTS}]) == "(one)(two)"
    assert template(source).render([USER]) == "Hi"


def test_a_text_becomes_a_part_for_a_template_that_knows_only_parts() -> None:
    source = "{% for m in messages %}{% for p in m.content %}({{ p.text }}){% endfor %}{% endfor %}"
    assert template(source).render([USER]) == "(Hi)"


def test_a_part_that_is_no_text_is_refused_by_name() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:"}}
    error = refusal(CHATML, {"role": "user", "content": [*PARTS, part]})
    assert "'image_url'" in error.message
    assert error.param == "messages"


def test_a_developer_speaks_as_system_where_the_role_is_unknown() -> None:
    message = {"role": "developer", "content": "Be brief."}
    assert "<|im_start|>system\nBe brief." in template(CHATML).render([message, USER])
    knows = CHATML.replace("{{ m.role }}", "{{ 'dev' if m.role == 'developer' else m.role }}")
    assert "<|im_start|>dev\nBe brief." in template(knows).render([message, USER])


ALTERNATING = (
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "[{{ m.role }}] {{ m.content }} "
    "{% endfor %}"
)
SILENT = "{% for m in messages if m.role != 'system' %}[{{ m.role }}] {{ m.content }} {% endfor %}"


@pytest.mark.parametrize("source", [ALTERNATING, SILENT])
def test_a_system_message_is_put_before_the_user_s_where_there_is_no_such_role(source: str) -> None:
    def said(*messages: tuple[str, Any]) -> str:
        return template(source).render([{"role": r, "content": c} for r, c in messages])

    assert said(("system", "S"), ("user", "U")) == "[user] S\nU "
    assert said(("system", PARTS), ("user", PARTS)) == "[user] one\ntwo\none\ntwo "
    assert said(("system", "S"), ("developer", "D"), ("user", "U")) == "[user] S\nD\nU "
    assert said(("system", "S")) == "[user] S "
    assert said(("system", "S"), ("assistant", "A")) == "[user] S [assistant] A "
    assert said(("user", "U"), ("assistant", "A"), ("system", "S"), ("user", "V")) == (
        "[user] U [assistant] A [user] S\nV "
    )


# --------------------------------------------------------------------- an answer continued


def continued(source: str, **answer: Any) -> str:
    messages = [USER, {"role": "assistant", **answer}]
    return template(source).render(messages, continue_final_message=True)


def test_a_final_message_is_left_open() -> None:
    assert continued(CHATML, content="Once upon ").endswith("<|im_start|>assistant\nOnce upon ")


def test_a_final_message_in_parts_is_left_open() -> None:
    assert continued(CHATML, content=PARTS).endswith("<|im_start|>assistant\none\ntwo")


def test_an_empty_final_message_is_an_answer_to_be_begun() -> None:
    assert continued(CHATML, content="").endswith("<|im_start|>assistant\n")


def test_space_at_the_end_stays_even_where_the_template_trims() -> None:
    trims = CHATML.replace("m.content", "m.content|trim")
    assert continued(trims, content="Once  ").endswith("assistant\nOnce  ")


def test_an_answer_that_repeats_itself_is_cut_at_its_end() -> None:
    echoes = CHATML + "{{ messages[0].content }}"
    assert continued(echoes, content="Hi Hi").endswith("assistant\nHi Hi")


def test_a_final_message_that_only_thought_is_left_open_there() -> None:
    thinks = CHATML.replace(
        "{{ m.content }}", "<think>{{ m.reasoning_content }}</think>{{ m.content }}"
    )
    assert continued(thinks, reasoning_content="Well").endswith("<think>Well")
    assert continued(thinks, reasoning_content="Well", content="A").endswith("Well</think>A")


def test_only_an_assistant_s_message_can_be_continued() -> None:
    error = refusal(CHATML, USER, continue_final_message=True)
    assert error.param == "continue_final_message"


def test_a_thought_that_the_template_leaves_out_is_begun_as_the_prompt_begins_it() -> None:
    begins = CHATML.replace("assistant\n{% endif %}", "assistant\n<my_think>\n{% endif %}")
    assert continued(begins, reasoning_content="Well").endswith("assistant\n<my_think>\nWell")
    assert continued(begins, reasoning_content="Well", content="A").endswith(
        "assistant\n<my_think>\nWell</my_think>A"
    )


def test_a_thought_is_begun_as_beside_a_call_where_only_those_are_printed() -> None:
    beside = CHATML.replace(
        "{{ m.content }}",
        "{% if m.tool_calls %}{{ '[T]' ~ m.reasoning_content ~ '[/T]' if m.reasoning_content }}"
        "{{ m.tool_calls|tojson }}{% endif %}{{ m.content }}",
    )
    assert continued(beside, reasoning_content="Well").endswith("assistant\n[T]Well")
    assert continued(beside, reasoning_content="Well", content="A").endswith("[T]Well[/T]A")


def test_a_thought_of_a_model_that_shows_none_is_begun_as_most_are() -> None:
    assert continued(CHATML, reasoning_content="Well").endswith("assistant\n<think>Well")
    assert continued(CHATML, reasoning_content="Well", content="A").endswith("assistant\nA")


def test_a_message_with_calls_can_t_be_continued() -> None:
    call = {"type": "function", "function": {"name": "now", "arguments": "{}"}}
    message = {"role": "assistant", "content": "A", "tool_calls": [call]}
    error = refusal(CHATML, USER, message, continue_final_message=True)
    assert error.param == "continue_final_message"


def test_a_template_that_drops_the_answer_can_t_continue_it() -> None:
    source = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    error = refusal(
        source, USER, {"role": "assistant", "content": "A"}, continue_final_message=True
    )
    assert error.param == "continue_final_message"


# ------------------------------------------------------------------------------- refusals


def test_the_template_s_own_words_are_the_error() -> None:
    only_users = "{% if messages[-1].role != 'user' %}{{ raise_exception('Ask!') }}{% endif %}"
    error = refusal(only_users, USER, {"role": "assistant", "content": "A"})
    assert error.message.endswith(": Ask!")
    assert error.status == 400


def test_a_template_s_long_words_are_cut_and_it_shows() -> None:
    message = refusal("{{ raise_exception('no ' * 5000) }}").message
    assert len(message) < 3000
    assert message.endswith("…")


@pytest.mark.parametrize(
    "expression",
    ["1 // 0", "nothing.at.all", "[].pop()", "1 + 'a'", "{}['a']['b']", "'a'.join(1)"],
)
def test_any_failure_of_a_template_is_the_request_s(expression: str) -> None:
    assert refusal("{{ " + expression + " }}").param == "messages"


@pytest.mark.parametrize(
    "source", ["{{", "{% for %}", "{% if a %}", "{{ x|nofilter }}", "(" * 9 + "{{" * 999]
)
def test_a_broken_template_harms_only_who_uses_it(source: str) -> None:
    broken = template(source)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="broken"):
            broken.render([USER])


def test_a_hostile_template_is_refused() -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    assert "far more work" in refusal(endless).message


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(20) %}{% for j in range(9000) %}{% set x = i %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x=[]) %}{% for i in range(50000) %}{% set n.x = [n.x] %}{% endfor %}"
        "{{ n.x|tojson }}",
        "{{ ('a ' * 50000)|title }}",
    ],
)
def test_work_that_is_fine_once_is_refused_where_all_questions_would_do_it(source: str) -> None:
    slow = template(source + "{{ messages[0].content }}")
    with pytest.raises(InvalidRequest, match="far more work"):
        slow.render([USER])
    with pytest.raises(InvalidRequest, match="broken"):  # and it is not asked again
        slow.render([USER])


@pytest.mark.parametrize("text", ["\\\\", " ", "<", "<think", "<a>", "@user@", "text'", "['"])
def test_long_texts_are_looked_at_in_time_that_grows_with_them(text: str) -> None:
    """Looking for marks took minutes where 60,000 backslashes were printed."""
    long = text * (60_000 // len(text))
    source = f'{{{{ "{long}" }}}}{{{{ messages[0].content }}}}'
    assert template(source).render([USER]).endswith("Hi")


def test_a_date_format_has_a_sensible_length() -> None:
    assert "date format" in refusal("{{ strftime_now('%d' * 200) }}").message


@pytest.mark.parametrize(
    "messages",
    [
        [],
        ["hello"],
        [{"content": "no role"}],
        [{"role": 7, "content": "x"}],
        [{"role": "user", "content": 7}],
        [{"role": "user", "content": {"text": "x"}}],
        [{"role": "user", "content": "x", "more": object()}],
        [{"role": "user", "content": "x", 5: "y"}],
        [{"role": "user", "content": "x", "call": print}],
    ],
)
def test_messages_of_the_wrong_shape_are_refused(messages: list[Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        template(CHATML).render(messages)
    assert caught.value.param == "messages"


def test_a_message_nested_too_deeply_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    assert "nested" in refusal(CHATML, {**USER, "more": nested}).message


def test_values_that_only_look_like_json_become_json() -> None:
    class Role(enum.StrEnum):
        USER = "user"

    class Sly(str):
        def __str__(self) -> str:
            return "sly"

        def upper(self) -> str:
            return "sly"

    messages = [{"role": Role.USER, "content": Sly("Hi"), "n": (True, 1, 1.5)}]
    source = "{{ messages[0].role }} {{ messages[0].content|upper }} {{ messages[0].n|tojson }}"
    assert template(source).render(messages) == "user HI [true, 1, 1.5]"


def test_threads_render_at_the_same_time() -> None:
    shared = template(CHATML)
    expected = shared.render([USER])
    found: list[str] = []

    def work() -> None:
        found.extend(shared.render([USER]) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 80
