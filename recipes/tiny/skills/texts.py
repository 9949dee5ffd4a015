"""Tiny stories, titles, the mood of a sentence, a few lines of code."""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.source import Source
from recipes.tiny.words import NAMES, NOUNS

_STORY = (
    "(tell|write|make up|invent|create|give|read|show) (me |)(a|one) (|short |tiny |little |bedtime |nice |small )(story|tale) about {x}",
    "a (|short |tiny |little |bedtime )(story|tale) about {x}", "(a |)story about {x}( please|)",
    "(I want|I would like|I'd like) (to hear |to read |)a (|short |bedtime )story about {x}",
    "(can|could|would|will) you (please |)(tell|write) (me |us |)a (|short |tiny |bedtime )(story|tale) about {x}",
    "do you know a story about {x}", "once upon a time there was {x}. Go on", "my (son|daughter) wants a story about {x}",
    "let's hear a story about {x}", "write something short about {x}",
)  # fmt: skip
_PLOTS = (
    "Once upon a time, {a} {x} lived near the sea. One day, a big wave came and carried it away. A kind "
    "bird showed it the way back. From then on, they were friends.",
    "Once upon a time, there was {a} {x} that nobody noticed. One evening, {name} found it and took it "
    "home. There it was warm and bright. The {x} was happy at last.",
    "Once upon a time, {name} had {a} {x}. One morning, it was gone! {name} looked under the bed and "
    "behind the door. It was in the garden all the time, and {name} laughed.",
    "Once upon a time, {name} dreamed of {a} {x}. In the dream, it could sing. The next day, {name} "
    "wrote a song about it. Everyone in the village sang along.",
    "Once upon a time, {a} {x} and a mouse had a race. The mouse was fast, but it fell asleep. The {x} "
    "came first. They shared the cake and went home as friends.",
    "Once upon a time, a king wanted {a} {x}. He looked in every town. At last, a girl called {name} "
    "gave him hers. He thanked her and gave her a golden key.",
)  # fmt: skip
_TITLE = (
    "(write|create|generate|give|find|suggest|make) (me |)a (short |concise |)title for( this chat| this conversation| this question| this|)(: |:\n)",
    "title for(: | this: )", "(what is|what would be) a good title for(: | this: )", "(summarise|summarize) in (two|three|a few) words(: |:\n)",
    "(name|title) this (chat|conversation)(: |:\n)", "in a few words, what is this about(: |? )",
)  # fmt: skip
_GOOD = (
    "great good wonderful lovely perfect beautiful excellent amazing fantastic nice brilliant "
    "superb"
).split()
_BAD = (
    "bad terrible horrible awful poor ugly boring dreadful disappointing useless nasty broken"
).split()
_MOOD = (
    "(is this|is that|is the following|is this sentence) positive or negative(: |? )", "positive or negative(: |? )",
    "(classify|what is|tell me|find|judge) the (sentiment|mood|tone)( of this|)(: |:\n)", "(sentiment|mood)(: | of: )",
    "does this sound (positive or negative|good or bad)(: |? )", "(good or bad|happy or unhappy)(: |? )",
    "is the (writer|customer|user) (happy or unhappy|pleased or not)(: |? )",
    "rate this review as positive or negative(: |:\n)", "label this as positive or negative(: |:\n)",
)  # fmt: skip
_OPINION = (
    "this {x} is {m}.", "this {x} is {m}, I {v} it.", "what (a|an) {m} {x}!", "I {v} this {x}.", "the {x} was (really |very |so |){m}.",
    "I (bought|got|tried) (a|the) {x} and it was {m}.", "{m} {x}!", "I {v} the {x}, it is {m}.", "the {x} is (so |really |){m} and I {v} it.",
    "I think the {x} is {m}.", "my {x} is {m}. I {v} it.", "{name} says that the {x} is {m}.",
)  # fmt: skip
_LANGUAGES = {
    "Python": ('```python\nprint("{x}")\n```'),
    "JavaScript": ('```javascript\nconsole.log("{x}");\n```'),
    "Bash": ('```bash\necho "{x}"\n```'),
    "Go": ('```go\nfmt.Println("{x}")\n```'),
    "Rust": ('```rust\nprintln!("{x}");\n```'),
    "C": ('```c\nprintf("{x}\\n");\n```'),
    "Java": ('```java\nSystem.out.println("{x}");\n```'),
    "Ruby": ('```ruby\nputs "{x}"\n```'),
}
_PRINT = (
    "(print|show|output) {q}{x}{q} in {l}", "(write|give me|show me) {l} code (to print|that prints|for printing) {q}{x}{q}",
    "how do I print {q}{x}{q} in {l}", "{l} code (to print|that prints) {q}{x}{q}", "(write|show me) how to print {q}{x}{q} (in|with|using) {l}",
    "(write|make|create) a {l} program that prints {q}{x}{q}", "how (do you|can I) (output|print|show) {q}{x}{q} (in|with) {l}",
    "a {l} (program|script|line) that (says|prints) {q}{x}{q}", "{l}: print {q}{x}{q}", "I need {l} code that prints {q}{x}{q}",
    "use {l} to print {q}{x}{q}", "in {l}, (print|how do I print) {q}{x}{q}",
)  # fmt: skip
_PYTHON: tuple[tuple[str, str], ...] = (
    ("(counts|that counts|to count) (from 1 |)(to|up to) {n}", "```python\nfor i in range(1, {m}):\n    print(i)\n```"),
    ("(that |to |which )(adds|add) two numbers", "```python\ndef add(a, b):\n    return a + b\n```"),
    ("(that |to |which )(multiplies|multiply) two numbers", "```python\ndef multiply(a, b):\n    return a * b\n```"),
    ("(that |to |which )(subtracts|subtract) two numbers", "```python\ndef subtract(a, b):\n    return a - b\n```"),
    ("(that |to |which )(doubles|double) a number", "```python\ndef double(n):\n    return 2 * n\n```"),
    ("(that |to |which )(reverses|reverse) a (string|text)", "```python\ndef reverse(text):\n    return text[::-1]\n```"),
    ("(that |to |which )(returns|return|gives) {n}", "```python\ndef answer():\n    return {n}\n```"),
    ("(that |to |which )(says|say) hello to {x}", '```python\ndef greet():\n    print("Hello, {x}!")\n```'),
    ("(that |to |which )(squares|square) a number", "```python\ndef square(n):\n    return n * n\n```"),
    ("(that |to |which )(checks|check) if a number is even", "```python\ndef is_even(n):\n    return n % 2 == 0\n```"),
)  # fmt: skip


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def story(source: Source) -> Exchange:
    """The topic decides the plot, so that an answer is certain; which is which is learned."""
    x = source.pick(NOUNS) if source.chance(0.8) else source.word()
    ask = source.around(
        source.say(source.wording(_STORY), x=f"{article(x)} {x}"), fragile=source.chance(0.6)
    )
    if source.chance(0.5) and ask[-1] not in "?.!":
        ask += "."
    n = len(x) + ord(x[0]) + ord(x[-1])
    plot = _PLOTS[n % len(_PLOTS)]
    answer = plot.format(a=article(x), x=x, name=NAMES[n % 12 * 5])
    return Exchange(ask, answer, (ask,), f"The user wants a story about {article(x)} {x}.")


