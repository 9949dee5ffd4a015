"""The header reader: what it finds, and that nothing that is wrong with a file escapes it."""

from __future__ import annotations

import errno
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from mullama.errors import ModelError, NotFound
from mullama.models import header as header_module
from mullama.models.gguf import read_info
from mullama.models.header import GGML_TYPES, read_header
from mullama.types import ModelInfo, ModelKind
from tests import gguf_models
from tests.gguf_models import write_model

HEAD = np.zeros((1, gguf_models.N_EMBD), np.float32)  # a rank head with one output


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_model(tmp_path_factory.mktemp("gguf") / "model.gguf").read_bytes()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------------------------- what it finds


def test_the_facts_of_a_model(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf")
    tensors = gguf.GGUFReader(path).tensors
    assert read_info(path) == ModelInfo(
        path=str(path),
        name="Random",
        architecture="llama",
        description="llama 96.2K F32",
        size=sum(int(tensor.n_bytes) for tensor in tensors),
        n_params=sum(int(tensor.n_elements) for tensor in tensors),
        n_ctx_train=gguf_models.N_CTX,
        n_embd=gguf_models.N_EMBD,
        n_layer=gguf_models.N_LAYER,
        n_head=gguf_models.N_HEAD,
        n_head_kv=gguf_models.N_HEAD_KV,
        n_vocab=len(gguf_models.vocabulary()),
        kind=ModelKind.GENERATE,
        pooling=None,
        quantization="F32",
        chat_template=None,
        kv_bytes_per_token=2 * 2 * 2 * 32,  # layers · keys and values · bytes · head
    )


def test_the_facts_of_a_real_chat_model(tiny_model: Path) -> None:
    info = read_info(tiny_model)
    assert (info.name, info.quantization, info.n_params) == ("mullama-tiny", "Q8_0", 5475584)
    assert (info.kind, info.causal, info.has_tokenizer) == (ModelKind.GENERATE, True, True)
    assert info.chat_template is not None
    assert "<|im_start|>" in info.chat_template


def test_the_facts_of_a_real_embedding_model(minilm_model: Path) -> None:
    info = read_info(minilm_model)
    assert (info.kind, info.pooling, info.causal) == (ModelKind.EMBED, "mean", False)
    assert (info.n_embd, info.n_ctx_train, info.kv_bytes_per_token) == (384, 512, 0)


def test_a_large_vocabulary_without_weights(shared_data: Callable[[str], Path]) -> None:
    info = read_info(shared_data("vocab/ggml-vocab-qwen2.gguf"))
    assert (info.n_vocab, info.n_params, info.has_tokenizer) == (151936, 0, True)
    assert info.chat_template is not None


@pytest.mark.parametrize(
    ("arch", "metadata", "kind", "pooling", "causal"),
    [
        ("llama", {}, ModelKind.GENERATE, None, True),
        ("llama", {"llama.pooling_type": 0}, ModelKind.GENERATE, "none", True),
        ("qwen3", {"qwen3.pooling_type": 3}, ModelKind.EMBED, "last", True),
        ("qwen3", {"qwen3.pooling_type": 4}, ModelKind.RERANK, "rank", True),
        ("bert", {"bert.pooling_type": 1}, ModelKind.EMBED, "mean", False),
        ("bert", {"bert.pooling_type": 2}, ModelKind.EMBED, "cls", False),
        ("bert", {"bert.pooling_type": 4}, ModelKind.RERANK, "rank", False),
        ("bert", {}, ModelKind.EMBED, None, False),
        ("llama", {"llama.attention.causal": False}, ModelKind.EMBED, None, False),
    ],
)
def test_what_a_model_is_for(
    tmp_path: Path,
    arch: str,
    metadata: dict[str, Any],
    kind: ModelKind,
    pooling: str | None,
    causal: bool,
) -> None:
    head = {"cls.output.weight": HEAD} if kind is ModelKind.RERANK else {}
    info = read_info(write_model(tmp_path / "m.gguf", arch=arch, metadata=metadata, extra=head))
    assert (info.kind, info.pooling, info.causal) == (kind, pooling, causal)


@pytest.mark.parametrize("name", ["cls.output.weight", "cls.weight"])
def test_a_classifier_head_makes_a_reranker(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path / "m.gguf", arch="bert", extra={name: HEAD})
    assert read_info(path).kind is ModelKind.RERANK


def test_a_head_has_an_output_for_each_label(tmp_path: Path) -> None:
    labels = {"bert.classifier.output_labels": ["yes", "no"]}
    path = tmp_path / "m.gguf"
    two = {"cls.output.weight": np.concatenate([HEAD, HEAD])}
    assert read_info(write_model(path, arch="bert", metadata=labels, extra=two)).kind == "rerank"
    one = {"cls.output.weight": HEAD}
    assert read_info(write_model(path, arch="bert", metadata=labels, extra=one)).kind == "embed"


def test_a_pooler_alone_ranks_nothing(tmp_path: Path) -> None:
    pooler = {"cls.weight": np.zeros((gguf_models.N_EMBD, gguf_models.N_EMBD), np.float32)}
    path = write_model(tmp_path / "m.gguf", arch="bert", extra=pooler)
    assert read_info(path).kind is ModelKind.EMBED
    write_model(path, arch="bert", metadata={"bert.pooling_type": 4}, extra=pooler)
    with pytest.raises(ModelError, match="claims to rank"):
        read_info(path)


def test_the_quantization_is_named_after_the_file_type(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", metadata={"general.file_type": 15})
    assert read_info(path).quantization == "Q4_K_M"


def test_the_quantization_is_the_commonest_type_where_the_file_says_none(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.gguf",
        metadata={"general.file_type": None},
        extra={"large": np.zeros((1024, 1024), np.float16)},
    )
    assert read_info(path).quantization == "F16"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, 2 * 1 * (32 + 32) * 2),
        ({"llama.attention.head_count_kv": None}, 2 * 2 * (32 + 32) * 2),
        ({"llama.attention.key_length": 48, "llama.attention.value_length": 16}, 2 * 64 * 2),
        ({"llama.attention.head_count_kv": [2, 0]}, 2 * (32 + 32) * 2),
        ({"llama.attention.head_count": [2, 2]}, 2 * 1 * (32 + 32) * 2),
    ],
)
def test_the_bytes_of_a_cached_token(
    tmp_path: Path, metadata: dict[str, Any], expected: int
) -> None:
    info = read_info(write_model(tmp_path / "m.gguf", metadata=metadata))
    assert info.kv_bytes_per_token == expected


