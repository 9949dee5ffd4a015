from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.engine.disk import root_key
from mullama.engine.disk.files import TEMPORARY_SECONDS, File, Files, eviction_order
from mullama.engine.disk.format import BadSegment, Miss
from tests.engine.disk_helpers import FINGERPRINT, make

ROOT = root_key(FINGERPRINT)
MY_FOLDER = "v1-" + 32 * "a"


def key(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


def file(name: str, parent: str = "", used: float = 0, folder: str = MY_FOLDER) -> File:
    stem = key(name).hex() + (f"-{key(parent).hex()}" if parent else "")
    return File(folder, f"{stem}.kv", 100, used)


def order(*files: File, growing: str = "") -> str:
    place = (MY_FOLDER, key(growing)) if growing else None
    return "".join(item.key.rstrip(b"\0").decode() for item in eviction_order(files, place))


def test_the_least_recently_used_goes_first() -> None:
    assert order(file("a", used=3), file("b", used=1), file("c", used=2)) == "bca"


def test_a_segment_goes_before_what_it_stands_on() -> None:
    assert order(file("a", used=1), file("b", "a", used=2), file("c", "b", used=3)) == "cba"


def test_a_parent_goes_by_its_own_last_use_once_it_has_no_child() -> None:
    assert order(file("a", used=5), file("b", "a", used=1), file("c", used=3)) == "bca"
    assert order(file("a", used=2), file("b", "a", used=1), file("c", used=3)) == "bac"


def test_what_has_lost_its_parent_goes_before_all_others() -> None:
    files = [file("a", used=1), file("b", "gone", used=9), file("c", "b", used=8)]
    assert order(*files) == "cba"


def test_a_circle_of_names_goes_first_too() -> None:
    assert order(file("a", used=1), file("b", "c", used=2), file("c", "b", used=3)) == "bca"
    assert order(file("a", "a")) == "a"


def test_a_segment_about_to_get_a_child_stays_and_what_it_stands_on() -> None:
    files = [file("a", used=1), file("b", "a", used=2), file("c", "b", used=3), file("d", used=9)]
    assert order(*files, growing="b") == "cd"


def test_equal_keys_of_two_models_are_two_segments() -> None:
    other = "v1-" + 32 * "b"
    files = [file("a", used=1), file("b", "a", used=2), file("a", used=3, folder=other)]
    assert order(*files) == "baa"
    assert order(file("b", "a"), file("a", folder=other)) == "ba"


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), max_size=13))
def test_everything_goes_once_and_children_before_parents(shape: list[tuple[int, int]]) -> None:
    """Each segment's parent is any other, itself, one that is missing, or none."""
    names = "abcdefghijklm"
    parents = [names[which] if which else "" for which, _ in shape]
    files = [file(names[i], parents[i], used) for i, (_, used) in enumerate(shape)]
    gone = order(*files)
    assert sorted(gone) == sorted(names[: len(shape)])
    whole = {""}
    for _ in names:
        whole |= {names[i] for i in range(len(shape)) if parents[i] in whole}
    firsts = [name not in whole for name in gone]
    assert firsts == sorted(firsts, reverse=True), "one without a gap went before one with a gap"
    for i, parent in enumerate(parents):
        if parent and names[i] in whole:
            assert gone.index(names[i]) < gone.index(parent)


# -- the folder -------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path / "cache", FINGERPRINT)
    made.create()
    return made


def write(files: Files, now: float = 100.0) -> Path:
    item = make(ROOT, 0, range(10))
    with files.claim(item.entry()) as claim:
        files.write(claim, item, now)
    return files.path / files.folder / files.file_name(item.entry())


def test_a_written_file_is_private_and_has_its_time(files: Files) -> None:
    path = write(files, now=123.0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert files.path.stat().st_mode & 0o777 == 0o700
    assert [item.used for item in files.look(200.0).files] == [123.0]


def test_a_claim_counts_with_its_whole_size_and_leaves_nothing_behind(files: Files) -> None:
    item = make(ROOT, 0, range(10), n_data=5000)
    with files.claim(item.entry()):
        assert files.look(0.0).n_bytes > 5000
    assert files.look(0.0).n_bytes == 0
    assert not list((files.path / "writing").iterdir())


def test_other_peoples_files_are_neither_counted_nor_removed(files: Files) -> None:
    write(files)
    n_bytes = files.look(0.0).n_bytes
    strangers = ["photo.jpg", f"{files.folder}/notes.txt", f"{files.folder}/1.kv", "writing/x.tmp"]
    for name in [*strangers, "v1-something.kv"]:
        (files.path / name).write_text("mine")
    (files.path / f"v1-{'c' * 32}.kv").mkdir()
    assert files.look(1e12).n_bytes == n_bytes
    assert all((files.path / name).exists() for name in strangers)


def test_a_long_head_is_read_whole(files: Files) -> None:
    item = make(ROOT, 0, range(5000), n_data=10)
    with files.claim(item.entry()) as claim:
        files.write(claim, item, 0.0)
    assert [files.read_entry(found) for found in files.look(0.0).files] == [item.entry()]


def test_a_segment_under_anothers_name_is_corrupt(files: Files) -> None:
    path = write(files)
    path.rename(path.with_name(f"{'0' * 32}.kv"))
    with pytest.raises(BadSegment) as caught:
        files.read_entry(files.look(0.0).files[0])
    assert caught.value.reason is Miss.CORRUPT


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_temporary_files_of_the_dead_are_removed_and_those_of_the_living_counted(
    files: Files,
) -> None:
    now = 1_000_000.0
    ages = {
        f"{dead_pid()}-00000000-0.tmp": 0.0,
        f"{os.getpid()}-00000000-0.tmp": 0.0,  # an earlier process had our pid
        f"{os.getppid()}-00000000-0.tmp": TEMPORARY_SECONDS + 1,
        f"{os.getppid()}-00000000-1.tmp": 0.0,
        "1-00000000-2.tmp": 0.0,
    }
    for name, age in ages.items():
        path = files.path / "writing" / name
        path.write_bytes(b"1234")
        os.utime(path, (now - age, now - age))
    item = make(ROOT, 0, range(10))
    with files.claim(item.entry()) as claim:
        own = claim.path.stat().st_size
        assert files.look(now).n_bytes == 4 + 4 + own
        assert {path.name for path in (files.path / "writing").iterdir()} == {
            f"{os.getppid()}-00000000-1.tmp",
            "1-00000000-2.tmp",
            claim.path.name,
        }


def test_a_folder_that_vanishes_is_empty(tmp_path: Path) -> None:
    assert Files(tmp_path / "nowhere", FINGERPRINT).look(0.0).files == []
