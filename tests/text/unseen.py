"""Templates of models that nobody has seen: made up, in the ways in which real ones differ.

Each is written with the pieces below, or by hand where the whole is what is odd about it. `CALLS`
are ways to write calls, `THOUGHTS` ways to write thoughts, `MANNERS` what else templates do.
"""

# ruff: noqa: E501  (templates read best as their lines are)

from __future__ import annotations

from dataclasses import dataclass, replace

_TOOLS = (
    "{%- if tools %}{{ '<|system|>You have tools:\n' }}"
    "{%- for tool in tools %}{{ tool | tojson }}{{ '\n' }}{%- endfor %}{{ '<|end|>\n' }}{%- endif %}"
)


@dataclass(frozen=True)
class Model:
    """A template, what models write by it, and what they can.

    `thought` is what stands around one, "" where it knows none; `opens` is whether the prompt
    opens it. `many` is whether a message can have several calls, `calls` whether there are any.
    """

    name: str
    source: str
    thought: tuple[str, str] = ("", "")
    opens: bool = False
    calls: bool = True
    many: bool = True
    head: str = "<|assistant|>\n"
    turn_end: str = "<|end|>\n"


def chat(
    call: str = "",
    *,
    begin: str = "",
    between: str = "",
    end: str = "",
    thought: tuple[str, str] | None = None,
    opened: bool = False,
    empty: bool = False,
    last_only: bool = False,
    head: str = "<|assistant|>\n",
    turn_end: str = "<|end|>\n",
    tools: str = _TOOLS,
    before: str = "",
) -> str:
    """A template. `call` is Jinja for the call `f` with arguments `a`; other texts are literal."""
    think = ""
    if thought:
        shown = "loop.index0 > ns.last" if last_only else "true"
        think = (
            f"{{%- if m.reasoning_content and {shown} %}}{{{{ {thought[0]!r} }}}}"
            f"{{{{ m.reasoning_content }}}}{{{{ {thought[1]!r} }}}}{{%- endif %}}"
        )
    calls = ""
    if call:
        calls = (
            f"{{%- if m.tool_calls %}}{{{{ {begin!r} }}}}{{%- for c in m.tool_calls %}}"
            "{%- set f = c.function %}{%- set a = f.arguments %}"
            f"{{%- if not loop.first %}}{{{{ {between!r} }}}}{{%- endif %}}{call}{{%- endfor %}}"
            f"{{{{ {end!r} }}}}{{%- endif %}}"
        )
    opening = ""
    if thought and opened:
        opening = f"{{{{ {thought[0]!r} }}}}"
    if thought and empty:
        opening = (
            "{%- if enable_thinking is defined and not enable_thinking %}"
            f"{{{{ {thought[0] + thought[1]!r} }}}}{{%- else %}}{opening}{{%- endif %}}"
        )
    last = (
        "{%- set ns = namespace(last=-1) %}{%- for m in messages %}{%- if m.role == 'user' %}"
        "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
        if last_only
        else ""
    )
    return (
        f"{before}{tools}{last}{{%- for m in messages %}}{{%- if m.role == 'assistant' %}}"
        f"{{{{ {head!r} }}}}{think}{{{{ m.content or '' }}}}{calls}{{{{ {turn_end!r} }}}}"
        f"{{%- else %}}{{{{ '<|' + m.role + '|>\n' + m.content + {turn_end!r} }}}}{{%- endif %}}"
        f"{{%- endfor %}}{{%- if add_generation_prompt %}}{{{{ {head!r} }}}}{opening}{{%- endif %}}"
    )


def tagged(begin: str, key_end: str, end: str, wrap: str = "") -> str:
    """Jinja for arguments of which each stands between marks."""
    value = "{{ v if v is string else v | tojson }}"
    return f"{{%- for k, v in a.items() %}}{wrap}{begin}{{{{ k }}}}{key_end}{value}{end}{{%- endfor %}}"


NAME, JSON = "{{ f.name }}", "{{ a | tojson }}"
_PYTHON = (
    "{{ f.name }}({%- for k, v in a.items() %}{{ k }}={{ v | tojson }}"
    "{{ ', ' if not loop.last }}{%- endfor %})"
)

