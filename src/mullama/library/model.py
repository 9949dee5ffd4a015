"""A model: what its file says, its tokenizer, its chat template, and the weights for contexts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

from mullama.config import ModelOptions
from mullama.errors import InvalidRequest
from mullama.host import wiring
from mullama.library.lifetime import Closable, Weights, close_when_dropped
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.models.builtin import located
from mullama.models.gguf import read_info
from mullama.models.templates import with_response_schema, with_template
from mullama.text.reading import answer_format, conversations
from mullama.text.syntax import Format
from mullama.types import Token

Message = tuple[str, str] | Mapping[str, Any]


class Model(Closable):
    """A loaded GGUF model. Thread-safe; make it with `Model.load`.

    Facts about it stay readable after `close`; everything else then raises InvalidRequest.
    """

    def __init__(self, llama: LlamaModel) -> None:
        self.weights = Weights(llama)
        self._llama = llama
        self._formats: dict[str, Format] = {}  # by template
        self._finalizer = close_when_dropped(self, self.weights.close)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        n_gpu_layers: int = 0,
        use_mmap: bool = True,
        use_mlock: bool = False,
        vocab_only: bool = False,
        *,
        main_gpu: int = 0,
        split_mode: str = "layer",
        tensor_split: Sequence[float] = (),
        device: str = "",
        override_tensor: str = "",
        cpu_moe: bool = False,
        n_cpu_moe: int = 0,
        chat_template: str | tuple[str, ...] = "",
        response_schema: str | tuple[str, ...] = "",
        progress: Callable[[float], object] | None = None,
    ) -> Self:
        """Load a model file; of a split model, give its first part. "mullama-tiny" is the built-in
        model.

        `n_gpu_layers` -1 puts all layers on the GPU; `device` and the names after it are those of
        `ModelOptions`. `vocab_only` loads no weights: the result tokenizes and renders chat
        templates. `chat_template` takes the place of the file's own: Jinja text, or `@` and the
        path of a file. `response_schema`, JSON text or `@` and a path, says how answers of
        `Context.chat` are read instead of what the template shows. `progress` is called with 0.0
        to 1.0.

        Raises NotFound where there is no such file, ModelError, with the reason, for one that can't
        be loaded, and InvalidRequest for devices and buffer types that are not there.
        """
        stated = ModelOptions(
            device=device, override_tensor=override_tensor, cpu_moe=cpu_moe, n_cpu_moe=n_cpu_moe
        )
        placement = replace(
            wiring.placement(stated),
            n_gpu_layers=n_gpu_layers,
            main_gpu=main_gpu,
            split_mode=split_mode,
            tensor_split=tensor_split,
        )
        info = with_template(read_info(located(path)), chat_template)
        return cls(
            LlamaModel.load(
                with_response_schema(info, response_schema),
                use_mmap=use_mmap,
                use_mlock=use_mlock,
                vocab_only=vocab_only,
                placement=placement,
                progress=progress,
            )
        )

    def close(self) -> None:
        """Close the contexts and generators of this model, then free the weights.

        Waits for the running computation. Whoever waits for an answer gets InvalidRequest.
        """
        self._finalizer.detach()
        self.weights.close()

    # -- facts --------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What the file says, or its own name."""
        return self._llama.name

    @property
    def architecture(self) -> str:
        """Such as "llama" or "qwen2"."""
        return self._llama.architecture

    @property
    def description(self) -> str:
        """Architecture, size and quantization, such as "qwen2 494M Q4_K_M"."""
        return self._llama.description

    @property
    def n_params(self) -> int:
        return self._llama.n_params

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return self._llama.size

    @property
    def n_ctx_train(self) -> int:
        """The longest context that it was trained on, in tokens."""
        return self._llama.n_ctx_train

    @property
    def n_embd(self) -> int:
        """Components of its inner state, and so of its embeddings."""
        return self._llama.n_embd

    @property
    def n_layer(self) -> int:
        return self._llama.n_layer

    @property
    def n_head(self) -> int:
        return self._llama.n_head

    @property
    def n_vocab(self) -> int:
        """How many tokens it knows."""
        self.weights.life.check()
        return self._llama.n_vocab

    @property
    def token_bos(self) -> Token | None:
        """The token that begins a text; None where the model has none."""
        self.weights.life.check()
        return self._llama.token_bos

    @property
    def token_eos(self) -> Token | None:
        """The token that ends a text; None where the model has none. See `token_is_eog`."""
        self.weights.life.check()
        return self._llama.token_eos

    def metadata(self) -> dict[str, str]:
        """The file's header, without its arrays: keys such as "general.architecture"."""
        self.weights.life.check()
        return self._llama.metadata()

    # -- text and tokens ----------------------------------------------------------------------

    def tokenize(self, text: str, add_bos: bool = True, special: bool = False) -> list[Token]:
        """The tokens of a text; with `add_bos`, what the model wants around one (BOS, EOS).

        With `special`, text that names a control token (`<|im_end|>`) becomes that token: right for
        a prompt of `apply_chat_template`, wrong for text that somebody else wrote.
        """
        return self._vocab.tokenize(text, add_special=add_bos, parse_special=special)

    def detokenize(
        self,
        tokens: Iterable[Token],
        remove_special: bool = False,
        unparse_special: bool = False,
    ) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD.

        `remove_special` leaves out BOS and EOS at the ends, `unparse_special` writes control tokens
        as text. Raises InvalidRequest for a token that the model does not have.
        """
        return self._vocab.detokenize(
            list(tokens), remove_special=remove_special, unparse_special=unparse_special
        )

    def token_is_eog(self, token: Token) -> bool:
        """Whether the model ends its answers with this token; there may be several."""
        return token in self._vocab.eog

    def apply_chat_template(
        self, messages: Sequence[Message], add_generation_prompt: bool = True
    ) -> str:
        """The prompt for a conversation, as the model's own template writes it.

        A message is ("role", "content"), or a dictionary with at least these keys. With
        `add_generation_prompt` the prompt ends where the assistant's answer begins.

        Raises InvalidRequest where the model has no template, or the template's own words if it
        refuses the conversation.
        """
        self.weights.life.check()
        if self._render is None:
            raise self._no_template()
        return self._render(
            [as_dict(message) for message in messages],
            add_generation_prompt=add_generation_prompt,
        )

    def answer_format(self, *, tools: bool) -> Format:
        """How the model writes its answers to conversations with or without tools.

        It says whether the template knows thoughts (`thinks`) and calls (`calls_tools`), and their
        marks. Raises InvalidRequest where the model has no template.
        """
        info = self._llama.info
        template = conversations(info, tools=tools)
        if not template:
            raise self._no_template()
        if template not in self._formats:
            self._formats[template] = answer_format(template, info.response_schema)
        format = self._formats[template]
        return format if tools else replace(format, calls=None)

    def _no_template(self) -> InvalidRequest:
        return InvalidRequest(
            f"{self.name!r} has no chat template. Write the prompt as the model was trained on it, "
            "and give it to Context.generate.",
            param="messages",
        )

    @property
    def _vocab(self) -> LlamaVocab:
        self.weights.life.check()
        return self._loaded_vocab

    @cached_property
    def _loaded_vocab(self) -> LlamaVocab:
        return LlamaVocab(self._llama)

    @cached_property
    def _render(self) -> Callable[..., str] | None:
        template = wiring.chat_template(self._llama, self._loaded_vocab)
        return None if template is None else template.render


def as_dict(message: Message) -> dict[str, Any]:
    """A message as templates take it. Raises InvalidRequest."""
    if isinstance(message, Mapping):
        return dict(message)
    try:
        role, content = message
    except ValueError:
        raise InvalidRequest(
            f"A message is a role and a content, and one has {len(message)} parts.",
            param="messages",
        ) from None
    return {"role": role, "content": content}
