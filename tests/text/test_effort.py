"""The effort that a client asks for, in the words of a template."""

from __future__ import annotations

import pytest

from mullama.errors import InvalidRequest
from mullama.text.channels import Parser, begun
from mullama.text.formats import find_format
from mullama.text.spans import Answer, fold
from mullama.text.template import ChatTemplate

USER = [{"role": "user", "content": "Hi"}]
PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"


def said(source: str, **given: str | bool) -> str:
    template = ChatTemplate(PLAIN + "|" + source, bos="", eos="")
    return template.render(USER, **given).partition("|")[2]


@pytest.mark.parametrize("name", ["reasoning_effort", "thinking_effort", "reasoning_strength"])
def test_a_template_s_own_name_is_given_the_effort(name: str) -> None:
    assert said(f"{{{{ {name} or 'none' }}}}", reasoning_effort="low") == "low"
    assert said(f"{{{{ {name} or 'none' }}}}") == "none"


def test_a_template_s_own_variable_comes_first() -> None:
    assert said("{{ thinking_effort }}", reasoning_effort="low", thinking_effort="huge") == "huge"


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("minimal", "low"), ("low", "low"), ("medium", "high"), ("xhigh", "max"), ("max", "max")],
)
def test_the_nearest_degree_that_a_template_takes_is_meant(asked: str, meant: str) -> None:
    source = (
        "{% if reasoning_effort not in ['low', 'high', 'max'] %}"
        "{{ raise_exception('Not ' ~ reasoning_effort) }}{% endif %}{{ reasoning_effort }}"
    )
    assert said(source, reasoning_effort=asked) == meant


def test_a_template_that_takes_no_degree_says_why() -> None:
    source = "{% if reasoning_effort %}{{ raise_exception('Not ' ~ reasoning_effort) }}{% endif %}"
    with pytest.raises(InvalidRequest, match="Not medium"):
        said(source, reasoning_effort="medium")


# ------------------------------------------------------------------------------ the switch

PRINTS = "{{ reasoning_effort|default('medium') }}"
NAMES_NONE = "{{ 'quiet' if reasoning_effort == 'none' else reasoning_effort|default('high') }}"
ONLY = (
    "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'none' %}{% endif %}"
    "{% if reasoning_effort not in ['none', 'high'] %}{{ raise_exception('No.') }}{% endif %}"
    "{{ reasoning_effort }}"
)
SWITCH = "{{ enable_thinking }}"


@pytest.mark.parametrize(
    ("source", "least"),
    [
        (PRINTS, "low"),
        (PRINTS.replace("reasoning_effort", "thinking_effort"), "low"),
        (PRINTS.replace("medium", "minimal"), "minimal"),
        (NAMES_NONE, "quiet"),
        (ONLY, "none"),
        (ONLY.replace("['none', 'high']", "['medium', 'high']"), "medium"),
    ],
)
def test_a_no_is_the_least_effort_that_a_template_knows(source: str, least: str) -> None:
    assert said(source, enable_thinking=False) == least
    assert said(source, thinking=False) == least


def test_a_no_is_nothing_to_a_template_that_takes_no_effort() -> None:
    source = "{% if reasoning_effort %}{{ raise_exception('No.') }}{% endif %}plain"
    assert said(source, enable_thinking=False) == "plain"


def test_a_yes_is_what_a_template_does_by_itself() -> None:
    for source in (PRINTS, NAMES_NONE):
        assert said(source, enable_thinking=True) == said(source)


def test_a_yes_to_a_template_that_is_silent_by_itself_is_an_effort() -> None:
    assert said(ONLY) == "none"
    assert said(ONLY, enable_thinking=True) == "high"
    assert said(ONLY.replace("'high'", "'low', 'medium', 'high'"), enable_thinking=True) == "medium"


def test_an_effort_that_is_given_comes_before_the_switch() -> None:
    assert said(PRINTS, enable_thinking=False, reasoning_effort="high") == "high"
    assert said("{{ thinking_effort }}", enable_thinking=False, thinking_effort="huge") == "huge"


def test_a_switch_that_a_template_has_is_all_that_is_turned() -> None:
    assert said(f"{SWITCH} {PRINTS}", enable_thinking=False) == "False medium"
    assert said("{{ thinking }} " + PRINTS, enable_thinking=False) == "False medium"
    assert said(f"{SWITCH} {PRINTS}", reasoning_effort="low") == " low"


@pytest.mark.parametrize("switch", [SWITCH, "{{ thinking }}"])
def test_an_effort_turns_the_switch_of_a_template_that_knows_no_other(switch: str) -> None:
    assert said(switch, reasoning_effort="none") == "False"
    for effort in ("minimal", "max"):
        assert said(switch, reasoning_effort=effort) == "True"
    assert said(switch, reasoning_effort="deep") == ""
    assert said(switch, reasoning_effort="none", enable_thinking=True) == "True"


def test_none_is_the_least_where_a_template_refuses_it() -> None:
    assert said(ONLY.replace("['none', 'high']", "['low']"), reasoning_effort="none") == "low"


def test_a_mark_that_asks_for_no_thought_is_no_part_of_an_answer() -> None:
    end = "{% if reasoning_effort == 'none' %}<no_think>{% endif %}"
    source = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>" + end + "{% endif %}"
    )
    template = ChatTemplate(source, bos="", eos="")
    opened = begun(
        template.render(USER, enable_thinking=False),
        template.render(USER, enable_thinking=False, add_generation_prompt=False),
    )
    assert opened == "<|assistant|><no_think>"
    parser = Parser(find_format(template), opened=opened)
    assert not parser.prefilled
    assert fold([*parser.feed("Yes"), *parser.finish()]) == Answer(content="Yes")
