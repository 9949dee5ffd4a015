"""The effort that a client asks for, in the words of a template."""

from __future__ import annotations

import pytest

from mullama.errors import InvalidRequest
from mullama.text.template import ChatTemplate

USER = [{"role": "user", "content": "Hi"}]
PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"


def said(source: str, **given: str) -> str:
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