def test_the_default_of_several_chat_templates(tmp_path: Path) -> None:
    templates = {
        "tokenizer.chat_template.tool_use": "with tools",
        "tokenizer.chat_template.default": "plain",
    }
    assert read_info(write_model(tmp_path / "m.gguf", metadata=templates)).chat_template == "plain"


def test_a_model_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    info = read_info(write_model(tmp_path / "m.gguf", tokenizer=False))
    assert not info.has_tokenizer
    assert info.n_vocab == len(gguf_models.vocabulary())


def test_a_model_is_named_after_its_file_where_it_has_no_name(tmp_path: Path) -> None:
    path = write_model(tmp_path / "qwen-small.gguf", metadata={"general.name": None})
    assert read_info(path).name == "qwen-small"


def test_the_block_sizes_are_those_of_the_reference() -> None:
    # Q8_1 only occurs in memory; the reference package has an older size of it.
    for kind, sizes in gguf.GGML_QUANT_SIZES.items():
        if kind.name != "Q8_1":
            assert GGML_TYPES[kind.value] == (kind.name, *sizes)


# ------------------------------------------------------------------------------------ split models


def split_model(folder: Path) -> list[Path]:
    write_model(folder / "big.gguf", split_max_tensors=8)
    return sorted(folder.glob("big-*.gguf"))


