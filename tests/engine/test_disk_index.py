from __future__ import annotations

from array import array
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from mullama.engine.disk import Part, Segment, root_key
from mullama.engine.disk.format import Entry
from mullama.engine.disk.index import Index
from tests.engine.disk_helpers import make

ROOT = root_key("a model")


def run(text: str) -> array[int]:
    return array("i", map(ord, text))


def segment(parent: bytes, start: int, text: str, *, state: bool = False) -> Segment:
    return make(parent, start, run(text), n_data=len(text), n_state=state)


def index_of(*segments: Segment) -> Index:
    index = Index()
    for item in segments:
        index.add(item.entry())
    return index


def spelled(parts: tuple[Part, ...]) -> list[str]:
    return ["".join(map(chr, entry.tokens[:n])) for entry, n in parts]


def match(index: Index, text: str, *, with_state: bool = False) -> list[str]:
    return spelled(index.match(ROOT, run(text), len(text), with_state=with_state))


def test_a_chain_is_found_in_order() -> None:
    a = segment(ROOT, 0, "once ")
    b = segment(a.key, 5, "upon ")
    index = index_of(b, a)
    assert match(index, "once upon a time") == ["once ", "upon "]
    assert match(index, "once") == ["once"]
    assert match(index, "upon") == []


def test_a_branch_goes_on_inside_its_parent() -> None:
    a = segment(ROOT, 0, "once upon a time")
    b = segment(a.key, 10, "two tables")
    index = index_of(a, b)
    assert match(index, "once upon two tables") == ["once upon ", "two tables"]
    assert match(index, "once upon two") == ["once upon ", "two"]
    assert match(index, "once upon a time") == ["once upon a time"]


def test_the_longest_way_is_found_where_several_begin_alike() -> None:
    long = segment(ROOT, 0, "abcdefgh")
    short = segment(ROOT, 0, "abc")
    after_short = segment(short.key, 3, "dexxxxxx")
    index = index_of(long, short, after_short)
    assert match(index, "abcdefxx") == ["abcdef"]
    assert match(index, "abcdexxxx") == ["abc", "dexxxx"]


def test_what_stands_on_nothing_is_not_found() -> None:
    a = segment(ROOT, 0, "once ")
    b = segment(a.key, 5, "upon ")
    assert match(index_of(b), "once upon") == []


def test_namespaces_do_not_see_each_other() -> None:
    index = index_of(segment(ROOT, 0, "secret"))
    assert index.match(root_key("a model", "salt"), run("secret"), 6) == ()


def test_the_limit_is_kept() -> None:
    a = segment(ROOT, 0, "once ")
    index = index_of(a, segment(a.key, 5, "upon "))
    for limit in range(11):
        parts = index.match(ROOT, run("once upon a"), limit)
        assert sum(n for _, n in parts) == min(limit, 10)
    assert index.match(ROOT, run("once"), 100)[-1].end == 4


def test_a_state_is_of_use_only_at_exactly_its_end() -> None:
    a = segment(ROOT, 0, "once ", state=True)
    b = segment(a.key, 5, "upon a time", state=True)
    index = index_of(a, b)
    assert match(index, "once upon a time", with_state=True) == ["once ", "upon a time"]
    assert match(index, "once upon a tim", with_state=True) == ["once "]
    assert match(index, "once", with_state=True) == []


def test_cells_without_a_state_lead_to_one_further_down() -> None:
    a = segment(ROOT, 0, "once upon a time")
    b = segment(a.key, 10, "two", state=True)
    index = index_of(a, b)
    assert match(index, "once upon two tables", with_state=True) == ["once upon ", "two"]
    assert match(index, "once upon a time", with_state=True) == []


def test_a_state_alone_is_found_inside_and_at_the_end_of_its_parent() -> None:
    a = segment(ROOT, 0, "once upon")
    inside = segment(a.key, 4, "", state=True)
    end = segment(a.key, 9, "", state=True)
    index = index_of(a, inside)
    assert match(index, "once upon", with_state=True) == ["once", ""]
    assert match(index, "once", with_state=True) == ["once", ""]
    assert match(index, "onc", with_state=True) == []
    index.add(end.entry())
    assert match(index, "once upon", with_state=True) == ["once upon", ""]
    assert match(index, "once upon") == ["once upon"]


def test_what_is_removed_is_gone_with_all_that_stands_on_it() -> None:
    a = segment(ROOT, 0, "once ")
    b = segment(a.key, 5, "upon ")
    index = index_of(a, b)
    index.remove(a.key)
    index.remove(a.key)
    assert match(index, "once upon") == []
    assert b.key in index
    index.add(a.entry())
    assert match(index, "once upon ") == ["once ", "upon "]


def test_a_chain_ends_at_its_first_segment_or_at_a_gap() -> None:
    a = segment(ROOT, 0, "a")
    b = segment(a.key, 1, "b")
    c = segment(b.key, 2, "c")
    index = index_of(a, b, c)
    assert [entry.key for entry in index.chain(c.key)] == [c.key, b.key, a.key]
    index.remove(a.key)
    assert [entry.key for entry in index.chain(c.key)] == [c.key, b.key]
    assert list(index.chain(b"nothing")) == []


# -- a second implementation ------------------------------------------------------------------

texts = st.text("ab", min_size=1, max_size=5)
# Where each segment hangs: which of those before it, and how far inside (or, wrongly, before it).
shapes = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4), texts, st.booleans()))


def grow(shape: list[tuple[int, int, str, bool]]) -> list[Segment]:
    made: list[Segment] = []
    for which, back, text, state in shape:
        if which == 0 or not made:
            made.append(segment(ROOT, 0, text, state=state))
            continue
        parent = made[which % len(made)]
        start = max(1, parent.start + len(parent.tokens) - back)
        made.append(segment(parent.key, start, text, state=state))
    return made


def reaches(entries: list[Entry], text: str) -> Iterator[tuple[int, bool]]:
    """Every position that can be reached, and whether there is a state there; by trying all."""
    todo = [(ROOT, -1, 0)]
    while todo:
        parent, after, reach = todo.pop()
        for entry in entries:
            if entry.parent != parent or not after < entry.start <= reach:
                continue
            own = "".join(map(chr, entry.tokens))
            n = 0
            while n < len(own) and text[entry.start + n : entry.start + n + 1] == own[n]:
                n += 1
            if n:
                yield entry.start + n, n == len(own) and entry.n_state > 0
                todo.append((entry.key, entry.start, entry.start + n))


@given(shapes, st.text("ab", max_size=20), st.booleans(), st.sets(st.integers(0, 20)))
def test_the_longest_match_is_found(
    shape: list[tuple[int, int, str, bool]], text: str, with_state: bool, removed: set[int]
) -> None:
    made = grow(shape)
    index = index_of(*made)
    for i in removed & {*range(len(made))}:
        index.remove(made[i].key)
    left = {item.key: entry for item in made if (entry := index.get(item.key)) is not None}
    assert len(index) == len(left)
    parts = index.match(ROOT, run(text), len(text), with_state=with_state)
    found = parts[-1].end if parts else 0
    expected = [end for end, state in reaches(list(left.values()), text) if state or not with_state]
    assert found == max(expected, default=0)
    assert "".join(spelled(parts)) == text[:found]