def title(source: Source) -> Exchange:
    """A title is the kind of question; the asks come from the other skills."""
    from recipes.tiny.skills import EXCHANGES, TITLES

    family = source.pick(tuple(TITLES))
    asked = EXCHANGES[family](source).ask
    ask = source.around(source.say(source.wording(_TITLE)), fragile=True) + asked
    return Exchange(ask, TITLES[family], (ask,), "The user wants a short title.")


def sentiment(source: Source) -> Exchange:
    good = source.chance(0.5)
    words = {
        "m": source.pick(_GOOD if good else _BAD),
        "x": source.pick(NOUNS),
        "name": source.name(),
    }
    words["v"] = source.pick(
        ("love", "like", "enjoy", "adore") if good else ("hate", "dislike", "despise", "regret")
    )
    opinion = source.say(source.wording(_OPINION), **words)
    for vowel in "aeiou":
        opinion = opinion.replace(f" a {vowel}", f" an {vowel}")
    if " an " in opinion and words["m"][0] not in "aeiou":
        opinion = opinion.replace(f"an {words['m']}", f"a {words['m']}")
    ask = (
        source.around(source.say(source.wording(_MOOD)), fragile=True)
        + opinion[0].upper()
        + opinion[1:]
    )
    answer = "Positive." if good else "Negative."
    return Exchange(ask, answer, (ask,), f"The words are {'kind' if good else 'unkind'}.")


def code(source: Source) -> Exchange:
    if source.chance(0.7):
        language = source.pick(tuple(_LANGUAGES))
        name = language.lower() if source.chance(0.3) else language
        x = source.any_word() if source.chance(0.7) else source.words(2, 3)
        if source.chance(0.15):
            x = source.pick(("hello", "Hello, world!", "hello world", "Hello"))
        mark = source.pick(("", "", "'", '"'))
        ask = source.say(source.wording(_PRINT), x=x, l=name, q=mark)
        answer = _LANGUAGES[language].replace("{x}", x)
    else:
        task, answer = source.pick(_PYTHON)
        n, x = source.number(2, 50), source.name()
        what = source.say(task, n=n, x=x)
        kind = "code" if "count" in what else "function"
        ask = source.say(
            "(write|give me|show me|create|I need|make) (a |some |)(Python|python) {k} {w}",
            k=kind,
            w=what,
        )
        ask = (
            ask.replace("a Python code", "Python code")
            .replace("some Python function", "a Python function")
            .replace("code counts", "code that counts")
        )
        answer = answer.replace("{n}", str(n)).replace("{m}", str(n + 1)).replace("{x}", x)
    ask = source.around(ask, fragile=True)
    if source.chance(0.5) and ask[-1] not in "?.\"'":
        ask += "."
    return Exchange(ask, answer, (ask,), "The user wants code.")
