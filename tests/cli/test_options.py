"""Flags and variables made from the option dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import click
import pytest
from click.testing import CliRunner

from mullama.cli.models import (
    chosen_model,
    configured_models,
    default_name,
    model_and_prompt,
    named_models,
)
from mullama.cli.options import config_options, over
from mullama.cli.serve import api
from mullama.config import ModelOptions, ServedModel, ServerOptions, variable
from mullama.config.file import Configuration, read

Seen = TypeVar("Seen")


@click.command()
@config_options(ServerOptions, ModelOptions)
def show(server: ServerOptions, model: ModelOptions) -> None:
    click.echo(repr((server, model)))


def parsed(*args: str, **env: str) -> str:
    result = CliRunner().invoke(show, args, env=env)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def refused(*args: str, **env: str) -> str:
    result = CliRunner().invoke(show, args, env=env)
    assert result.exit_code == 2
    return result.output.splitlines()[-1]


def test_without_flags_every_option_has_its_default() -> None:
    assert parsed() == repr((ServerOptions(), ModelOptions()))


def test_every_option_is_a_flag_and_a_variable() -> None:
    text = CliRunner().invoke(show, ["--help"]).output
    words = set(text.replace(";", " ").replace("]", " ").split())
    for item in (*fields(ServerOptions), *fields(ModelOptions)):
        assert "--" + item.name.replace("_", "-") in words
        assert variable(item) in words


def test_short_flags() -> None:
    expected = ServerOptions(host="0.0.0.0", port=3000), ModelOptions(gpu_layers=35)
    assert parsed("-h", "0.0.0.0", "-p", "3000", "-ngl", "35") == repr(expected)
    assert parsed("-h0.0.0.0", "-p3000", "-ngl=35") == repr(expected)


def test_a_switch_has_two_flags() -> None:
    expected = ServerOptions(), ModelOptions(mmap=False, mlock=True)
    assert parsed("--no-mmap", "--mlock") == repr(expected)


def test_placement_has_the_flags_of_llama_server() -> None:
    expected = ModelOptions(
        device="CUDA0,CUDA1",
        override_tensor=r"blk\.0=CPU,exps=CPU",
        cpu_moe=True,
        n_cpu_moe=3,
        kv_offload=False,
        op_offload=False,
    )
    short = ("-dev", "CUDA0,CUDA1", "-ot", r"blk\.0=CPU,exps=CPU", "-cmoe", "-ncmoe", "3", "-nkvo")
    assert parsed(*short, "--no-op-offload") == repr((ServerOptions(), expected))
    long = ("--device", "CUDA0,CUDA1", "--override-tensor", r"blk\.0=CPU,exps=CPU", "--cpu-moe")
    more = ("--n-cpu-moe", "3", "--no-kv-offload", "--no-op-offload")
    assert parsed(*long, *more) == repr((ServerOptions(), expected))


def test_overrides_may_be_given_one_by_one() -> None:
    """The last flag alone would win."""
    expected = ModelOptions(override_tensor="a=CPU,b=CPU")
    assert parsed("-ot", "a=CPU", "-ot=b=CPU") == repr((ServerOptions(), expected))
    assert parsed(MULLAMA_OVERRIDE_TENSOR="a=CPU,b=CPU") == repr((ServerOptions(), expected))


def test_a_flag_wins_over_the_environment() -> None:
    assert parsed(MULLAMA_PORT="1", MULLAMA_MMAP="off") == repr(
        (ServerOptions(port=1), ModelOptions(mmap=False))
    )
    assert parsed("-p", "2", MULLAMA_PORT="1") == repr((ServerOptions(port=2), ModelOptions()))


def test_an_empty_variable_is_no_value() -> None:
    assert parsed(MULLAMA_PORT="") == parsed()


@pytest.mark.parametrize(
    ("args", "env", "words"),
    [
        (["--port", "x"], {}, ["--port", "'x'"]),
        (["--port", "70000"], {}, ["--port", "70000", "65535"]),
        (["--parallel", "0"], {}, ["--parallel", "at least", "1"]),
        (["--flash-attn", "maybe"], {}, ["--flash-attn", "maybe", "on, off, auto"]),
        (["--load-wait", "nan"], {}, ["--load-wait", "nan"]),
        ([], {"MULLAMA_PORT": "x"}, ["MULLAMA_PORT", "'x'"]),
        ([], {"MULLAMA_MMAP": "perhaps"}, ["MULLAMA_MMAP", "perhaps"]),
    ],
)
def test_a_bad_value_is_named(args: list[str], env: dict[str, str], words: list[str]) -> None:
    message = refused(*args, **env)
    assert all(word in message.replace("the least is", "at least") for word in words), message


@pytest.mark.parametrize(
    ("argument", "name", "path"),
    [
        ("a.gguf", "a", "a.gguf"),
        ("some/folder/b.Q4_K_M.gguf", "b.Q4_K_M", "some/folder/b.Q4_K_M.gguf"),
        ("big-00001-of-00003.gguf", "big", "big-00001-of-00003.gguf"),
        ("chat=x.gguf", "chat", "x.gguf"),
        ("org/model:7b=x.gguf", "org/model:7b", "x.gguf"),
        ("chat=a=b.gguf", "chat", "a=b.gguf"),
    ],
)
def test_a_model_argument_has_a_name_and_a_path(argument: str, name: str, path: str) -> None:
    assert named_models([argument]) == {name: Path(path)}


def test_a_path_with_an_equals_sign_is_a_path_when_it_exists(tmp_path: Path) -> None:
    path = tmp_path / "temp=0.gguf"
    path.touch()
    assert named_models([str(path)]) == {"temp=0": path}


def test_a_tilde_behind_a_name_is_the_home_folder() -> None:
    assert named_models(["chat=~/x.gguf"]) == {"chat": Path.home() / "x.gguf"}


def test_models_keep_their_order() -> None:
    assert list(named_models(["z.gguf", "a=z.gguf", "m.gguf"])) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.gguf", "b/a.gguf"], "Two models are called 'a'"),
        (["=x.gguf"], "'' can't be a model's name"),
        (["default=x.gguf"], "'default' can't be a model's name"),
        (["a\nb=x.gguf"], "can't be a model's name"),
        (["chat="], "No path is given for 'chat'"),
    ],
)
def test_a_bad_model_argument_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(click.UsageError, match="--model NAME=") as caught:
        named_models(arguments)
    assert words in caught.value.message


FILE = """
[server]
port = 1
[model]
parallel = 2
threads = 3
[models.chat]
path = "chat.gguf"
parallel = 4
[models.embed]
path = "/embed.gguf"
"""


def beside_file(
    folder: Path, use: Callable[[Configuration, tuple[str, ...]], Seen], *args: str, **env: str
) -> Seen:
    """What `use` makes of FILE, in a folder, and of a command line's arguments."""
    seen: list[Seen] = []
    (folder / "x.toml").write_text(FILE)

    @click.command()
    @click.argument("models", nargs=-1)
    @config_options(ServerOptions, ModelOptions)
    def see(server: ServerOptions, model: ModelOptions, models: tuple[str, ...]) -> None:
        seen.append(use(read(folder / "x.toml"), models))

    result = CliRunner().invoke(see, args, env=env)
    assert result.exit_code == 0, result.output
    return seen[0]