CALLS = [
    Model("attribute", chat(f'<call name="{NAME}">{JSON}</call>', between="\n")),
    Model(
        "invoke",
        chat(
            f'<invoke name="{NAME}">\n'
            + tagged('<parameter name="', '">', "</parameter>{{ '\n' }}")
            + "</invoke>{{ '\n' }}",
            begin="<function_calls>\n",
            end="</function_calls>",
        ),
    ),
    Model(
        "dsml",
        chat(
            f"<｜Ω｜call name=\"{NAME}\">{{{{ '\n' }}}}"
            "{%- for k, v in a.items() %}<｜Ω｜arg name=\"{{ k }}\" text=\"{{ 'true' if v is string else 'false' }}\">"
            "{{ v if v is string else v | tojson }}</｜Ω｜arg>{{ '\n' }}{%- endfor %}</｜Ω｜call>{{ '\n' }}",
            begin="<｜Ω｜calls>\n",
            end="</｜Ω｜calls>",
        ),
    ),
    Model(
        "list after a token",
        chat(
            f'{{{{ \'{{"name": "\' }}}}{NAME}", "arguments": {JSON}}}',
            begin="<|tools|>[",
            between=", ",
            end="]",
        ),
    ),
    Model(
        "list between tokens",
        chat(
            f'{{{{ \'{{"name": "\' }}}}{NAME}", "arguments": {JSON}}}',
            begin="<|call|>[",
            between=", ",
            end="]<|/call|>",
        ),
    ),
    Model(
        "parameters",
        chat(
            f'<do>{{{{ \'{{"tool_name": "\' }}}}{NAME}", "parameters": {JSON}}}</do>', between="\n"
        ),
    ),
    Model("args", chat(f'<fn>{{{{ \'{{"function": "\' }}}}{NAME}", "args": {JSON}}}</fn>')),
    Model(
        "action",
        chat(
            f'```tool\n{{{{ \'{{"action": "\' }}}}{NAME}", "action_input": {JSON}}}\n```',
            between="\n",
        ),
    ),
    Model(
        "arguments first", chat(f'<t>{{{{ \'{{"arguments": \' }}}}{JSON}, "name": "{NAME}"}}</t>')
    ),
    Model(
        "bare object", chat(f'{{{{ \'{{"name": "\' }}}}{NAME}", "parameters": {JSON}}}'), many=False
    ),
    Model(
        "bare list",
        chat(
            f'{{{{ \'{{"name": "\' }}}}{NAME}", "arguments": {JSON}}}',
            begin="[",
            between=", ",
            end="]",
        ),
    ),
    Model(
        "text in json",
        chat(
            f'<call>{{{{ \'{{"name": "\' }}}}{NAME}", "arguments": {{{{ a | tojson | tojson }}}}}}</call>',
            between="\n",
        ),
    ),
    Model(
        "whole call",
        chat(
            "<call>{{ {'id': c.id, 'type': 'function', 'function': {'name': f.name, 'arguments': a}} | tojson }}</call>",
            between="\n",
        ),
    ),
    Model(
        "calls as json",
        chat("{%- if loop.first %}<calls>{{ m.tool_calls | tojson }}</calls>{%- endif %}"),
    ),
    Model("python list", chat(_PYTHON, begin="[", between=", ", end="]")),
    Model(
        "python between tokens",
        chat(_PYTHON, begin="<|python_start|>[", between=", ", end="]<|python_end|>"),
    ),
    Model("python lines", chat(_PYTHON, begin="<code>\n", between="\n", end="\n</code>")),
    Model("react", chat(f"Action: {NAME}\nAction Input: {JSON}", between="\n"), many=False),
    Model("react lines", chat(f"Action: {NAME}\nAction Input: {JSON}\n")),
    Model(
        "fenced",
        chat(
            f'```tool_call\n{{{{ \'{{"name": "\' }}}}{NAME}", "arguments": {JSON}}}\n```',
            between="\n",
        ),
    ),
    Model("name, json", chat(f"<|call|>{NAME}\n{JSON}<|end_call|>")),
    Model("name in tag, json", chat(f"<tool={NAME}>{JSON}</tool>", between="\n")),
    Model("name as tag", chat(f"<{NAME}>{JSON}</{NAME}>", between="\n")),
    Model("name in fence", chat(f"```{NAME}\n{JSON}\n```", between="\n")),
    Model("parentheses", chat(f"<|fn|>{NAME}({JSON})<|/fn|>", between="\n")),
    Model("recipient", chat(f"<|to|>{NAME}<|json|>{JSON}<|done|>")),
    Model("id before", chat(f"[CALL]{NAME}[ID]{{{{ c.id }}}}[ARGS]{JSON}")),
    Model("id after", chat(f"<call>{NAME} {JSON} <id>{{{{ c.id }}}}</id></call>", between="\n")),
    Model(
        "id attribute", chat(f'<call id="{{{{ c.id }}}}" name="{NAME}">{JSON}</call>', between="\n")
    ),
    Model(
        "separators",
        chat(
            f"<|tool|>{NAME}" + tagged("<|key|>", "<|val|>", "<|/val|>") + "<|/tool|>", between="\n"
        ),
    ),
    Model(
        "lines",
        chat(f"<call>{NAME}\n" + tagged("<k>", "</k>\n", "{{ '\n' }}") + "</call>", between="\n"),
    ),
    Model(
        "section",
        chat(f"<|one|>{NAME}<|args|>{JSON}<|/one|>", begin="<|section|>", end="<|/section|>"),
    ),
    Model("section, lines", chat(f"- {NAME}: {JSON}\n", begin="<calls>\n", end="</calls>")),
    Model(
        "one call",
        chat(
            f"<call>{NAME}|{JSON}</call>",
            before="{%- for m in messages %}{%- if m.tool_calls and m.tool_calls | length > 1 %}{{ raise_exception('Only one call a message') }}{%- endif %}{%- endfor %}",
        ),
        many=False,
    ),
    Model("name as key", chat("<call>{{ {f.name: a} | tojson }}</call>", between="\n")),
    Model(
        "name as key, section",
        chat(
            "{{ '{\"' + f.name + '\": ' }}{{ a | tojson }}{{ '}' }}",
            begin="<tools>[",
            between=", ",
            end="]</tools>",
        ),
    ),
    Model(
        "yaml",
        chat(
            "<call>\nname: {{ f.name }}\narguments:\n{%- for k, v in a.items() %}{{ '\n  ' + k + ': ' }}{{ v | tojson }}{%- endfor %}{{ '\n' }}</call>",
            between="\n",
        ),
    ),
    Model(
        "elements",
        chat(
            "<{{ f.name }}>{{ '\n' }}{%- for k, v in a.items() %}<{{ k }}>{{ v if v is string else v | tojson }}</{{ k }}>{{ '\n' }}{%- endfor %}</{{ f.name }}>",
            between="\n",
        ),
    ),
    Model(
        "elements in call",
        chat(
            "<call><name>{{ f.name }}</name><arguments>{%- for k, v in a.items() %}<{{ k }}>{{ v if v is string else v | tojson }}</{{ k }}>{%- endfor %}</arguments></call>",
            between="\n",
        ),
    ),
    Model("name twice", chat(f'<|to|>{NAME}<|text|><run name="{NAME}">{JSON}</run>', between="\n")),
    Model(
        "numbered from one",
        chat(f'<call name="{NAME}" number="{{{{ loop.index }}}}">{JSON}</call>', between="\n"),
    ),
    Model(
        "typed",
        chat(
            f'<call name="{NAME}">'
            "{%- for k, v in a.items() %}<arg name=\"{{ k }}\" type=\"{{ 'string' if v is string else 'boolean' if v is boolean else 'integer' if v is integer else 'number' if v is number else 'null' if v is none else 'object' if v is mapping else 'array' }}\">"
            "{{ v if v is string else v | tojson }}</arg>{%- endfor %}</call>",
            between="\n",
        ),
    ),
    Model("other brackets", chat(f"◁call▷{NAME}◁args▷{JSON}◁/call▷")),
    Model(
        "upper case",
        chat(
            f'[TOOL_REQUEST]{{{{ \'{{"name": "\' }}}}{NAME}", "arguments": {JSON}}}[END_TOOL_REQUEST]',
            between="\n",
        ),
    ),
    Model(
        "json of indent",
        chat(
            "<call>\n{{ {'name': f.name, 'arguments': a} | tojson(indent=2) }}\n</call>",
            between="\n",
        ),
    ),
    Model("as text only", chat("<call>{{ f.name + ' ' + a }}</call>", between="\n")),
    Model(
        "mapping only",
        chat(
            "{%- if a is mapping %}<call>{{ f.name }} {{ a | tojson }}</call>{%- endif %}",
            between="\n",
        ),
    ),
    Model(
        "either",
        chat("<call>{{ f.name }} {{ a if a is string else a | tojson }}</call>", between="\n"),
    ),
]

