"""What this server can't do is refused by name: never answered as if it had not been asked for.

A parameter stands here when leaving it out would change the answer. Each has the values that ask
for nothing, beside null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mullama.api.errors import UNSUPPORTED
from mullama.api.openai.schema import GenerationBody
from mullama.errors import InvalidRequest

# The fields by which answers are constrained; `text.constraint.wire` reads them.
CONSTRAINTS = frozenset(
    {
        "response_format",
        "structured_outputs",
        "grammar",
        "json_schema",
        "format",
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
    }
)

_OURS: Mapping[str, tuple[Any, ...]] = {
    "modalities": (["text"], []),
    "audio": (),
    "moderation": (),
    "web_search_options": (),
    "lora": ([],),
}

# Names that other servers or endpoints know, whose meaning here is the same: something that isn't
# done. Where one is a field of ours (`echo` of completions), it never gets here.
_THEIRS: Mapping[str, tuple[Any, ...]] = {
    "allowed_token_ids": (),
    "bad_words": ([],),
    "best_of": (1,),
    "chat_template": (),
    "documents": ([],),
    "echo": (False,),
    "guided_decoding_backend": (),
    "guided_whitespace_pattern": (),
    "include_stop_str_in_output": (False,),
    "length_penalty": (1, 1.0),
    "logits_processors": ([],),
    "max_new_tokens": (),
    "max_output_tokens": (),
    "n_probs": (0,),
    "negative_prompt": ("",),
    "post_sampling_probs": (False,),
    "prompt_logprobs": (0,),
    "samplers": (),
    "t_max_predict_ms": (-1, 0),
    "truncate_prompt_tokens": (),
    "use_beam_search": (False,),
}

# What is a chat's alone: a plain prompt's thoughts can't be told from its answer.
_OF_CHATS: Mapping[str, tuple[Any, ...]] = {
    "thinking_budget_tokens": (-1,),
    "thinking_budget": (-1,),
    "thinking_token_budget": (-1,),
    "reasoning_budget_tokens": (-1,),
    "reasoning_budget": (-1,),
}

_NOT_FIELDS = {**_THEIRS, **_OF_CHATS}  # a chat has the latter as fields

# The same for texts that are embedded or ranked.
_OF_INPUTS: Mapping[str, tuple[Any, ...]] = {
    "activation": (True,),
    "embd_normalize": (2,),
    "embedding_type": ("float",),
    "embedding_types": (["float"],),
    "input_type": ("",),
    "instruction": ("",),
    "late_chunking": (False,),
    "max_chunks_per_doc": (),
    "normalized": (True,),
    "output_dtype": ("float",),
    "prompt_name": ("",),
    "rank_fields": (["text"],),
    "return_multivector": (False,),
    "softmax": (True,),
    "task": ("",),
    "truncation_direction": ("right", "Right"),
    "truncation_side": ("right",),
    "use_activation": (True,),
}
_IN_CHATS = "Send messages to /v1/chat/completions."
_PREFIX = "Model files say nothing of it: put the prefix that your model wants into the text."

_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(_OF_CHATS, _IN_CHATS),
    "chat_template": "The model's own template is used; /v1/completions takes a ready prompt.",
    **dict.fromkeys(("max_new_tokens", "max_output_tokens"), "Use max_tokens."),
    **dict.fromkeys(("best_of", "echo"), "Send the prompt to /v1/completions."),
    "n_probs": "Use logprobs.",
    "input_type": _PREFIX,
    "instruction": _PREFIX,
    "prompt_name": _PREFIX,
    "task": _PREFIX,
    "embd_normalize": "Use normalize.",
    "normalized": "Use normalize.",
    "embedding_type": "Use encoding_format.",
    "activation": "Use raw_scores.",
    "softmax": "Use raw_scores.",
    "use_activation": "Use raw_scores.",
    "max_chunks_per_doc": "Use max_tokens_per_doc.",
    "prompt_logprobs": "Use echo and logprobs of /v1/completions.",
}


def is_considered(name: str) -> bool:
    """Whether a field that no schema declares is looked at all the same."""
    return name in CONSTRAINTS or name in _THEIRS


def refuse_unsupported(body: GenerationBody) -> None:
    """Raises InvalidRequest, naming the first field that can't be honoured."""
    for name in body.model_fields_set:
        if name in _OURS:
            _check(name, getattr(body, name), _OURS[name])
    for name, value in (body.model_extra or {}).items():
        if name in _NOT_FIELDS:
            _check(name, value, _NOT_FIELDS[name])


def refuse_other_inputs(body: BaseModel) -> None:
    """The same for a body of texts to be embedded or ranked."""
    for name, value in (body.model_extra or {}).items():
        if name in _OF_INPUTS:
            _check(name, value, _OF_INPUTS[name])


def _check(name: str, value: Any, asks_nothing: tuple[Any, ...]) -> None:
    if value is not None and value not in asks_nothing:
        raise unsupported(name, name, _INSTEAD.get(name, "Leave it out."))


def unsupported(what: str, param: str, instead: str) -> InvalidRequest:
    """The refusal of `what`, which stands at `param` in the body."""
    return InvalidRequest(
        f"{what} is not supported here, and the answer would differ without it. {instead}",
        param=param,
        code=UNSUPPORTED,
    )