def test_a_split_model_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    parts = split_model(tmp_path)
    whole = read_info(write_model(tmp_path / "whole.gguf"))
    info = read_info(parts[0])
    assert len(parts) > 2
    assert (info.size, info.n_params, info.kind) == (whole.size, whole.n_params, whole.kind)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    parts = split_model(tmp_path)
    parts[1].unlink()
    with pytest.raises(ModelError, match=f"part 2 of {len(parts)} is missing: {parts[1].name}"):
        read_info(parts[0])


def test_a_later_part_names_the_first(tmp_path: Path) -> None:
    parts = split_model(tmp_path)
    with pytest.raises(ModelError, match=f"Give the first: {parts[0].name}"):
        read_info(parts[1])


def test_a_truncated_part_is_found(tmp_path: Path) -> None:
    parts = split_model(tmp_path)
    put(parts[-1], parts[-1].read_bytes()[:-5000])
    with pytest.raises(ModelError, match=rf"{parts[-1].name}.* shorter than its tensors need"):
        read_info(parts[0])


def test_a_renamed_part_says_how_parts_are_named(tmp_path: Path) -> None:
    part = split_model(tmp_path)[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(ModelError, match=r"its name must end in -00001-of-\d{5}.gguf"):
        read_info(part)


# ------------------------------------------------------------------------------- what is no model


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no file .*nowhere\.gguf"):
        read_info(tmp_path / "nowhere.gguf")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it is a folder"):
        read_info(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ModelError, match="it is not a file"):
        read_info(tmp_path / "pipe.gguf")


def test_a_file_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "m.gguf")

    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ModelError, match=r"Can't read .*: Permission denied"):
        read_info(path)


