"""What a model file is, whatever it is called: its size and a hash of samples of its bytes.

Reading all of a large file takes minutes. The header, which names and places every tensor, and
pieces spread over the rest tell any two models apart that anybody made; who forges one to have
another's cache harms only the own answers.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from mullama.models.gguf import parts

HEAD_BYTES = 4 << 20
PIECE_BYTES = 64 << 10
N_PIECES = 64


def identity(path: str | Path) -> str:
    """A text that is the same for the same content; of a split model, of all its parts. Raises
    OSError."""
    digest, n_bytes = blake2b(digest_size=16), 0
    for part in parts(Path(path)):
        n_bytes += _add(digest, part)
    return f"{n_bytes}-{digest.hexdigest()}"


def _add(digest: blake2b, path: Path) -> int:
    """Digest a file's size and samples; returns its size."""
    size = path.stat().st_size
    digest.update(str(size).encode())
    with open(path, "rb") as file:
        digest.update(file.read(HEAD_BYTES))
        for number in range(1, N_PIECES + 1):
            file.seek(max(0, size * number // N_PIECES - PIECE_BYTES))
            digest.update(file.read(PIECE_BYTES))
    return size