def configured(folder: Path, *args: str, **env: str) -> tuple[int, dict[str, ServedModel]]:
    """The port and the models of a command line beside FILE in a folder."""

    def use(file: Configuration, models: tuple[str, ...]) -> tuple[int, dict[str, ServedModel]]:
        return over(file.server).port, configured_models(named_models(models), file)

    return beside_file(folder, use, *args, **env)


def chosen(folder: Path, *args: str) -> dict[str, ServedModel]:
    """The model of a command that takes one, beside FILE in a folder."""
    return beside_file(
        folder, lambda file, given: chosen_model(next(iter(given), None), file), *args
    )


def test_a_file_s_options_hold_where_no_flag_and_no_variable_says_another(tmp_path: Path) -> None:
    chat = ServedModel(tmp_path / "chat.gguf", ModelOptions(parallel=4, threads=3))
    embed = ServedModel(Path("/embed.gguf"), ModelOptions(parallel=2, threads=3))
    assert configured(tmp_path) == (1, {"chat": chat, "embed": embed})
    args = ("--port", "8080", "--parallel", "16")
    port, models = configured(tmp_path, *args, MULLAMA_THREADS="0")
    assert port == 8080, "a flag that says the default says it"
    assert {model.options for model in models.values()} == {ModelOptions(parallel=16, threads=0)}


def test_models_of_the_command_line_come_before_a_file_s(tmp_path: Path) -> None:
    _, models = configured(tmp_path, "a.gguf", "embed=b.gguf")
    assert list(models) == ["a", "embed", "chat"]
    shared = ModelOptions(parallel=2, threads=3)
    assert models["a"] == ServedModel(Path("a.gguf"), shared)
    assert models["embed"] == ServedModel(Path("b.gguf"), shared)


def test_a_command_for_one_model_takes_a_file_s_first_or_one_by_name(tmp_path: Path) -> None:
    chat = ServedModel(tmp_path / "chat.gguf", ModelOptions(parallel=4, threads=3))
    embed = ServedModel(Path("/embed.gguf"), ModelOptions(parallel=2, threads=3))
    assert chosen(tmp_path) == {"chat": chat}
    assert chosen(tmp_path, "embed") == {"embed": embed}
    flagged = replace(embed.options, threads=5)
    assert chosen(tmp_path, "embed", "--threads", "5") == {"embed": replace(embed, options=flagged)}


