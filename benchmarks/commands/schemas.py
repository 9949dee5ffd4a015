"""`schemas`: how long a JSON Schema takes to compile."""

from __future__ import annotations

import click


@click.command(short_help="Measure how long JSON Schemas take to compile.")
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--repeats",
    default=9,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Compilations of each, of which the median counts.",
)
def schemas(model: str, repeats: int) -> None:
    """Compiles schemas of many kinds for the model's vocabulary, each several times.

    Time is the process's own, and the first schema, which prepares the vocabulary, is not counted.
    """
    from benchmarks.schemas import measure
    from mullama.llama.model import LlamaModel
    from mullama.llama.vocab import LlamaVocab
    from mullama.models.gguf import read_info

    with LlamaModel.load(read_info(model), vocab_only=True) as loaded:
        measure(LlamaVocab(loaded), repeats, click.echo)
