"""Writes what pages derive: docs/cli.md, docs/config.md and docs/fields.md from code, the table in
recipes/tiny/README.md from evaluation.json.

python docs/generate.py            writes them
python docs/generate.py --check    fails when they are not what the code says
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from mullama.api.app import BODIES
from mullama.cli import mullama
from mullama.cli.exits import MEANINGS
from mullama.config import ModelOptions, ServerOptions, flag, variable
from mullama.config.names import OTHER_NAMES

ROOT = Path(__file__).parents[1]
TINY = ROOT / "recipes" / "tiny"
NOTE = "<!-- Written by docs/generate.py; change the code, then run it. -->"
TABLE = re.compile(
    r"(?<=<!-- Written by docs/generate.py from evaluation.json. -->\n).*(?=<!-- Until here. -->)",
    re.DOTALL,
)
WIDTH = 100
FILE = """`mullama serve --config mullama.toml` (`-C`, `MULLAMA_CONFIG`) reads models and options
from a file, so that each model has its own. `mullama run` and `mullama api` take the first of them,
or the one whose name they are given: `mullama run --config mullama.toml chat "Hello!"`.

```toml
[server]
host = "0.0.0.0"
port = 8080

[model]                        # options of every model
parallel = 8

[cache]                        # those that begin with cache_
ram = "4GiB"
disk = "20GiB"
disk_path = "cache"
min_tokens = 64

[models.chat]                  # a model by its name; the first one is the default
path = "qwen2.5-7b-instruct.gguf"
context_size = 16384
gpu_layers = -1

[models.embed]
path = "minilm.gguf"
parallel = 2
```

Names are the variables', without `MULLAMA_` and in small letters. A name that means nothing, or a
value that can't be, is refused before anything starts, with its place. Paths are relative to the
file, as are those behind an `@`. What the tables show as values with commas may be lists, the
chat template a list of its pieces, and the response schema a table. Models of the command line are
served before those of the file, with the options of `[model]`; one of the same name takes the place
of the file's path. A flag or a variable holds for every model.

A file whose name ends in `.json` is JSON with the same sections. One model can also be in `model`
itself, with its `path` and an `alias`, as llama-cpp-python's example server has it:

```json
{
  "server": {"port": 8000},
  "model": {"path": "qwen.gguf", "alias": "qwen", "n_ctx": 32768, "flash_attn": true},
  "disk_cache": {"path": ".cache", "max_bytes": 1073741824, "min_tokens": 128}
}
```

Its names for options are understood beside ours: {others}. What a file of its kind can say and this
server can't do yet (`from_pretrained`, `mtmd`, `loras`, a second model for drafts) is refused by
name."""


def cli_page() -> str:
    """Every command's --help, as it prints."""
    parts = [
        "# Command line",
        NOTE,
        "Options of servers and models can also be set by environment variables and in a file; a "
        "flag wins over both. [Configuration](config.md) lists them all in one table.",
        "## Exit codes",
        table(["code", "meaning"], [[str(code), text] for code, text in MEANINGS.items()]),
    ]
    for name, command in commands():
        parts += [f"## {name}", f"```\n{help_text(name, command)}\n```"]
    return "\n\n".join(parts) + "\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    yield "mullama", mullama
    for name, command in mullama.commands.items():
        yield f"mullama {name}", command


def help_text(name: str, command: click.Command) -> str:
    context = click.Context(
        command, info_name=name, max_content_width=WIDTH, **command.context_settings
    )
    context.terminal_width = WIDTH  # whatever terminal this runs in
    return command.get_help(context)


def config_page() -> str:
    """Every option: field, flag, variable, default, help."""
    parts = [
        "# Configuration",
        NOTE,
        "An option is a flag of the command line, or else an environment variable, or else what a "
        "[file](#a-file) says, or else its default. Short flags stand beside the long ones, and "
        "`-m` is a model. On or off: `--mmap` or `--no-mmap`, `MULLAMA_MMAP=1` or `0`.",
    ]
    for title, kind in (("Server", ServerOptions), ("Models", ModelOptions)):
        parts += [f"## {title}", options_table(kind)]
    others = ", ".join(f"`{other}` for `{name}`" for other, name in OTHER_NAMES.items())
    parts += ["## A file", FILE.replace("{others}", others)]
    return "\n\n".join(parts) + "\n"