@pytest.mark.parametrize("path", ["a\0b.gguf", "x" * 5000])
def test_an_impossible_path_is_refused(path: str) -> None:
    with pytest.raises(ModelError, match="Can't read"):
        read_info(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"PK\3\4" + b"\0" * 100, "not a GGUF file"),
        (b"GG", "not a GGUF file"),
        (b"GGUF", "ends within its header"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "GGUF version 1"),
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "GGUF version 99"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "which architecture"),
    ],
)
def test_what_is_not_gguf_is_refused_with_the_reason(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        read_info(put(tmp_path / "m.gguf", data))


@pytest.mark.parametrize(("kind", "word"), [("adapter", "LoRA"), ("mmproj", "projector")])
def test_companions_of_models_are_refused(tmp_path: Path, kind: str, word: str) -> None:
    path = write_model(tmp_path / "m.gguf", metadata={"general.type": kind})
    with pytest.raises(ModelError, match=f"{word}.*, not a model"):
        read_info(path)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"llama.block_count": 0}, "0 layers"),
        ({"llama.block_count": 100_000}, "100000 layers"),
        ({"llama.attention.layer_norm_rms_epsilon": -1.0}, "epsilon is -1.0"),
        ({"llama.rope.freq_base": float("nan")}, "freq_base is nan"),
        ({"llama.expert_used_count": 2}, "2 of 0 experts"),
        ({"llama.expert_count": 8}, "0 of 8 experts"),
        ({"llama.rope.scaling.type": "wild"}, "rope scaling type 'wild'"),
    ],
)
def test_numbers_that_would_end_the_process_are_refused(
    tmp_path: Path, metadata: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        read_info(write_model(tmp_path / "m.gguf", metadata=metadata))


# ------------------------------------------------------------------------- broken and hostile files


def test_a_file_that_lacks_data_says_how_much(tmp_path: Path) -> None:
    large = {"large": np.zeros((1000, 1000), np.float32)}
    data = write_model(tmp_path / "m.gguf", extra=large).read_bytes()
    with pytest.raises(ModelError, match=r"3\.1 MB shorter than its tensors need"):
        read_info(put(tmp_path / "cut.gguf", data[:-3_100_000]))


def test_a_file_cut_anywhere_is_refused(tmp_path: Path, whole: bytes) -> None:
    for end in [*range(400), *range(400, len(whole), 397), len(whole) - 1]:
        with pytest.raises(ModelError, match=r"empty|not a GGUF|ends within|shorter than"):
            read_info(put(tmp_path / "cut.gguf", whole[:end]))


def test_random_corruption_of_the_header_is_read_or_refused(tmp_path: Path, whole: bytes) -> None:
    n_header = len(whole) - read_info(put(tmp_path / "m.gguf", whole)).size
    chance = random.Random(1)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 4, 32])):
            data[chance.randrange(n_header)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
        try:
            read_info(put(tmp_path / "m.gguf", bytes(data)))
            outcomes["read"] += 1
        except ModelError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 50
    assert outcomes["read"] > 0


def entry(key: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


def file_with(entries: list[bytes], tensors: list[bytes] = [], end: bytes = b"") -> bytes:  # noqa: B006
    arch = entry(b"general.architecture", 8, struct.pack("<Q", 5) + b"llama")
    counts = struct.pack("<IQQ", 3, len(tensors), len(entries) + 1)
    return b"".join([b"GGUF", counts, arch, *entries, *tensors, end])


def tensor(name: bytes, shape: list[int], kind: int = 0, offset: int = 0) -> bytes:
    dims = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return struct.pack("<Q", len(name)) + name + dims + struct.pack("<IQ", kind, offset)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), "metadata entries"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "tensors"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**63), "text of"),
        (file_with([entry(b"", 4, b"\0" * 4)]), "empty"),
        (file_with([entry(b"k", 4, b"\0" * 4)] * 2), "repeated"),
        (file_with([entry(b"k", 13, b"")]), "unknown type 13"),
        (file_with([entry(b"k", 8, struct.pack("<Q", 2**40))]), "text of"),
        (file_with([entry(b"k", 9, struct.pack("<IQ", 8, 2**40))]), "strings"),
        (file_with([entry(b"k", 9, struct.pack("<IQ", 4, 2**62))]), "ends within"),
        (file_with([entry(b"k", 9, struct.pack("<IQ", 9, 1))]), "array of the unknown type 9"),
        (file_with([entry(b"k", 9, struct.pack("<IQQ", 8, 9, 2**62))], end=b"\0" * 99), "ends"),
        (file_with([entry(b"general.alignment", 4, struct.pack("<I", 48))]), "alignment"),
        (file_with([], [tensor(b"t", [2**40, 2**40])]), "shorter than its tensors need"),
        (file_with([], [tensor(b"t", [1] * 5)]), "5 dimensions"),
        (file_with([], [tensor(b"t", [32], kind=77)]), "unknown type 77"),
        (file_with([], [tensor(b"t", [33], kind=2)]), "rows of 33"),
        (file_with([], [tensor(b"t", [8]), tensor(b"t", [8], offset=32)]), "one name"),
        (file_with([], [tensor(b"t", [8], offset=999)]), "does not follow"),
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        read_header(put(tmp_path / "m.gguf", data))


def test_text_that_is_not_utf8_does_not_stop_the_reader(tmp_path: Path) -> None:
    name = entry(b"general.name", 8, struct.pack("<Q", 3) + b"a\xff\xfe")
    assert read_info(put(tmp_path / "m.gguf", file_with([name]))).name == "a\ufffd\ufffd"


def test_the_strings_of_all_arrays_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_module, "MAX_STRINGS", 5)
    three = struct.pack("<IQ", 8, 3) + struct.pack("<Q", 0) * 3
    path = put(tmp_path / "m.gguf", file_with([entry(b"a", 9, three), entry(b"b", 9, three)]))
    with pytest.raises(ModelError, match="6 strings"):
        read_info(path)
