"""`mullama run`: talk to a model in the terminal. The engine runs in this process, no server."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mullama.cli.exits import OUTPUT_CLOSED
from mullama.cli.models import chosen_model, configured_models, demo_line, model_and_prompt
from mullama.cli.options import config_file, config_options, over
from mullama.config import ModelOptions
from mullama.errors import ContextLengthExceeded, InvalidRequest
from mullama.models.builtin import NAME, located
from mullama.types import EFFORTS

if TYPE_CHECKING:
    from mullama import Context
    from mullama.cli.conversation import Conversation, Wish
    from mullama.cli.output import Progress
    from mullama.config.file import Configuration
    from mullama.types import Constraint

_HELP = "Ctrl-C stops an answer. /clear starts anew; Ctrl-D or /exit ends."
_ENDS = ("/exit", "/quit", "/bye")


@click.command(
    short_help="Talk to a model in the terminal.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("model", metavar="[MODEL.gguf]", required=False)
@click.argument("prompt", required=False)
@click.option("-s", "--system", help="What the model is told to be, before the first turn.")
@click.option("--raw", is_flag=True, help="Continue the text as it is, without a chat template.")
@click.option("-n", "--max-tokens", type=click.IntRange(0), help="Most tokens of one answer.")
@click.option("--temperature", default=0.8, show_default=True, help="0 takes the likeliest token.")
@click.option("--top-k", default=40, show_default=True, help="Only the k likeliest; 0 for all.")
@click.option("--top-p", default=0.95, show_default=True, help="Only the likeliest that sum to p.")
@click.option("--min-p", default=0.05, show_default=True, help="None below p times the likeliest.")
@click.option("--repeat-penalty", default=1.0, show_default=True, help="Above 1 repeats less.")
@click.option("--seed", type=int, help="Makes an answer reproducible; negative: a fresh one.")
@click.option("--stop", multiple=True, help="Text that ends the answer. Repeat it for more.")
@click.option(
    "--thinking",
    type=click.Choice(["on", "off", *EFFORTS[1:]]),
    help="Whether to think before an answer, and how hard, where the model knows that.",
)
@click.option(
    "--json-schema", help="The answer is JSON of this schema: JSON text, or @ and a file's path."
)
@click.option("--regex", help="The answer is matched by this regular expression as a whole.")
@click.option(
    "--grammar", help="The answer is what this allows: GBNF or Lark text, or @ and a file's path."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
)
@config_file
@config_options(ModelOptions)
def run(
    options: ModelOptions,
    model: str | None,
    prompt: str | None,
    raw: bool,
    config: Configuration | None,
    **given: Any,
) -> None:
    """Streams a model's answer to the terminal; everything else goes to stderr.

    PROMPT may also be piped in; with both, the piped text comes first. Without either, it is a
    conversation: Ctrl-C stops an answer, and at the prompt it ends the conversation, as does
    Ctrl-D.

    Without MODEL the built-in mullama-tiny answers, a demo; a PROMPT of one word needs its name
    before it. With --config, MODEL may be the name of a model in it, and without MODEL its first
    one answers.

    \b
    mullama run "What is the capital of France?"
    mullama run model.gguf "Why is the sky blue?"
    mullama run --config mullama.toml chat "Why is the sky blue?"
    git diff | mullama run model.gguf "Write a commit message." --temperature 0
    mullama run model.gguf "Who wrote Dune?" --json-schema @book.json
    """
    from mullama.cli.output import Progress, log_to
    from mullama.cli.terminal import given_text, show

    progress = Progress()
    log_to(progress, given.pop("log_level"))
    wish = _wish(**given)
    model, prompt = model_and_prompt(model, prompt, configured_models({}, config) if config else ())
    text = given_text(prompt, sys.stdin)
    if text is None and not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError("There is no prompt: give one, pipe one in, or use a terminal.")
    path, options = _chosen(model, options, config)
    if path is None:
        progress.line(demo_line("run"))
        path = located(NAME)
    with ExitStack() as stack:
        conversation = _open(stack, path, options, wish, progress, raw=raw)
        try:
            if text is None:
                _converse(conversation)
            else:
                show(conversation.ask(text), sys.stdout)
        except BrokenPipeError:
            _give_up_output()


def _chosen(
    model: str | None, options: ModelOptions, config: Configuration | None
) -> tuple[Path | None, ModelOptions]:
    """The model's file, None where none is given, and its options."""
    if config is None:
        return located(model).expanduser() if model else None, options
    for served in chosen_model(model, config).values():
        return served.path, served.options
    return None, over(config.shared)