def test_a_command_for_one_model_takes_a_path_with_what_a_file_says_of_it(tmp_path: Path) -> None:
    shared = ModelOptions(parallel=2, threads=3)
    assert chosen(tmp_path, "a.gguf") == {"a": ServedModel(Path("a.gguf"), shared)}
    of_chat = replace(shared, parallel=4)
    assert chosen(tmp_path, "b/chat.gguf") == {"chat": ServedModel(Path("b/chat.gguf"), of_chat)}


def test_one_argument_of_run_may_be_a_file_s_name_for_a_model() -> None:
    assert model_and_prompt("chat", None, ("chat", "embed")) == ("chat", None)
    with pytest.raises(click.UsageError, match="mullama run chat Hello"):
        model_and_prompt("Hello", None, ("chat", "embed"))


def test_api_serves_one_model_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took no --config, and MULLAMA_CONFIG was not looked at."""
    seen: list[tuple[list[str], int]] = []
    module = import_module("mullama.cli.serve")
    monkeypatch.setattr(
        module, "_serve", lambda models, options, *_: seen.append((list(models), options.port))
    )
    (tmp_path / "x.toml").write_text(FILE)
    config = str(tmp_path / "x.toml")
    for args, env in ((["-C", config], {}), (["embed"], {"MULLAMA_CONFIG": config})):
        result = CliRunner().invoke(api, args, env=env)
        assert result.exit_code == 0, result.output
    assert seen == [(["chat"], 1), (["embed"], 1)]


def test_a_flag_that_can_t_stand_beside_the_file_is_named() -> None:
    result = CliRunner().invoke(show_beside, ["--cache-ram", "0"])
    assert result.exit_code == 2
    assert "Invalid value for --cache-ram: cache_disk_path needs cache_ram" in result.output


@click.command()
@config_options(ModelOptions)
def show_beside(options: ModelOptions) -> None:
    over(ModelOptions(cache_disk_path="x"))


def test_the_default_name_of_a_file_without_suffix_is_its_name() -> None:
    assert default_name(Path("models/weights")) == "weights"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--cache-type-k", "q3"], "cache_type_k is 'q3'; it must be one of f32, f16"),
        (["--cache-type-v", "f17"], "cache_type_v is 'f17'"),
        (["--cache-type-v", "q8_0", "--flash-attn", "off"], "needs flash attention"),
        (["--tensor-split", "3,one"], "such as 3,1"),
        (["--queue-size", "0"], "the least is 1"),
        (["--device", "CUDA0,"], "device is 'CUDA0,'; it must be names separated by commas"),
        (["--device", "CUDA0,none"], "or none alone"),
        (["--device", "CUDA0,cuda0"], "each once"),
        (["--override-tensor", "exps"], "override_tensor has 'exps'; it must be patterns and"),
        (["--override-tensor", "exps="], "override_tensor has 'exps='"),
        (["--override-tensor", "=CPU"], "override_tensor has '=CPU'"),
        (["--override-tensor", "a{1,2}=CPU"], "A pattern can have no comma"),
        (["--override-tensor", "(a=CPU"], "the pattern '(a', which is no regular expression"),
        (["--override-tensor", "(?i)a=CPU"], "ECMAScript's have no (?i"),
        (["--n-cpu-moe", "-1"], "the least is 0"),
    ],
)
def test_what_no_model_could_be_loaded_with_is_refused_at_the_start(
    flags: list[str], words: str
) -> None:
    """It was only found when the model was loaded."""
    assert words in refused(*flags)


@pytest.mark.parametrize(
    ("given", "model", "prompt"),
    [
        ((None, None), None, None),
        (("mullama-tiny", None), "mullama-tiny", None),
        (("a.gguf", "Hi"), "a.gguf", "Hi"),
        (("a.gguf", None), "a.gguf", None),
        (("my model.gguf", None), "my model.gguf", None),
        ((__file__, None), __file__, None),
        (("Why is the sky blue?", None), None, "Why is the sky blue?"),
        (("Hello!", None), None, "Hello!"),
        (("12+30", None), None, "12+30"),
        (("word " * 2000, None), None, "word " * 2000),
    ],
)
def test_one_argument_of_run_is_a_model_or_a_prompt(
    given: tuple[str | None, str | None], model: str | None, prompt: str | None
) -> None:
    assert model_and_prompt(*given) == (model, prompt)


@pytest.mark.parametrize("word", ["Hello", "llama3", "models/chat", "./chat", r"C:\chat"])
def test_a_word_that_is_no_file_is_not_guessed_at(word: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        model_and_prompt(word, None)
    assert f"mullama run mullama-tiny {word}" in caught.value.message
