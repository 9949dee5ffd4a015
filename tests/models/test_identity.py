"""What a model file is: the same for the same content, whatever its name."""

from __future__ import annotations

from pathlib import Path

from mullama.models.identity import identity


def put(folder: Path, *parts: bytes) -> Path:
    """A model in parts; the path of its first."""
    folder.mkdir()
    names = [f"m-{number:05}-of-{len(parts):05}.gguf" for number in range(1, len(parts) + 1)]
    for name, content in zip(names, parts, strict=True):
        (folder / name).write_bytes(content)
    return folder / names[0]


def test_a_name_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"model")
    (tmp_path / "b.gguf").write_bytes(b"model")
    (tmp_path / "c.gguf").write_bytes(b"other")
    assert identity(tmp_path / "a.gguf") == identity(tmp_path / "b.gguf")
    assert identity(tmp_path / "a.gguf") != identity(tmp_path / "c.gguf")


def test_of_a_split_model_every_part_counts(tmp_path: Path) -> None:
    """Two that differ in later parts had each other's prefixes on disk."""
    first = identity(put(tmp_path / "one", b"header", b"weights"))
    assert first == identity(put(tmp_path / "same", b"header", b"weights"))
    assert first != identity(put(tmp_path / "other", b"header", b"Weights"))


def test_a_file_that_is_only_named_like_a_part_is_enough_alone(tmp_path: Path) -> None:
    path = put(tmp_path / "one", b"header", b"weights")
    (tmp_path / "one" / "m-00002-of-00002.gguf").unlink()
    assert identity(path).startswith("6-")
