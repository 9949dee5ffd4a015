"""Which tokens end an answer: those of the model, or those that its format names."""

from __future__ import annotations

import pytest

from mullama.text.ends import answer_ends, ends_in
from mullama.types import Token
from tests.text.constraint.vocabulary import SmallVocab
from tests.text.families_later import FAMILIES
from tests.text.unknown import format_of, template_of
from tests.text.unseen import CALLS

SOURCES = {family.name: family.source for family in FAMILIES}
MARKS = ["<|im_end|>", "<|endofturn|>", "<|stop|>", "<|eom|>", "<|eot|>", "<|end_message|>"]


class Vocab(SmallVocab):
    """With the marks as tokens, of which these end a text."""

    def __init__(self, *ends: str) -> None:
        super().__init__()
        self.names: dict[Token, str] = {}
        for mark in MARKS:
            self.names[len(self._pieces)] = mark
            self._special[len(self._pieces)] = mark.encode()
            self._pieces.append(b"")
        self.eog = frozenset(token for token, name in self.names.items() if name in ends)

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        alone = [token for token, name in self.names.items() if name == text and parse_special]
        return alone or super().tokenize(text)

    def named(self, tokens: frozenset[Token]) -> set[str]:
        return {self.names[token] for token in tokens}


@pytest.mark.parametrize("ends", [["<|im_end|>"], ["<|im_end|>", "<|endofturn|>"]])
def test_a_mark_that_ends_each_message_does_not_end_the_answer(ends: list[str]) -> None:
    vocab = Vocab(*ends)
    found = answer_ends(vocab, template_of(SOURCES["hyperclova-x"]))
    assert vocab.named(found) == {"<|endofturn|>", "<|stop|>"}


def test_a_mark_that_ends_thoughts_only_does_not_end_the_answer() -> None:
    vocab = Vocab("<|eom|>", "<|eot|>")
    assert vocab.named(answer_ends(vocab, template_of(SOURCES["muse"]))) == {"<|eot|>"}


def test_the_model_s_ends_are_kept_where_nothing_else_ends_an_answer() -> None:
    vocab = Vocab("<|end_message|>", "<|im_end|>")
    for name in ("inkling", "internlm-2.5", "kat-v1"):
        assert ends_in(format_of(SOURCES[name]), vocab) == vocab.eog
    assert ends_in(format_of(SOURCES["hyperclova-x"]), SmallVocab()) == SmallVocab().eog


def test_no_format_is_looked_for_where_a_template_names_one_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mullama.text.ends.find_format", None)
    vocab = Vocab("<|im_end|>", "<|endofturn|>")
    for source in (SOURCES["mirothinker"], SOURCES["kat-v1"], CALLS[0].source, ""):
        assert answer_ends(vocab, template_of(source)) == vocab.eog
