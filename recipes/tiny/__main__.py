"""`python -m recipes.tiny FOLDER STEP...`: tokenizer, data, train, export, each where it was."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

_HERE = Path(__file__).parent
# What the data and the steps depend on; the rest may change under a run.
_FOLDERS = ("skills", "facts")
_FILES = "words source mixture chats held_out bpe packing generate settings model muon".split()


def fingerprint(recipe: Path = _HERE) -> str:
    """Of all that a folder's contents were made by."""
    paths = [path for name in _FOLDERS for path in (recipe / name).rglob("*.py")]
    paths += [recipe / f"{name}.py" for name in _FILES]
    digest = sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(recipe)}\n{path.read_text()}".encode())
    return digest.hexdigest()


def claim(folder: Path, made_by: str) -> None:
    """Make the folder this recipe's. One that another recipe began is refused, not mixed."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "recipe"
    if not mark.exists():
        mark.write_text(made_by)
    elif mark.read_text() != made_by:
        raise SystemExit(
            f"{folder} was begun by another version of the recipe. Remove it, or name another."
        )


def tokenizer(folder: Path) -> None:
    from recipes.tiny.generate import train_tokenizer

    train_tokenizer(folder)


def data(folder: Path) -> None:
    from recipes.tiny.generate import generate

    tokenizer(folder)
    generate(folder)


def train(folder: Path) -> None:
    from recipes.tiny.train import train

    train(folder)


def export(folder: Path) -> None:
    from recipes.tiny.export import export

    print(export(folder))


STEPS: dict[str, Callable[[Path], None]] = {
    "tokenizer": tokenizer,
    "data": data,
    "train": train,
    "export": export,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.tiny", description=__doc__)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    options = parser.parse_args()
    for name in options.steps:
        if name not in STEPS:
            parser.error(f"there is no step {name!r}, only {', '.join(STEPS)}")
    claim(options.folder, fingerprint())
    for name in options.steps or STEPS:
        STEPS[name](options.folder)


if __name__ == "__main__":
    main()