_T = [
    ("reasoning", ("<reasoning>\n", "\n</reasoning>\n\n")),
    ("thought tokens", ("<|thought|>", "<|/thought|>")),
    ("brackets", ("[THOUGHT]", "[/THOUGHT]")),
    ("triangles", ("◁think▷", "◁/think▷")),
    ("scratchpad", ("<scratchpad>\n", "\n</scratchpad>\n")),
    ("begin and end", ("<|begin_of_thought|>\n", "\n<|end_of_thought|>\n\n")),
    ("unlike", ("<|plan|>", "<|speak|>")),
    ("words", ("Thought: ", "\nAnswer: ")),
    ("heading", ("### Reasoning\n", "\n### Response\n")),
    ("corners", ("【思考】", "【/思考】")),
]


def thinking(model: Model, marks: tuple[str, str]) -> Model:
    """The same model, which thinks before it calls."""
    before = f"{{%- if m.reasoning_content %}}{{{{ {marks[0]!r} + m.reasoning_content + {marks[1]!r} }}}}{{%- endif %}}"
    words = "{{ m.content or '' }}"
    assert words in model.source
    source = model.source.replace(words, before + words)
    return replace(model, name=f"{model.name}, thought", source=source, thought=marks)


BOTH = [thinking(model, _T[number % len(_T)][1]) for number, model in enumerate(CALLS)]

