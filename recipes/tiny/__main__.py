"""`python -m recipes.tiny FOLDER STEP...`: tokenizer, data, train, export, each where it was."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


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
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.steps or STEPS:
        STEPS[name](options.folder)


if __name__ == "__main__":
    main()
