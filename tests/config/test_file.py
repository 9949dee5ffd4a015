"""What a configuration file says, and what it is told when it says it wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mullama.config import ModelOptions, ServerOptions
from mullama.config.file import Configuration, ConfiguredModel, read
from mullama.errors import InvalidRequest


def toml(folder: Path, text: str) -> Configuration:
    path = folder / "mullama.toml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def refused(folder: Path, text: str, name: str = "mullama.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest) as caught:
        read(path)
    assert str(path) in caught.value.message
    return caught.value.message.replace(f"{path}: ", "").replace(str(path), "FILE")


def test_each_section_has_its_options(tmp_path: Path) -> None:
    found = toml(
        tmp_path,
        """
        [server]
        port = 3000
        cors_origins = ["http://a", "http://b"]
        load_wait = 5
        [model]
        parallel = 4
        tensor_split = [3, 1]
        override_tensor = ["exps=CPU"]
        [cache]
        ram = "2GiB"
        disk = 1000000
        disk_path = "cache"
        min_tokens = 64
        [models.chat]
        path = "chat.gguf"
        context_size = 8192
        [models.embed]
        path = "~/embed.gguf"
        parallel = 2
        cache = {ram = 0, disk_path = ""}
        """,
    )
    common = {
        "tensor_split": "3,1",
        "override_tensor": "exps=CPU",
        "cache_disk": "1000000",
        "cache_min_tokens": 64,
    }
    disk = str(tmp_path / "cache")
    shared = ModelOptions(parallel=4, cache_ram="2GiB", cache_disk_path=disk, **common)
    assert found == Configuration(
        tmp_path,
        ServerOptions(port=3000, cors_origins="http://a,http://b", load_wait=5),
        shared,
        (
            ConfiguredModel(
                "chat",
                "chat.gguf",
                ModelOptions(
                    parallel=4,
                    cache_ram="2GiB",
                    cache_disk_path=disk,
                    context_size=8192,
                    **common,
                ),
            ),
            ConfiguredModel(
                "embed",
                "~/embed.gguf",
                ModelOptions(parallel=2, cache_ram="0", cache_disk_path="", **common),
            ),
        ),
    )


def test_llama_cpp_python_s_sections_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "qwen.json"
    schema = {"type": "object", "properties": {"content": {"type": "string", "x-regex": "(.*)"}}}
    path.write_text(
        json.dumps(
            {
                "server": {"host": "0.0.0.0", "port": 8000},
                "model": {
                    "path": "/models/qwen.gguf",
                    "alias": "qwen",
                    "n_ctx": 32768,
                    "n_seq_max": 64,
                    "n_batch": 128,
                    "n_ubatch": 128,
                    "threads": 4,
                    "threads_batch": 8,
                    "kv_unified": True,
                    "store_logits": False,
                    "use_mmap": False,
                    "use_mlock": True,
                    "n_gpu_layers": -1,
                    "split_mode": 2,
                    "main_gpu": 0,
                    "tensor_split": [1.0],
                    "flash_attn": True,
                    "offload_kqv": False,
                    "op_offload": None,
                    "chat_template": ["{{ bos_token }}", "{{ messages[0].content }}"],
                    "response_schema": schema,
                    "draft_model": "prompt-lookup-decoding",
                    "draft_model_num_pred_tokens": 8,
                    "draft_model_max_ngram_size": 4,
                },
                "disk_cache": {"path": ".cache", "max_bytes": 1 << 30, "min_tokens": 128},
            }
        )
    )
    found = read(path)
    assert found.server == ServerOptions(host="0.0.0.0", port=8000)
    assert found.models == (
        ConfiguredModel(
            "qwen",
            "/models/qwen.gguf",
            ModelOptions(
                gpu_layers=-1,
                context_size=32768,
                parallel=64,
                batch_size=128,
                ubatch_size=128,
                threads=4,
                threads_batch=8,
                flash_attn="on",
                cache_disk_path=str(tmp_path / ".cache"),
                cache_disk=str(1 << 30),
                cache_min_tokens=128,
                draft_model_num_pred_tokens=8,
                draft_model_max_ngram_size=4,
                mmap=False,
                mlock=True,
                split_mode="row",
                tensor_split="1.0",
                kv_offload=False,
                chat_template=("{{ bos_token }}", "{{ messages[0].content }}"),
                response_schema=json.dumps(schema),
            ),
        ),
    )


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert toml(tmp_path, "") == Configuration(tmp_path, ServerOptions(), ModelOptions(), ())


def test_files_that_are_named_lie_beside_the_configuration(tmp_path: Path) -> None:
    found = toml(
        tmp_path,
        """
        [model]
        chat_template = "@chat.jinja"
        response_schema = "@/etc/schema.json"
        """,
    )
    assert found.shared.chat_template == f"@{tmp_path / 'chat.jinja'}"
    assert found.shared.response_schema == "@/etc/schema.json"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sever]\n", "FILE has no section 'sever'; did you mean 'server'?"),
        ("[server]\nprot = 1", "server has no option 'prot'; did you mean 'port'?"),
        ("[cache]\nramm = 1", "cache has no option 'ramm'; did you mean 'ram'?"),
        ("[model]\nzzz = 1", "model has no option 'zzz'; docs/config.md lists them."),
        ("[model]\nn_ctxx = 1", "model has no option 'n_ctxx'; did you mean 'n_ctx'?"),
        ("[models.a]\nparallel = 1", "models.a has no `path`: give the path of its GGUF file."),
        ("[models.a]\npath = 1", "models.a has path = 1, which must be a text."),
        ("[models.a]\npath = ' '", "models.a has path = ' ', which must be a text."),
        ("[models]\na = 'x.gguf'", "models.a must be a section."),
        ("[models.a]\npath='x'\nalias='b'", "models.a needs no `alias`: the model is called 'a'."),
        (
            "[model]\nalias = 'a'",
            "model has an `alias` but no `path`: give the path of the GGUF file.",
        ),
        ("[server]\nport = 70000", "server is wrong: port is 70000; it must be 0 to 65535."),
        (
            "[model]\nparallel = 'four'",
            "model is wrong: parallel is 'four'; it must be a whole number.",
        ),
        (
            "[model]\nn_ctx = 1\ncontext_size = 2",
            "model has 'context_size', but context_size is given already, by another name.",
        ),
        (
            "[cache]\nmin_tokens = 1\n[disk_cache]\nmin_tokens = 2",
            "disk_cache has 'min_tokens', but cache_min_tokens is given already, by another name.",
        ),
        (
            "[model]\nkv_unified = false",
            "model has kv_unified = False, but sequences always share one KV cache here, whose "
            "size is context_size.",
        ),
        (
            "[model]\nloras = []",
            "model has 'loras', which is not supported yet; leave it out.",
        ),
        (
            "[model.from_pretrained]\nrepo_id = 'a/b'",
            "model has 'from_pretrained', which is not supported yet: give the `path` of a GGUF "
            "file.",
        ),
        ("[model]\nchat_template = [1]", "model has a chat_template with other parts than texts."),
        ("[model]\nchat_template = 1", "model has a chat_template that is no text."),
        ("[model]\nresponse_schema = [1]", "model has a response_schema that is no text."),
        (
            "port = 1",
            "FILE has no section 'port'; it can have server, model, models, cache, disk_cache.",
        ),
        ("a = ", "FILE is not TOML: Invalid value (at end of document)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text) == message


@pytest.mark.parametrize(
    "option", ["context_size", "cache_ram", "flash_attn", "split_mode", "mmap"]
)
@pytest.mark.parametrize("value", ["[1]", "{}", "1.5", "'?'", "-7"])
def test_a_value_of_another_kind_is_refused_whatever_it_is(
    tmp_path: Path, option: str, value: str
) -> None:
    assert option in refused(tmp_path, f"[model]\n{option} = {value}")


def test_json_is_told_by_the_name(tmp_path: Path) -> None:
    assert refused(tmp_path, "[server]", "x.json").startswith("FILE is not JSON: Expecting value")
    assert refused(tmp_path, "[]", "y.json") == "FILE must be an object with sections."
    assert "is not JSON" in refused(tmp_path, "[" * 100_000, "z.json")


def test_a_file_that_can_t_be_read_says_why(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InvalidRequest, match=why):
            read(path)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(InvalidRequest, match=r"latin.toml is not TOML: .*utf-8"):
        read(tmp_path / "latin.toml")