_HERMES = "<tool_call>\n{{ {'name': f.name, 'arguments': a} | tojson }}\n</tool_call>"
THOUGHTS = [
    Model(
        name + kind, chat(_HERMES, between="\n", begin="\n", thought=marks, **given), marks, opens
    )
    for name, marks in _T
    for kind, given, opens in (
        ("", {}, False),
        (", opened", {"opened": True}, True),
        (", empty", {"empty": True}, False),
        (", opened or empty", {"opened": True, "empty": True, "last_only": True}, True),
        (", last only", {"last_only": True}, False),
    )
]

# ------------------------------------------------------------------------------ whole templates

_PLAIN = "{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}"
_GENERATION = "{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{%- endif %}"


def _loop(body: str, before: str = "", messages: str = "messages") -> str:
    return f"{before}{{%- for m in {messages} %}}{body}{{%- endfor %}}{_GENERATION}"


def _raises(when: str, words: str = "No.") -> str:
    return f"{{%- if {when} %}}{{{{ raise_exception({words!r}) }}}}{{%- endif %}}"


_CALLS = (
    '{%- for c in m.tool_calls or [] %}{{ \'\n<tool_call>\n{"name": "\' + c.function.name + \'", "arguments": \' }}'
    "{{ c.function.arguments | tojson }}{{ '}\n</tool_call>' }}{%- endfor %}"
)
_ANY = "{{ '<|' + m.role + '|>\n' + (m.content or '') }}" + _CALLS + "{{ '<|end|>\n' }}"

