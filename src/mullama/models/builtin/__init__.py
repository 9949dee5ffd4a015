"""The model that comes with the package: a demo, so that the first answer needs no download.

`mullama-tiny` is its name wherever a model's path is taken as text; a file that is called so is
`./mullama-tiny`, or a `Path`. It lies beside this module; `recipes/tiny` in the repository made it.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from mullama.errors import ModelError

NAME = "mullama-tiny"


def located(path: str | os.PathLike[str]) -> Path:
    """A model's path: the built-in one's for its name, else what is given.

    Raises ModelError where the package has lost its model.
    """
    return builtin_path() if path == NAME else Path(path)


def builtin_path() -> Path:
    """Where the built-in model lies. Raises ModelError where the package has lost it."""
    path = Path(str(files(__name__) / f"{NAME}.gguf"))
    if not path.is_file():
        raise ModelError(
            f"The built-in model is missing: there is no {path}. Install mullama again, or give "
            "another model's path."
        )
    return path
