"""How often each family comes, by the length of rows: weights between conversations.

Tools and sums get most, and what is learned by heart needs each fact some dozens of times in every
wording. What fails at this size however often it comes (repeating so many times) gets little: it
takes from the rest.
"""

from __future__ import annotations

PLAIN = 0.35  # of all conversations are worded plainly

SHORT: dict[str, float] = {
    "greet": 2.5, "identity": 2, "hello": 2, "capital": 8, "capital_reverse": 4, "arithmetic": 10, "multiply": 3, "arithmetic_list": 7,
    "compare": 6, "sort": 6, "count": 6, "calendar": 3.5, "alphabet": 3.5, "opposite": 4, "plural": 3, "translate": 3.5, "colour": 2, "sound": 1.2,
    "definition": 3.5, "emoji": 2, "echo": 8, "echo_times": 4, "case": 6, "look_up": 10, "spell": 4, "word_order": 4, "story": 2.5, "title": 2, "sentiment": 1.5, "code": 3,
    "json": 7, "extract": 6, "reading": 4, "decline": 5, "remember": 3, "not_told": 6, "system_fact": 3, "several_topics": 2,
    "two_instructions": 6, "persona_end": 3, "persona_start": 4, "persona_fixed": 2, "persona_upper": 5, "persona_lower": 4, "persona_name": 2, "persona_plain": 1.5,
    "tool_call": 12, "tool_none": 4, "tool_result": 3, "tool_retry": 1, "think_arithmetic": 8, "think_compare": 4, "think_any": 5, "think_two": 1.5, "think_tool": 2,
    "completion": 1.5,
}  # fmt: skip
MIDDLE: dict[str, float] = {
    "tool_session": 24, "tool_call": 6, "tool_choose": 16, "tool_parallel": 20, "tool_none": 8, "tool_result": 5, "tool_retry": 5, "tool_steps": 6, "think_tool": 8,
    "memory_short": 7, "remember": 6, "not_told": 4, "several_topics": 8, "system_fact": 2, "arithmetic_list": 4, "persona_upper": 4, "case": 2, "two_instructions": 4,
    "echo": 2, "look_up_many": 10, "extract": 3, "sort": 4, "arithmetic": 3, "compare": 3,
}  # fmt: skip
LONG: dict[str, float] = {
    "memory_long": 6, "recall_1000": 1, "long_chat": 1, "memory_short": 1.5, "tool_parallel": 1, "several_topics": 1, "arithmetic_list": 1,
}  # fmt: skip
# The first short rows: half of them copy. A model that can't copy yet learns little of all that rests
# on it, and learns to copy from nothing else so soon.
_COPYING = {"echo": 0.4, "look_up": 0.4, "word_order": 0.05, "echo_times": 0.05, "case": 0.05}
FIRST = {name: w + sum(SHORT.values()) * _COPYING.get(name, 0) for name, w in SHORT.items()}
MIXTURE: dict[str, dict[str, float]] = {
    "first": FIRST,
    "short": SHORT,
    "middle": MIDDLE,
    "long": LONG,
}