MANNERS = [
    Model("no system", _loop(_raises("m.role == 'system'") + _PLAIN), calls=False),
    Model(
        "no tool role",
        _loop(_raises("m.role not in ['user', 'assistant', 'system']") + _PLAIN),
        calls=False,
    ),
    Model(
        "alternation",
        _loop(
            _raises("(m.role == 'user') != (loop.index0 % 2 == 0)", "Roles must alternate") + _PLAIN
        ),
        calls=False,
    ),
    Model(
        "system, then alternation",
        "{%- if messages[0].role == 'system' %}{%- set rest = messages[1:] %}{{ messages[0].content + '\n\n' }}"
        "{%- else %}{%- set rest = messages %}{%- endif %}"
        + _loop(_raises("(m.role == 'user') != (loop.index0 % 2 == 0)") + _PLAIN, messages="rest"),
        calls=False,
    ),
    Model(
        "first message is the user's",
        "{{ messages[0]['content'] }}|"
        + _loop(_raises("loop.first and m.role != 'user'") + _PLAIN),
        calls=False,
    ),
    Model("content must be there", _loop(_raises("not m.content") + _PLAIN), calls=False),
    Model(
        "content by key",
        _loop("{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}"),
        calls=False,
    ),
    Model(
        "trims", _loop("{{ '<|' + m.role + '|>\n' + m.content | trim + '<|end|>\n' }}"), calls=False
    ),
    Model(
        "parts only",
        _loop(
            "{{ '<|' + m.role + '|>\n' }}{%- for p in m.content %}{%- if p.type == 'text' %}{{ p.text }}{%- elif p.type == 'image' %}<image>{%- endif %}{%- endfor %}{{ '<|end|>\n' }}"
        ),
        calls=False,
    ),
    Model(
        "parts of the user only",
        _loop(
            "{{ '<|' + m.role + '|>\n' }}{%- if m.role == 'user' %}{%- for p in m.content %}{{ p['text'] }}{%- endfor %}{%- else %}{{ m.content }}{%- endif %}{{ '<|end|>\n' }}"
        ),
        calls=False,
    ),
    Model(
        "first part",
        _loop(
            "{{ '<|' + m.role + '|>\n' }}{{ m.content[0].text if m.content is not string else m.content }}{{ '<|end|>\n' }}"
        ),
        calls=False,
    ),
    Model(
        "last message only",
        "<|user|>\n{{ messages[-1].content }}<|end|>\n" + _GENERATION,
        calls=False,
    ),
    Model(
        "macro",
        "{%- macro turn(role, text) %}{{ '<|' + role + '|>\n' + text + '<|end|>\n' }}{%- endmacro %}"
        + _loop("{{ turn(m.role, m.content) }}"),
        calls=False,
    ),
    Model(
        "macro with call",
        "{%- macro turn(role) %}{{ '<|' + role + '|>\n' }}{{ caller() }}{{ '<|end|>\n' }}{%- endmacro %}"
        + _loop("{%- call turn(m.role) %}{{ m.content }}{%- endcall %}"),
        calls=False,
    ),
    Model(
        "namespace",
        "{%- set ns = namespace(system='', n=0) %}{%- for m in messages if m.role == 'system' %}{%- set ns.system = ns.system + m.content %}{%- endfor %}{{ ns.system }}"
        + _loop(
            "{%- if m.role != 'system' %}{%- set ns.n = ns.n + 1 %}{{ '[' ~ ns.n ~ ']' }}"
            + _PLAIN
            + "{%- endif %}"
        ),
        calls=False,
    ),
    Model(
        "break",
        "{%- for m in messages %}{%- if loop.index > 50 %}{%- break %}{%- endif %}{%- if not m.content %}{%- continue %}{%- endif %}"
        + _PLAIN
        + "{%- endfor %}"
        + _GENERATION,
        calls=False,
    ),
    Model(
        "dates",
        "{{ '<|system|>\nToday is ' + strftime_now('%Y-%m-%d') + '<|end|>\n' }}" + _loop(_PLAIN),
        calls=False,
    ),
    Model(
        "generation",
        _loop(
            "{%- if m.role == 'assistant' %}{{ '<|assistant|>\n' }}{% generation %}{{ m.content }}{% endgeneration %}{{ '<|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}"
        ),
        calls=False,
    ),
    Model(
        "filters",
        _loop(
            "{{ ['<|', m.role, '|>\n'] | join }}{{ m.content | replace('\r', '') | trim }}{{ '<|end|>\n' }}"
        ),
        calls=False,
    ),
    Model(
        "set block",
        _loop(
            "{%- set t %}{{ m.content }}{%- endset %}{{ '<|' ~ m.role ~ '|>\n' ~ t ~ '<|end|>\n' }}"
        ),
        calls=False,
    ),
    Model(
        "role map",
        "{%- set names = {'system': 'SYS', 'user': 'USR', 'assistant': 'BOT'} %}{%- for m in messages %}{{ '<|' + names[m.role] + '|>' + m.content + '<|end|>' }}{%- endfor %}{%- if add_generation_prompt %}<|BOT|>{%- endif %}",
        calls=False,
        head="<|BOT|>",
        turn_end="<|end|>",
    ),
    Model(
        "inst",
        "{{ bos_token }}{%- for m in messages %}{%- if m.role == 'user' %}[INST] {{ m.content }} [/INST]{%- elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}{%- else %}{{ raise_exception('Only user and assistant roles are supported!') }}{%- endif %}{%- endfor %}",
        calls=False,
        head=" ",
        turn_end="</s>",
    ),
    Model(
        "always generates",
        "{%- for m in messages %}" + _PLAIN + "{%- endfor %}<|assistant|>\n",
        calls=False,
        turn_end="<|end|>\n<|assistant|>\n",
    ),
    Model(
        "tools as texts",
        _loop(
            _ANY,
            "{%- if tools %}{%- set ns = namespace(t='') %}{%- for t in tools %}{%- set ns.t = ns.t + (t if t is string else t | tojson) + '\n' %}{%- endfor %}{{ '<|system|>\n' + ns.t + '<|end|>\n' }}{%- endif %}",
        ),
    ),
    Model(
        "tools must be texts",
        _loop(_ANY, "{%- if tools %}{{ '<|system|>\n' + tools + '<|end|>\n' }}{%- endif %}"),
    ),
    Model(
        "tools in the user's turn",
        "{%- for m in messages %}{%- if loop.last and tools %}{{ '[TOOLS]' }}{{ tools | tojson }}{{ '[/TOOLS]' }}{%- endif %}"
        + _ANY
        + "{%- endfor %}"
        + _GENERATION,
    ),
    Model(
        "tools by key",
        _loop(
            _ANY,
            "{%- for t in tools or [] %}{{ '<|system|>\n' + t['function']['name'] + ': ' + t['function']['description'] + ' ' }}{%- for n, p in t.function.parameters.properties.items() %}{{ n + ' (' + p.type + ') ' }}{%- endfor %}{{ '<|end|>\n' }}{%- endfor %}",
        ),
    ),
    Model(
        "tool results by name",
        _loop(
            "{%- if m.role == 'tool' %}{{ '<|tool ' + m.name + ' ' + m.tool_call_id + '|>\n' + m.content + '<|end|>\n' }}{%- else %}"
            + _ANY
            + "{%- endif %}",
            _TOOLS,
        ),
    ),
    Model(
        "results as objects",
        _loop(
            "{%- if m.role == 'tool' %}{{ '<|tool|>\n' }}{{ {'result': m.content} | tojson }}{{ '<|end|>\n' }}{%- else %}"
            + _ANY
            + "{%- endif %}",
            _TOOLS,
        ),
    ),
    Model(
        "content or calls",
        _loop(
            "{%- if m.tool_calls %}{{ '<|assistant|>\n' }}"
            + _CALLS
            + "{{ '<|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}",
            _TOOLS,
        ),
    ),
    Model(
        "calls only where content is null",
        _loop(
            "{%- if m.content is none %}{{ '<|assistant|>\n' }}"
            + _CALLS
            + "{{ '<|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}",
            _TOOLS,
        ),
    ),
    Model("refuses tools", _raises("tools") + _loop(_PLAIN), calls=False),
    Model(
        "ipython",
        _loop(
            "{%- if m.role == 'tool' or m.role == 'ipython' %}{{ '<|ipython|>\n' + m.content + '<|end|>\n' }}{%- elif m.tool_calls is defined and m.tool_calls %}"
            + _raises("m.tool_calls | length != 1")
            + "{{ '<|assistant|>\n{\"name\": \"' + m.tool_calls[0].function.name + '\", \"parameters\": ' }}{{ m.tool_calls[0].function.arguments | tojson }}{{ '}<|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}",
            _TOOLS,
        ),
        many=False,
    ),
    Model(
        "ids of nine",
        _loop(
            "{%- for c in m.tool_calls or [] %}"
            + _raises(
                "c.id is undefined or c.id | length != 9",
                "Tool call IDs should be alphanumeric strings with length 9!",
            )
            + "{{ '[C]' }}{{ {'name': c.function.name, 'arguments': c.function.arguments, 'id': c.id} | tojson }}{%- endfor %}{%- if not m.tool_calls %}"
            + _PLAIN
            + "{%- endif %}",
            _TOOLS,
        ),
    ),
    Model(
        "unicode",
        _loop("{{ '【' + m.role + '】' + m.content + '〖終〗' }}").replace(
            "<|assistant|>\n", "【assistant】"
        ),
        calls=False,
        head="【assistant】",
        turn_end="〖終〗",
    ),
    Model(
        "no role marks", "{%- for m in messages %}{{ m.content + '\n' }}{%- endfor %}", calls=False
    ),
    Model(
        "threefold marks",
        _loop("{{ '<' * 3 + m.role + '>' * 3 + m.content + '\n' }}").replace(
            "<|assistant|>\n", "<<<assistant>>>"
        ),
        calls=False,
        head="<<<assistant>>>",
        turn_end="\n",
    ),
    Model(
        "another head in the prompt",
        _loop("{{ '<' + m.role + '>' + m.content + '\n' }}"),
        calls=False,
        head="<assistant>",
        turn_end="\n",
    ),
    Model(
        "undefined names",
        _loop(
            "{{ '<|' + m.role + '|>\n' + m.content }}{{ nothing }}{{ '<|end|>\n' }}",
            "{%- if documents %}{{ documents }}{%- endif %}",
        ),
        calls=False,
    ),
    Model(
        "strips old thoughts",
        _loop(
            "{%- set t = m.content %}{%- if m.role == 'assistant' and '</think>' in t %}{%- set t = t.split('</think>')[-1] %}{%- endif %}{{ '<|' + m.role + '|>\n' + t + '<|end|>\n' }}"
        ),
        ("<think>", "</think>"),
        calls=False,
    ),
    Model(
        "thought in content",
        _loop(
            "{%- if m.role == 'assistant' and m.thinking is defined and m.thinking %}{{ '<|assistant|>\n<mull>' + m.thinking + '</mull>' + m.content + '<|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}"
        ),
        ("<mull>", "</mull>"),
        calls=False,
    ),
    Model(
        "thought as part",
        _loop(
            "{{ '<|' + m.role + '|>\n' }}{%- if m.content is string %}{{ m.content }}{%- else %}{%- for p in m.content %}{%- if p.type == 'thinking' %}{{ '[MULL]' + p.thinking + '[/MULL]' }}{%- else %}{{ p.text }}{%- endif %}{%- endfor %}{%- endif %}{{ '<|end|>\n' }}"
        ),
        ("[MULL]", "[/MULL]"),
        calls=False,
    ),
]


