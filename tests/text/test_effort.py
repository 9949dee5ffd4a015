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


OWN = {
    "words": "{% if thinking_mode == 'disabled' %}quiet{% elif thinking_mode == 'enabled' %}loud"
    "{% else %}free{% endif %}",
    "one word": "{% if think_mode|default('') == 'off' %}quiet{% else %}free{% endif %}",
    "budget": "{% if thinking_budget == 0 %}quiet{% else %}free{% endif %}",
    "flag": "{% if use_reasoning is defined and not use_reasoning %}quiet{% else %}free{% endif %}",
    "negated": "{% if skip_thinking %}quiet{% else %}free{% endif %}",
}


@pytest.mark.parametrize("name", OWN)
def test_a_switch_of_a_template_s_own_is_turned(name: str) -> None:
    assert said(OWN[name]) == "free"
    for no in ({"enable_thinking": False}, {"thinking": False}, {"reasoning_effort": "none"}):
        assert said(OWN[name], **no) == "quiet"
    assert said(OWN[name], enable_thinking=True) == "free"
    assert said(OWN[name], reasoning_effort="low") == "free"


def test_of_two_flags_that_one_is_turned_whose_no_is_one() -> None:
    flags = "{% if force_reasoning %}loud{% elif skip_reasoning %}quiet{% else %}free{% endif %}"
    assert said(flags, enable_thinking=False) == "quiet"
    assert said(flags) == said(flags, enable_thinking=True) == "free"


def test_a_yes_turns_it_where_a_template_is_silent_by_itself() -> None:
    silent = "{% set thinking_mode = thinking_mode|default('disabled') %}" + OWN["words"]
    assert said(silent) == said(silent, enable_thinking=False) == "quiet"
    assert said(silent, enable_thinking=True) == "loud"


def test_what_is_given_by_its_own_name_comes_first() -> None:
    given = {"enable_thinking": False, "thinking_mode": "enabled"}
    assert said(OWN["words"], **given) == "loud"


def test_a_variable_that_is_only_printed_is_no_switch() -> None:
    assert said("{{ reasoning_content }}", enable_thinking=True) == ""
    assert said("{{ keep_thinking }}", enable_thinking=False) == ""


def test_another_word_for_no_effort_is_known() -> None:
    source = (
        "{% set reasoning_effort = reasoning_effort|default('no_think') %}"
        "{% if reasoning_effort not in ['no_think', 'low', 'high'] %}{{ raise_exception('No.') }}"
        "{% endif %}{{ reasoning_effort }}"
    )
    assert said(source, reasoning_effort="none") == "no_think"
    assert said(source, enable_thinking=False) == "no_think"
    assert said(source, enable_thinking=True) == "high"


def test_a_no_that_is_refused_is_the_least() -> None:
    refuses = "{% if enable_thinking is false %}{{ raise_exception('Always.') }}{% endif %}"
    assert said(refuses + "{{ enable_thinking }}", enable_thinking=False) == ""
    efforts = "{% if reasoning_effort == 'minimal' %}x{% endif %}{{ reasoning_effort }}"
    assert said(refuses + efforts, enable_thinking=False) == "xminimal"
    assert said(refuses + PRINTS, reasoning_effort="low", enable_thinking=False) == "low"


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
