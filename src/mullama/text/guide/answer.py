"""A whole answer: a thought, if there is to be one, then calls or words.

    thought   free text up to the mark that closes it, within its budget
    calls     where they must come: one grammar from the first character on
    words     held to a constraint, or free, and then watched for the beginnings of calls

An answer is *held* if it must have a call or satisfy a constraint: then it can't end before that,
nor within a thought. A held answer may begin with a thought if the model is one that thinks. With
tools that may be called and a constraint it is either calls or words that satisfy it.

A budget is one for all thoughts of an answer. Once one was closed for it, no other has any room: it
is closed as it begins, and where a token opens thoughts that one does not come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from mullama.errors import InvalidRequest
from mullama.text.channels import Parser
from mullama.text.constraint.combine import Chain, Either, End, Free, Opening
from mullama.text.constraint.compiler import Compiler, as_part
from mullama.text.constraint.grammar import Lark, Markup, Part, Regex, Seq
from mullama.text.constraint.lazy import Budget, Lazy, Template
from mullama.text.guide.calls import Calls, Tool
from mullama.text.syntax import Format, Protocol, Reasoning
from mullama.types import Constraint, Token

_LONGEST_MARK = 40  # characters of what stands before an answer, to know its beginning by
_SPACE = Regex(r"[ \t\r\n]{0,8}")  # behind the marks around a thought


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer may be. `opened` is what the prompt has of it; `thinks` is whether the model
    is known to think; `budget` is in tokens of its thoughts; `last_words` are written where it
    closes one."""

    format: Format
    opened: str = ""
    thinks: bool = True
    tools: tuple[Tool, ...] = ()
    required: bool = False
    parallel: bool = True
    constraint: Constraint | None = None
    budget: int | None = None
    last_words: str = ""

    @property
    def held(self) -> bool:
        """Whether it can't end just anywhere."""
        return bool(self.required or self.constraint)


class _Stage(Enum):
    """How far the prompt has come in the answer."""

    FRESH = "nothing is written"
    THINKING = "a thought is open"
    BEGUN = "what can be thought before words is over"


def guide(compiler: Compiler, answer: Wanted) -> Template | None:
    """What holds the answer; None where it is free. Raises InvalidRequest as the compiler does."""
    if not answer.tools and not answer.constraint and answer.budget is None:
        return None
    made = _Guide(compiler, answer).make()
    return None if isinstance(made, Free) else made


