"""`model`: something to measure with."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.shapes import SHAPES

_existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Make a model file with random weights.")
@click.option("--shape", required=True, type=click.Choice(list(SHAPES)))
@click.option(
    "--vocab", required=True, type=_existing_file, help="A GGUF file whose tokenizer is taken."
)
@click.option("--template", type=_existing_file, help="A chat template, as Jinja.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--quantize", metavar="KIND", help="Such as Q4_K_M. Default: F16.")
@click.option("--seed", default=0, show_default=True, help="Of the weights.")
def model(
    shape: str, vocab: Path, template: Path | None, out: Path, quantize: str | None, seed: int
) -> None:
    """Makes a model file with random weights in the shape of a real model.

    It is as fast and as large as the real one, with its tokenizer; what it writes is nonsense.
    """
    from benchmarks.synthetic import make

    make(SHAPES[shape], vocab, out, template=template, quantization=quantize, seed=seed)
    click.echo(f"{out}: {out.stat().st_size / 1e6:.0f} MB")
