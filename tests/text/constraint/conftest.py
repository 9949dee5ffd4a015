"""A small vocabulary and its compiler, once a module; a module with other words has its own."""

from __future__ import annotations

import pytest

from mullama.text.constraint.compiler import Compiler
from tests.text.constraint.vocabulary import SmallVocab


@pytest.fixture(scope="module")
def vocab() -> SmallVocab:
    return SmallVocab()


@pytest.fixture(scope="module")
def compiler(vocab: SmallVocab) -> Compiler:
    return Compiler(vocab)