# ------------------------------------------------------------------------------ thoughts by hand


def _ended(body: str, opening: str) -> str:
    """A template whose prompt has this behind the head of an answer."""
    return (
        f"{{%- for m in messages %}}{body}{{%- endfor %}}"
        f"{{%- if add_generation_prompt %}}{{{{ '<|assistant|>\n' }}}}{opening}{{%- endif %}}"
    )


# Template, what the model writes for the thought "Hm" and the answer "Yes", and variables.
MARKED: dict[str, tuple[str, str, dict[str, bool]]] = {
    "hidden opened": (_ended(_PLAIN, "<ponder>{{ '\n' }}"), "Hm\n</ponder>\n\nYes", {}),
    "hidden opened tokens": (_ended(_PLAIN, "<|begin_thought|>"), "Hm<|end_thought|>Yes", {}),
    "hidden tokens slash": (_ended(_PLAIN, "<|thought|>"), "Hm<|/thought|>Yes", {}),
    "hidden triangles": (_ended(_PLAIN, "◁think▷"), "Hm◁/think▷Yes", {}),
    "hidden brackets": (_ended(_PLAIN, "[THINKING]"), "Hm[/THINKING]Yes", {}),
    "hidden empty if disabled": (
        _ended(
            _PLAIN,
            "{%- if enable_thinking is defined and not enable_thinking %}<muse>\n\n</muse>\n\n{%- endif %}",
        ),
        "<muse>\nHm\n</muse>\n\nYes",
        {},
    ),
    "hidden empty, with a word": (
        _ended(
            _PLAIN,
            "{%- if not enable_thinking | default(false) %}<|side>thought{{ '\n' }}<side|>{%- endif %}",
        ),
        "<|side>thought\nHm\n<side|>Yes",
        {"enable_thinking": True},
    ),
    "opened if enabled": (
        _ended(_PLAIN, "{%- if enable_thinking %}<muse>{{ '\n' }}{%- endif %}"),
        "Hm\n</muse>\n\nYes",
        {"enable_thinking": True},
    ),
    "opened if thinking": (
        _ended(_PLAIN, "{%- if thinking %}<muse>{%- else %}</muse>{%- endif %}"),
        "Hm</muse>Yes",
        {"enable_thinking": True},
    ),
    "closed if not": (
        _ended(_PLAIN, "{%- if not thinking %}</muse>{%- endif %}"),
        "Yes",
        {"enable_thinking": False},
    ),
    "split content": (
        _ended(
            "{%- set t=m.content %}{%- if m.role=='assistant' and '</muse>' in t %}{%- set t=t.split('</muse>')[-1].lstrip() %}{%- endif %}{{ '<|'+m.role+'|>\n'+t+'<|end|>\n' }}",
            "",
        ),
        "<muse>Hm</muse>Yes",
        {},
    ),
    "split, opened": (
        _ended(
            "{%- set t=m.content %}{%- if m.role=='assistant' and '</muse>' in t %}{%- set t=t.split('</muse>')[-1].lstrip() %}{%- endif %}{{ '<|'+m.role+'|>\n'+t+'<|end|>\n' }}",
            "<muse>",
        ),
        "Hm</muse>Yes",
        {},
    ),
    "field thought": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.thought %}{{ '<cog>'+m.thought+'</cog>' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "<cog>Hm</cog>Yes",
        {},
    ),
    "field thoughts": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.thoughts is defined %}{{ '<cog>'+m.thoughts+'</cog>' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "<cog>Hm</cog>Yes",
        {},
    ),
    "field reasoning": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.get('reasoning') %}{{ '<cog>'+m.reasoning+'</cog>' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "<cog>Hm</cog>Yes",
        {},
    ),
    "field thinking by key": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if 'thinking' in m %}{{ '<cog>'+m['thinking']+'</cog>' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "<cog>Hm</cog>Yes",
        {},
    ),
    "always marks": (
        _ended(
            "{%- if m.role=='assistant' %}{{ '<|assistant|>\n<cog>\n'+(m.reasoning_content or '')+'\n</cog>\n\n'+m.content+'<|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}",
            "<cog>{{ '\n' }}",
        ),
        "Hm\n</cog>\n\nYes",
        {},
    ),
    "content marks": (
        _ended(
            "{%- if m.role=='assistant' %}{{ '<|assistant|>\n' }}{%- if m.reasoning_content %}{{ '<think>'+m.reasoning_content+'</think>' }}{%- endif %}{{ '<answer>'+m.content+'</answer><|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}",
            "",
        ),
        "<think>Hm</think><answer>Yes</answer>",
        {},
    ),
    "content marks, opened": (
        _ended(
            "{%- if m.role=='assistant' %}{{ '<|assistant|>\n' }}{%- if m.reasoning_content %}{{ '<think>'+m.reasoning_content+'</think>' }}{%- endif %}{{ '<answer>'+m.content+'</answer><|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}",
            "<think>",
        ),
        "Hm</think>\n<answer>Yes</answer>",
        {},
    ),
    "effort": (
        _ended(
            _PLAIN,
            "{%- if reasoning_effort is defined and reasoning_effort == 'none' %}<no_think>{%- endif %}",
        ),
        "<think>Hm</think>Yes",
        {},
    ),
    "r1 plain": (_ended(_PLAIN, ""), "<think>\nHm\n</think>\n\nYes", {}),
    "only last": (
        _ended(
            "{%- if loop.last and m.reasoning_content %}{{ '<|assistant|>\n<cog>'+m.reasoning_content+'</cog>'+m.content+'<|end|>\n' }}{%- else %}"
            + _PLAIN
            + "{%- endif %}",
            "",
        ),
        "<cog>Hm</cog>Yes",
        {},
    ),
    "beside calls only": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.tool_calls and m.reasoning_content %}{{ '<cog>'+m.reasoning_content+'</cog>' }}{%- endif %}{{ m.content }}{%- for c in m.tool_calls or [] %}{{ '<c>' + c.function.name + ' ' }}{{ c.function.arguments | tojson }}{{ '</c>' }}{%- endfor %}{{ '<|end|>\n' }}",
            "",
        ),
        "<cog>Hm</cog>Yes",
        {},
    ),
    "last user only, disabled var": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.reasoning_content and loop.index0 > last_user|default(-1) %}{{ '<cog>'+m.reasoning_content+'</cog>' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "{%- if enable_thinking is defined and enable_thinking is false %}<cog></cog>{%- else %}<cog>{%- endif %}",
        ),
        "Hm</cog>Yes",
        {},
    ),
    "html-ish": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.reasoning_content %}{{ '<details type=\"reasoning\">'+m.reasoning_content+'</details>' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        '<details type="reasoning">Hm</details>Yes',
        {},
    ),
    "stars": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.reasoning_content %}{{ '***thinking***\n'+m.reasoning_content+'\n***done***\n' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "***thinking***\nHm\n***done***\nYes",
        {},
    ),
    "curly": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.reasoning_content %}{{ '{thought: '+m.reasoning_content+'}' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "{thought: Hm}Yes",
        {},
    ),
    "fence": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.reasoning_content %}{{ '```thinking\n'+m.reasoning_content+'\n```\n' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "```thinking\nHm\n```\nYes",
        {},
    ),
    "same mark": (
        _ended(
            "{{ '<|'+m.role+'|>\n' }}{%- if m.reasoning_content %}{{ '<|think|>'+m.reasoning_content+'<|think|>' }}{%- endif %}{{ m.content+'<|end|>\n' }}",
            "",
        ),
        "<|think|>Hm<|think|>Yes",
        {},
    ),
}