class _Guide:
    """Makes the template of one answer."""

    def __init__(self, compiler: Compiler, answer: Wanted) -> None:
        self._compiler = compiler
        self._tokens = compiler.tokens
        self._answer = answer
        self._format = answer.format
        self._harmony = answer.format.protocol is Protocol.HARMONY
        self._calls: Calls | None = None
        if answer.tools and answer.format.calls:
            self._calls = Calls(answer.format.calls, answer.tools, answer.parallel)
        head, opened = answer.format.head.rstrip(), answer.opened
        self._written = opened.partition(head)[2] if head and head in opened else opened
        self._stage = self._find_stage()

    def make(self) -> Template:
        """The template."""
        reasoning, held = self._format.reasoning, self._answer.held
        if reasoning is None or self._stage is _Stage.BEGUN:
            return self._body()
        if self._stage is _Stage.THINKING:
            return self._thought(reasoning, self._body(after=True))
        if held and (not self._answer.thinks or self._answer.budget == 0):
            return self._body()
        if not held and reasoning.anywhere:  # the body is watched for it
            return self._body()
        mark = reasoning.open.strip()
        begun = self._compiler.compile(Seq((Markup(mark), _SPACE)))  # a token may go on in a line
        thought = self._thought(reasoning, self._body(after=True))
        return Opening(self._tokens, mark, begun, thought, self._body())

    def _find_stage(self) -> _Stage:
        reasoning = self._format.reasoning
        if not self._written.strip():
            unmarked = reasoning is not None and not reasoning.open.strip()
            return _Stage.THINKING if unmarked else _Stage.FRESH
        thinking = Parser(replace(self._format, response=None), opened=self._answer.opened).thinking
        return _Stage.THINKING if thinking else _Stage.BEGUN

    # ------------------------------------------------------------------ thoughts

    def _thought(
        self,
        reasoning: Reasoning,
        then: Template,
        *,
        closed: Template | None = None,
        spent: bool = False,
    ) -> Template:
        """Free text up to the end of the thought; `closed` is what follows where the budget closed
        it, which is at once if that is `spent`."""
        triggers: dict[str, Template] = {reasoning.close.strip(): then}
        if reasoning.ended_by_call and self._calls:
            for mark, part in self._calls.triggers():
                call: Template = self._compiler.compile(part)
                if not self._answer.held and self._answer.parallel and not reasoning.anywhere:
                    call = Chain(self._tokens, call, self._body())
                triggers.setdefault(mark, call)
        n_tokens = 0 if spent and self._answer.budget is not None else self._answer.budget
        budget = None
        if n_tokens is not None:
            budget = self._budget(
                reasoning, n_tokens, closed or self._after_budget(reasoning, then)
            )
        held = self._answer.held
        return Lazy(
            self._tokens,
            triggers,
            required=held,
            again=False,
            budget=budget,
            never=self._new_messages() if held else (),
        )

    def _budget(self, reasoning: Reasoning, n_tokens: int, then: Template) -> Budget:
        words = self._tokens.tokenize(self._answer.last_words) if self._answer.last_words else []
        in_line, at_line = (
            (*words, *self._tokens.written(close))
            for close in (reasoning.close, reasoning.close if words else reasoning.close.lstrip())
        )
        return Budget(n_tokens, in_line, at_line, then)

    def _new_messages(self) -> list[Token]:
        """The tokens that would leave a thought otherwise than by its end."""
        if not self._harmony:
            return []
        marks = map(self._tokens.named, ("<|start|>", "<|channel|>", "<|call|>", "<|return|>"))
        return [token for token in marks if token is not None]

    def _after_budget(self, reasoning: Reasoning, then: Template) -> Template:
        """What follows a thought that was closed: not another one."""
        if self._answer.held:
            return then
        free = self._free(after=True, spent=True)
        if not self._harmony:
            return free
        final = self._compiler.compile(Markup(self._format.head + self._format.content_begin))
        options: list[Template] = [Chain(self._tokens, final, free)]
        if self._calls:
            call = Seq((Markup(self._format.head), self._calls.from_opening(several=False)))
            options.append(self._compiler.compile(call))
        return Either(self._tokens, options)

    # ------------------------------------------------------------------ what is not thought

    def _body(self, *, after: bool = False) -> Template:
        """Calls or words; `after` a thought."""
        if not self._answer.held:
            return self._free(after=after)
        options: list[Template] = []
        if self._calls:
            options.append(self._compiler.compile(self._required_calls(self._calls, after=after)))
        if self._answer.constraint and not self._answer.required:
            options.append(self._words(self._answer.constraint, after=after))
        return options[0] if len(options) == 1 else Either(self._tokens, options)

    def _required_calls(self, calls: Calls, *, after: bool) -> Part:
        begun = 0 if after else _overlap(self._written, calls.syntax.opening)
        opening = calls.syntax.opening[begun:]
        return self._led(calls.from_opening(begun), after=after, begins=opening)

    def _led(self, part: Part, *, after: bool, begins: str = "") -> Part:
        """A part with what stands between a thought and it; `begins` is how it begins."""
        if not self._format.messages:
            return Seq((_SPACE, part)) if after else part
        head = self._format.head.rstrip() if begins[:1].isspace() else self._format.head
        if not after:  # what prompts leave out of a message's head
            blank = "" if self._written else head[len(head.rstrip()) :]
            return Seq((Markup(blank), part)) if blank else part
        close = self._format.reasoning.close if self._format.reasoning else ""
        ended = (_SPACE,) if close[-1:].isspace() else ()  # it may be written with that mark
        return Seq((*ended, Markup(head), part))

    def _words(self, constraint: Constraint, *, after: bool) -> Template:
        """Words for the user that satisfy the constraint, behind the mark that they may have."""
        mark = self._format.content_begin
        begun = 0 if after else _overlap(self._written, mark)
        if mark and mark in self._written and not after:
            begun = len(mark)
        lead = Markup(mark[begun:])
        if self._led(lead, after=after) == Markup(""):
            return self._compiler.compile(constraint)
        try:
            part = as_part(constraint, self._tokens)
            if not isinstance(part, Lark):
                return self._compiler.compile(self._led(Seq((lead, part)), after=after))
        except InvalidRequest as error:
            error.param = error.param or constraint.param or None
            raise
        alone = self._compiler.compile(constraint)  # a whole grammar is no part of another
        first = self._led(lead, after=after and self._format.messages)
        if first == Markup(""):
            return alone
        return Chain(self._tokens, self._compiler.compile(first), alone)

    def _free(self, *, after: bool, spent: bool = False) -> Template:
        """Words without a constraint, watched for calls, and for thoughts that may begin there:
        which are closed at once where the budget is `spent`."""
        triggers: dict[str, Template] = {}
        for mark, part in self._triggers():
            triggers.setdefault(mark, self._compiler.compile(part))
        before = "" if after else self._answer.opened
        for mark, part in self._first_lines(after=after):
            before = before or self._closing
            triggers.setdefault(mark, self._compiler.compile(part))
        thoughts = self._thoughts_within(spent=spent)
        triggers |= thoughts
        never = self._marks_of_thoughts(thoughts) if spent else []
        if not triggers and not never:
            return Free(self._tokens)
        return Lazy(
            self._tokens,
            triggers,
            again=self._answer.parallel or not self._calls,
            before=before,
            never=never,
            aside=thoughts,
        )

    @property
    def _closing(self) -> str:
        return self._format.reasoning.close.strip() if self._format.reasoning else ""

    def _first_lines(self, *, after: bool) -> Iterable[tuple[str, Part]]:
        if not self._calls:
            return ()
        before = self._closing if after else self._answer.opened.rstrip()
        return self._calls.first_lines(before[-_LONGEST_MARK:])

    def _marks_of_thoughts(self, opening: Iterable[str]) -> list[Token]:
        """The tokens that would begin a thought, or end once more the one that was closed: models
        that were not done with it write the mark themselves."""
        reasoning = self._format.reasoning
        marks = [*opening, *([reasoning.close.strip()] if reasoning else [])]
        tokens = map(self._tokens.named, filter(None, marks))
        return [token for token in tokens if token is not None]

    def _thoughts_within(self, *, spent: bool) -> dict[str, Template]:
        """What begins a thought among words, where a model does that, or a second part of one."""
        parts = self._format.reasoning.parts if self._format.reasoning else ()
        end = End(self._tokens)
        closed = end if spent else None
        return {
            mark: self._thought(part, end, closed=closed, spent=spent)
            for number, part in enumerate(parts)
            if (mark := part.open.strip()) and (part.anywhere or number)
        }

    def _triggers(self) -> Sequence[tuple[str, Part]]:
        if not self._calls:
            return ()
        if not self._harmony:
            return tuple(self._calls.triggers())
        # The recipient stands in either half of the header.
        syntax = self._calls.syntax
        first, second = syntax.opening, self._format.head + syntax.told_by
        rest = " ".join(("<|channel|>commentary", "<|constrain|>json<|message|>"))
        calls = Calls(syntax, self._calls.tools, parallel=False)
        return (
            (first, calls.from_opening(len(first), several=False)),
            (second, calls.with_header(rest)),
        )


def _overlap(written: str, opening: str) -> int:
    """How many of the first characters of `opening` are the last ones of what is written."""
    return next(
        (n for n in range(min(len(written), len(opening)), 0, -1) if written.endswith(opening[:n])),
        0,
    )