def _wish(
    system: str | None,
    max_tokens: int | None,
    stop: tuple[str, ...],
    thinking: str | None,
    json_schema: str | None,
    regex: str | None,
    grammar: str | None,
    **given: Any,
) -> Wish:
    """The answers that the flags ask for."""
    from mullama.cli.conversation import Wish
    from mullama.types import GenerateOptions, SamplerParams

    constraint = _constraint(json_schema, regex, grammar)
    thinks = {"on": True, "off": False}.get(thinking or "", thinking)
    given["penalty_repeat"] = given.pop("repeat_penalty")
    if given["seed"] is not None and given["seed"] < 0:  # as the API and llama.cpp have it
        given["seed"] = None
    try:
        wish = Wish(SamplerParams(**given), max_tokens, stop, system, constraint, thinks)
        GenerateOptions(max_tokens=max_tokens, stop=stop)  # checks them before a model is loaded
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    return wish


def _constraint(
    json_schema: str | None, regex: str | None, grammar: str | None
) -> Constraint | None:
    """What the answer must be, if a flag says so."""
    from mullama.models.templates import stated_text
    from mullama.types import Constraint

    if sum(flag is not None for flag in (json_schema, regex, grammar)) > 1:
        raise click.UsageError("--json-schema, --regex and --grammar: only one of them at a time.")
    if regex is not None:
        return Constraint.regex(regex, param="--regex")
    if grammar is not None:
        return Constraint.grammar(stated_text(grammar, "grammar", "--grammar"), param="--grammar")
    if json_schema is None:
        return None
    text = stated_text(json_schema, "schema", "--json-schema")
    try:
        return Constraint.json_schema(json.loads(text), param="--json-schema")
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--json-schema is not JSON: {error}.") from error


def _open(
    stack: ExitStack,
    path: Path,
    options: ModelOptions,
    wish: Wish,
    progress: Progress,
    *,
    raw: bool,
) -> Conversation:
    """Loads the model, for as long as `stack` is open. Raises MullamaError with the reason."""
    from mullama.cli.conversation import Conversation
    from mullama.models.gguf import read_info
    from mullama.models.templates import with_template
    from mullama.types import ModelKind

    info = with_template(read_info(path), options.chat_template)
    if info.kind is not ModelKind.GENERATE:
        endpoint = "/v1/rerank" if info.kind is ModelKind.RERANK else "/v1/embeddings"
        raise click.UsageError(f"{path.name} writes no text; serve it, for {endpoint}.")
    chats = not raw and bool(info.chat_template)
    if wish.system and not chats:
        raise click.UsageError("--system needs a model with a chat template, and no --raw.")
    if wish.thinking is not None and not chats:
        raise click.UsageError("--thinking needs a model with a chat template, and no --raw.")
    context = _load(stack, path, options, progress)
    if not raw and not chats:
        click.echo("This model has no chat template; it continues your text.", err=True)
    return Conversation(context, wish, chats=chats)


def _load(stack: ExitStack, path: Path, options: ModelOptions, progress: Progress) -> Context:
    from mullama import Context, Model
    from mullama.config import shares
    from mullama.library.options import BY_KEYWORD

    stack.callback(progress.clear)  # where loading fails
    progress.update(f"loading {path.name}")
    model = Model.load(
        path,
        options.gpu_layers,
        options.mmap,
        options.mlock,
        main_gpu=options.main_gpu,
        split_mode=options.split_mode,
        tensor_split=shares(options.tensor_split),
        device=options.device,
        override_tensor=options.override_tensor,
        cpu_moe=options.cpu_moe,
        n_cpu_moe=options.n_cpu_moe,
        chat_template=options.chat_template,
        response_schema=options.response_schema,
        progress=lambda done: progress.update(f"loading {path.name} {done:.0%}"),
    )
    stack.enter_context(model)
    rest = {name: getattr(options, name) for name in BY_KEYWORD}
    context = Context(model, options.context_size, options.batch_size, options.threads, **rest)
    stack.enter_context(context)
    progress.clear()
    return context


def _give_up_output() -> None:
    """The reader has gone: what is still buffered must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise click.exceptions.Exit(OUTPUT_CLOSED)


def _converse(conversation: Conversation) -> None:
    """Turns until the user ends them; Ctrl-C at the prompt is left to raise KeyboardInterrupt."""
    from mullama.cli.terminal import ask_user, show

    click.echo(_HELP, err=True)
    while True:
        try:
            text = ask_user("> ").strip()
        except EOFError:
            click.echo(err=True)
            return
        if text in _ENDS:
            return
        if text == "/clear":
            conversation.clear()
        elif text in ("/help", "/?"):
            click.echo(_HELP, err=True)
        elif text:
            try:
                show(conversation.ask(text), sys.stdout)
            except KeyboardInterrupt:
                continue
            except ContextLengthExceeded as error:
                click.echo(f"{error.message} /clear starts anew.", err=True)
