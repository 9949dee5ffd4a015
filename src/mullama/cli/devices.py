"""`mullama devices`: the names that --device and --override-tensor take, and the memory there."""

from __future__ import annotations

import click


@click.command(
    short_help="List what models can be put on.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def devices() -> None:
    """Lists the devices that llama.cpp was built for and finds on this machine.

    --device takes their names, --override-tensor those of their buffer types. The CPU has what is
    on no other device, and is not named for --device; all of its memory counts as free.
    """
    from mullama.llama.devices import devices as found

    head = ("name", "kind", "buffer type", "free", "total", "description")
    lines = [
        (
            *(one.name, one.kind, one.buffer_type),
            *(_size(one.memory_free), _size(one.memory_total), one.description),
        )
        for one in found()
    ]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    for line in (head, *lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"
