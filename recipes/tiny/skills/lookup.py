"""Values looked up in a list by their keys: several at once, keys and values known and unknown.

Finding what follows a name and copying it is what tools, memory and JSON rest on; here an answer is
nothing else, so that a row teaches it many times.
"""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.skills.structured import together
from recipes.tiny.source import Source

_ASK = (
    "{l}\n(what is|give me|tell me|find) {k}", "{l}\n{k}", "(look up|find|give me|look for) {k}(:|)\n{l}",
    "(here is a list|a list|the list|this is my list):\n{l}\n(what is|give me|tell me|look up|find|show me) {k}",
    "(what does this say about|what is written here about) {k}?\n{l}", "(from|in) this list, (get|find|take) {k}:\n{l}",
    "{l}\n(which|what) (values|entries) (are there|do you see) for {k}", "(read|use) this(:| and find {k}:)\n{l}\n{k}",
)  # fmt: skip
_FORMS = ("{k}: {v}", "{k}: {v}", "{k} = {v}", "{k} - {v}", "{k} is {v}", "{k} -> {v}")


def _value(source: Source) -> str:
    kind = source.random.random()
    if kind < 0.3:
        return str(source.number(0, 10 ** source.number(1, 5)))
    if kind < 0.7:
        return source.any_word()
    return source.words(2, 3) if kind < 0.9 else source.code()


def look_up(source: Source, most: int = 8) -> Exchange:
    """Answers `key: value`, a line each, in the order of the question."""
    size = source.number(2, most)
    entries = {source.any_word(): _value(source) for _ in range(size)}
    form = source.pick(_FORMS)
    lines = [form.replace("{k}", key).replace("{v}", value) for key, value in entries.items()]
    between = source.pick(("\n", "\n", ", ", "; "))
    wanted = source.sample(list(entries), source.number(1, min(len(entries), 2 + most // 4)))
    grammar = source.wording(_ASK)
    ask = source.say(grammar, l=between.join(lines), k=together(wanted))
    if not grammar.startswith("{l}"):
        ask = source.around(ask, fragile=True)
    answer = "\n".join(f"{key}: {entries[key]}" for key in wanted)
    return Exchange(ask, answer, (answer,), "I look for it in the list.")
