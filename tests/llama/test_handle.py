"""A handle frees its object once, after everyone has left it."""

from __future__ import annotations

import threading

import pytest

from mullama.errors import InvalidRequest
from mullama.llama.handle import Handle


def test_it_gives_the_pointer_and_frees_it_once() -> None:
    freed: list[int] = []
    handle = Handle(7, freed.append, "thing")
    with handle as pointer:
        assert pointer == 7
        assert not freed
    handle.close()
    handle.close()
    assert freed == [7]
    assert handle.closed


def test_using_it_after_closing_is_an_error() -> None:
    handle = Handle(7, lambda _: None, "model")
    handle.close()
    with pytest.raises(InvalidRequest, match="The model is closed"), handle:
        pass


def test_closing_waits_for_those_inside() -> None:
    freed = threading.Event()
    handle = Handle(7, lambda _: freed.set(), "thing")
    with handle, handle:
        closing = threading.Thread(target=handle.close)
        closing.start()
        while not handle.closed:
            pass
        assert not freed.is_set()
        with pytest.raises(InvalidRequest), handle:
            pass
        assert not freed.is_set()
    closing.join(10)
    assert freed.is_set()


def test_one_that_nobody_refers_to_closes_itself() -> None:
    freed: list[int] = []
    handle = Handle(7, freed.append, "thing")
    del handle
    assert freed == [7]
