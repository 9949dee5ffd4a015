"""Questions about a given text: one of several similar sentences has the answer."""

from __future__ import annotations

from collections.abc import Callable

from recipes.tiny.chats import Exchange
from recipes.tiny.facts.countries import CITIES
from recipes.tiny.source import Source
from recipes.tiny.words import ADJECTIVES, NOUNS

_JOBS = ("teacher doctor baker farmer pilot singer nurse chef painter driver judge writer").split()
_PLACES = ("kitchen garden house school shop park car library forest box bag museum office").split()
_FORMS = (
    "{t}\n\n{q}", "{t} {q}", "{t}\n{q}", "(Read this|Text|Context|Here is a text|Given this|Information)(: |:\n){t}\n(|\n|Question: ){q}",
    "(Answer from this text|Use this text|Use the context)(: |:\n){t}\n(|\n|Question: ){q}", "{q}\n(|\n|Text: |Context: ){t}",
    "{q} (Use|Read|Here is) the text: {t}", "Context: {t} Question: {q}",
)  # fmt: skip

Statement = tuple[str, str, str]


def _lives(s: Source) -> Statement:
    name = s.name()
    city = s.pick(CITIES) if s.chance(0.5) else s.word().capitalize()
    return (
        f"{name} lives in {city}.",
        s.say(
            "(where does {n} live|in which (city|town|place) does {n} live|where is {n}'s home)",
            n=name,
        ),
        f"{name} lives in {city}.",
    )


def _works(s: Source) -> Statement:
    name, job = s.name(), s.pick(_JOBS)
    answer = f"{name} works as a {job}."
    return (
        s.pick((answer, f"{name} is a {job}.")),
        s.say(
            "(what does {n} do|what is {n}'s job|what does {n} work as|what is the job of {n}|how does {n} make a living)",
            n=name,
        ),
        answer,
    )


def _thing(s: Source) -> str:
    return f"{s.pick(ADJECTIVES)} {s.pick(NOUNS) if s.chance(0.75) else s.word()}"


def _is_in(s: Source) -> Statement:
    thing, place = _thing(s), s.pick(_PLACES)
    return (
        f"The {thing} is in the {place}.",
        s.say("(where is the {t}|where can I find the {t}|in which place is the {t})", t=thing),
        f"The {thing} is in the {place}.",
    )


def _number(s: Source) -> Statement:
    thing, kind, value = (
        _thing(s),
        s.pick(("price", "number", "code", "password", "size", "age", "weight")),
        s.number(1, 9999),
    )
    answer = f"The {kind} of the {thing} is {value}."
    return (
        answer,
        s.say(
            "(what is the {k} of the {t}|tell me the {k} of the {t}|what {k} does the {t} have)",
            k=kind,
            t=thing,
        ),
        answer,
    )


def _likes(s: Source) -> Statement:
    name, thing = s.name(), s.pick(NOUNS) if s.chance(0.5) else s.word()
    answer = f"{name} likes the {thing}."
    return answer, s.say("(what does {n} like|which thing does {n} like)", n=name), answer


def _owns(s: Source) -> Statement:
    name, thing = s.name(), _thing(s)
    return (
        f"The {thing} belongs to {name}.",
        s.say(
            "(who owns the {t}|whose is the {t}|to whom does the {t} belong|who has the {t}|who does the {t} belong to)",
            t=thing,
        ),
        f"The {thing} belongs to {name}.",
    )


_KINDS: tuple[Callable[[Source], Statement], ...] = (_lives, _works, _is_in, _number, _likes, _owns)


def reading(source: Source) -> Exchange:
    kinds = [source.pick(_KINDS) for _ in range(source.number(1, 5))]
    if source.chance(0.5):
        kinds = [kinds[0]] * len(kinds)
    statements = [kind(source) for kind in kinds]
    wanted = source.number(0, len(statements) - 1)
    _, question, answer = statements[wanted]
    text = source.pick((" ", " ", "\n")).join(said for said, _, _ in statements)
    question = question[0].upper() + question[1:] + source.pick(("?", "?", "?", ""))
    if question.startswith("Tell"):
        question = question.rstrip("?") + "."
    ask = source.say(source.wording(_FORMS), t=text, q=question)
    return Exchange(ask, answer, (answer,), "The text says it.")