def options_table(kind: type[Any]) -> str:
    rows = []
    for item in fields(kind):
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        rows.append(
            [
                " ".join(f"`{word}`" for word in (flag(item), *item.metadata["short"])),
                f"`{variable(item)}`",
                f"`{default}`" if default != "" else "",
                item.metadata["help"],
            ]
        )
    return table(["flag", "variable", "default", "what it does"], rows)


def fields_page() -> str:
    """Every field of every request body: name, type, description."""
    parts = [
        "# Fields of requests",
        NOTE,
        "A field of null counts as left out. A hint is accepted and changes no answer. A refused "
        "field would change the answer in a way that this server can't: it is answered with 400, "
        "naming it. A field that is not listed changes nothing, and the response names it in the "
        "header `x-mullama-ignored`. [Server](server.md) has examples.",
    ]
    parts_of_bodies: dict[str, Any] = {}
    for body in BODIES:
        schema = body.model_json_schema()
        parts_of_bodies |= schema.pop("$defs", {})
        parts += [f"## {body.__doc__}", fields_table(schema)]
    for name, schema in parts_of_bodies.items():
        parts += [f"## {name}", schema["description"], fields_table(schema)]
    return "\n\n".join(parts) + "\n"


def fields_table(schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        [
            f"`{name}`",
            type_of(field) + (", required" if name in required else ""),
            field.get("description", ""),
        ]
        for name, field in schema["properties"].items()
    ]
    return table(["field", "type", "what it does"], rows)


def type_of(field: dict[str, Any]) -> str:
    """A JSON schema's type in words."""
    if "$ref" in field:
        return str(field["$ref"].rsplit("/", 1)[-1])
    for union in ("anyOf", "oneOf"):
        if union in field:
            words = [type_of(one) for one in field[union]]
            return " or ".join(dict.fromkeys(word for word in words if word != "null"))
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "anything")
    if kind == "array":
        return f"list of {type_of(field.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def recipe_page() -> str:
    """The recipe's page, with the figures of the model that it made."""
    figures = evaluation(json.loads((TINY / "evaluation.json").read_text()))
    return TABLE.sub(lambda _: f"\n{figures}\n\n", (TINY / "README.md").read_text())


def evaluation(document: dict[str, Any]) -> str:
    """A table of two families a line, and which file it is of."""
    families, model = document["families"], document["model"]
    cells = [[f"`{it}`", str(of["n"]), f"{of['percent']:.1f}"] for it, of in families.items()]
    half = (len(cells) + 1) // 2
    others = [*cells[half:], ["", "", ""]]
    rows = [[*one, *other] for one, other in zip(cells, others, strict=False)]
    n, right = (sum(of[key] for of in families.values()) for key in ("n", "right"))
    head = ["family", "asked", "% right"]
    return (
        f"{model['name']} {model['version']}, {model['bytes']:,} bytes: {100 * right / n:.1f}% of "
        f"{n:,} questions.\n\n{table([*head, *head], rows)}"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines
    )


PAGES = {
    "docs/cli.md": cli_page,
    "docs/config.md": config_page,
    "docs/fields.md": fields_page,
    "recipes/tiny/README.md": recipe_page,
}


def main(args: list[str]) -> int:
    """Writes the pages, or with --check compares them; returns the exit code."""
    stale = [
        name
        for name, page in PAGES.items()
        if not (ROOT / name).exists() or (ROOT / name).read_text() != page()
    ]
    if args == ["--check"]:
        for name in stale:
            print(f"{name} is not what it derives from; run: python docs/generate.py")
        return 1 if stale else 0
    for name in stale:
        (ROOT / name).write_text(PAGES[name]())
        print(f"{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
