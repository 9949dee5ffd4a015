from __future__ import annotations

import struct
import zlib
from array import array
from dataclasses import replace
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.engine.disk import Fingerprint, Segment, root_key, segment_key
from mullama.engine.disk.format import (
    N_HEADER,
    BadSegment,
    Miss,
    decode,
    decode_entry,
    encode,
    file_size,
    head_size,
)
from tests.engine.disk_helpers import FINGERPRINT, make

ROOT = root_key(FINGERPRINT)
FACTS = Fingerprint(
    model="123-abc",
    llama_cpp="0c1e570",
    n_embd=896,
    n_layer=24,
    type_k="f16",
    type_v="f16",
    flash_attn=True,
)


def content_of(segment: Segment) -> bytes:
    return b"".join(encode(segment, FINGERPRINT))


def reason(content: bytes, expected: Segment, fingerprint: str = FINGERPRINT) -> Miss:
    with pytest.raises(BadSegment) as caught:
        decode(content, expected.entry(), fingerprint)
    return caught.value.reason


tokens = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=50)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**40), tokens, st.binary(), st.binary())
def test_what_is_encoded_is_decoded(
    parent: bytes, start: int, run: list[int], data: bytes, state: bytes
) -> None:
    segment = Segment(parent, start, array("i", run), data, state)
    content = content_of(segment)
    found = decode(content, segment.entry(), FINGERPRINT)
    assert (found.parent, found.start, found.tokens) == (parent, start, segment.tokens)
    assert (bytes(found.data), bytes(found.state)) == (data, state)
    assert len(content) == file_size(segment.entry(), FINGERPRINT)
    head = content[: head_size(content[:N_HEADER], len(content))]
    assert decode_entry(head, len(content), FINGERPRINT) == segment.entry()


def test_a_state_alone_is_a_segment() -> None:
    segment = make(ROOT, 7, [], n_data=0, n_state=50)
    found = decode(content_of(segment), segment.entry(), FINGERPRINT)
    assert bytes(found.state) == segment.state
    assert not found.tokens
    assert not found.data


def test_the_format_is_the_one_that_its_version_names() -> None:
    """Files that are there must stay readable: another layout or hash needs another version."""
    segment = Segment(ROOT, 3, array("i", [1, 2, 70000]), b"cells", b"state")
    digest = blake2b(content_of(segment), digest_size=8).hexdigest()
    assert (segment.key.hex(), digest) == ("7059b31873d29f429b25c94cad906f88", "316201bd9ac5d570")


def test_a_file_is_laid_out_as_documented() -> None:
    segment = make(ROOT, 3, [1, 2, 70000], n_data=5, n_state=7)
    content = content_of(segment)
    magic, version, checksum = struct.unpack_from("<8sII", content)
    assert (magic, version, checksum) == (b"mullamaK", 1, zlib.crc32(content[16:]))
    fields = struct.unpack_from("<16s16sQQQQQ", content, 16)
    assert fields == (segment.key, ROOT, 3, 3, len(FINGERPRINT), 5, 7)
    tokens = struct.pack("<3i", 1, 2, 70000)
    assert content[88:] == FINGERPRINT.encode() + tokens + segment.data + segment.state


def test_every_flipped_bit_is_noticed() -> None:
    segment = make(ROOT, 20, range(30), n_data=40, n_state=20)
    content = bytearray(content_of(segment))
    for at in range(len(content)):
        for bit in range(8):
            content[at] ^= 1 << bit
            reason(bytes(content), segment)
            content[at] ^= 1 << bit
    decode(bytes(content), segment.entry(), FINGERPRINT)


def test_a_flipped_bit_before_the_data_is_noticed_without_reading_the_data() -> None:
    """But for the checksum itself, which only the whole file can be compared with."""
    segment = make(ROOT, 20, range(30), n_data=40)
    content = bytearray(content_of(segment))
    for at in {*range(len(content) - 40)} - {*range(12, 16)}:
        content[at] ^= 1
        with pytest.raises(BadSegment):
            decode_entry(bytes(content[:-40]), len(content), FINGERPRINT)
        content[at] ^= 1


def test_every_truncation_is_noticed() -> None:
    segment = make(ROOT, 0, range(30), n_data=40, n_state=20)
    content = content_of(segment)
    assert {reason(content[:n], segment) for n in range(len(content))} == {Miss.TRUNCATED}
    assert reason(content + b"\0", segment) is Miss.TRUNCATED


def test_each_kind_of_stranger_has_its_reason() -> None:
    segment = make(ROOT, 0, range(30))
    content = content_of(segment)
    foreign = FINGERPRINT.replace("a", "b")
    assert reason(content, segment, foreign) is Miss.FOREIGN
    assert reason(b"\x89PNG" + content[4:], segment) is Miss.CORRUPT
    assert reason(content[:8] + b"\2\0\0\0" + content[12:], segment) is Miss.VERSION
    assert reason(content_of(make(ROOT, 1, range(30))), segment) is Miss.CORRUPT


def test_a_hash_collision_is_a_miss() -> None:
    """Tokens are compared themselves, not only their hash."""
    segment = make(ROOT, 0, [1, 2, 3])
    other = replace(segment.entry(), tokens=array("i", [1, 2, 4]))
    with pytest.raises(BadSegment):
        decode(content_of(segment), other, FINGERPRINT)


def test_keys_tell_everything_apart_that_came_before() -> None:
    run = array("i", [1, 2, 3])
    keys = [
        root_key("a"),
        root_key("b"),
        root_key("a", "x"),
        root_key("ax"),
        root_key("", "ax"),
        segment_key(root_key("a"), 0, run),
        segment_key(root_key("b"), 0, run),
        segment_key(root_key("a"), 1, run),
        segment_key(root_key("a"), 0, run[:2]),
        segment_key(root_key("a"), 0, array("i", [1, 2, 4])),
    ]
    assert len(set(keys)) == len(keys)


def test_a_segment_keeps_its_tokens_when_the_array_grows() -> None:
    run = array("i", [1, 2])
    segment = Segment(ROOT, 0, run, b"")
    run.append(3)
    assert list(segment.tokens) == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "124-abc"},
        {"llama_cpp": "0c1e571"},
        {"n_embd": 897},
        {"n_layer": 25},
        {"type_k": "q8_0"},
        {"type_v": "q8_0"},
        {"flash_attn": False},
        {"swa_full": True},
        {"adapters": (("9-ff", 1.0),)},
        {"projector": "7-ee"},
        {"beyond_n_ctx_orig": True},
        {"rope_scaling": "yarn"},
        {"rope_freq_base": 10000.0},
        {"rope_freq_scale": 0.5},
        {"yarn_ext_factor": 1.0},
        {"yarn_attn_factor": 1.0},
        {"yarn_beta_fast": 32.0},
        {"yarn_beta_slow": 1.0},
        {"yarn_orig_ctx": 4096},
        {"byte_order": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_that_shapes_a_state_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert str(replace(FACTS, **change)) != str(FACTS)  # type: ignore[arg-type]


def test_an_adapters_scale_and_order_change_the_fingerprint() -> None:
    variants = [
        (("a", 1.0), ("b", 1.0)),
        (("b", 1.0), ("a", 1.0)),
        (("a", 0.5), ("b", 1.0)),
    ]
    assert len({str(replace(FACTS, adapters=adapters)) for adapters in variants}) == 3


def test_equal_facts_have_equal_text() -> None:
    assert str(replace(FACTS)) == str(FACTS)
