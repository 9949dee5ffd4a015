"""Real outputs of 40 models' formats are read as they should be, however they are cut."""

from __future__ import annotations

import pytest

from mullama.errors import InvalidRequest
from mullama.text.channels import begun
from tests.text.chat_cases import CASES, Case, chat_template, expected, format_of, read

# What is expected otherwise, and why.
MISSES = {
    "openai-gpt-oss-120b/14": "a message to a tool that nobody offered is content, not dropped",
}
# Prefilled thoughts that these templates leave out of the prompt.
NOT_IN_PROMPT = {"ibm-granite-granite-3.3-2B-Instruct/03", "moonshotai-Kimi-K2/03"}

pytestmark = pytest.mark.skipif(not CASES, reason="shared test data 'chat_cases.json' is missing")
each_case = pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])


@each_case
def test_a_recorded_output_is_read(case: Case) -> None:
    format, opened = format_of(case["template"]), case["engine"]["generation_prompt"]
    whole = read(case, format, [case["raw"]], opened)
    assert read(case, format, list(case["raw"]), opened) == whole
    for place in range(1, len(case["raw"])):
        pieces = [case["raw"][:place], case["raw"][place:]]
        assert read(case, format, pieces, opened) == whole
    assert (whole == expected(case)) == (case["id"] not in MISSES)


def test_at_most_three_in_a_hundred_are_missed() -> None:
    assert len(MISSES) <= 0.03 * len(CASES)


@each_case
def test_it_is_read_after_our_own_prompt(case: Case) -> None:
    """What the prompt has of the answer comes from two renderings, as it does when serving."""
    template, continued = chat_template(case["template"]), bool(case["continue_final_message"])
    given = {"tools": case["tools"] or (), "enable_thinking": case["enable_thinking"]}
    given["thinking"] = case["enable_thinking"]
    history = case["messages"][:-1] if continued else case["messages"]
    try:
        before = template.render(history, add_generation_prompt=False, **given)
        prompt = template.render(case["messages"], continue_final_message=continued, **given)
    except InvalidRequest as error:
        pytest.fail(f"the template refuses the case: {error}")
    result = read(case, format_of(case["template"]), [case["raw"]], begun(prompt, before))
    assert (result == expected(case)) == (case["id"] not in MISSES.keys() | NOT_IN_PROMPT)
