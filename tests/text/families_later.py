"""More families of models whose templates are not in the data, as in `families`: the later ones."""

# ruff: noqa: E501  (templates read best as their lines are)

from __future__ import annotations

from tests.text import families
from tests.text.families import (
    ARGUMENTS,
    CALL,
    CHATML,
    JSON,
    OTHERS,
    TIME,
    Family,
    chatml,
    each,
)

_MCP = (
    "<use_mcp_tool>\n<server_name>{}</server_name>\n<tool_name>{}</tool_name>\n<arguments>\n{}"
    "\n</arguments>\n</use_mcp_tool>"
)
_LOOK = _MCP.format("default", "get_weather", ARGUMENTS)
_LAST_PART = (
    "{% set t = m.content or '' %}{% set parts = t.split('<answer>\\n') %}{% if parts | length > 1 %}{% set t = parts[-1].split('\\n</answer>')[0] %}"
    "{% else %}{% set t = t.split('<think_off>')[-1].lstrip('\\n') %}{% set t = t.split('</think>')[-1].lstrip('\\n') %}{% endif %}{{ t }}"
)
_BRACED = "call:get_weather{city:<|q|>Paris<|q|>,days:3}"

FAMILIES = [
    *families.FAMILIES,
    # Gemma 4, as it was published last: an answer that ends with calls hands over to the tools.
    Family(
        "gemma-4, handing over",
        "{% if tools %}<|turn>system\n{% for t in tools %}<|tool>{{ t | tojson }}<tool|>{% endfor %}<turn|>\n{% endif %}{% for m in messages %}"
        "{% if m.role == 'tool' %}<|tool_response>{{ m.content }}<tool_response|>{% else %}<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
        "{% for c in m.tool_calls %}<|tool_call>call:{{ c.function.name }}{{ '{' }}{% for k, v in c.function.arguments.items() %}{{ k }}:{{ '<|q|>' + v + '<|q|>' if v is string else v | tojson }}{{ ',' if not loop.last }}{% endfor %}{{ '}' }}<tool_call|>{% endfor %}"
        "{{ m.content or '' }}{% if m.tool_calls and loop.last %}<|tool_response>{% elif not m.tool_calls %}<turn|>\n{% endif %}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|turn>model\n{% endif %}",
        call=f"<|tool_call>{_BRACED}<tool_call|><|tool_response>",
        calls=f"<|tool_call>{_BRACED}<tool_call|><|tool_call>call:get_time{{}}<tool_call|><|tool_response>",
        shown=('"name": "get_weather"', f"<|tool_call>{_BRACED}<tool_call|>", "Sunny"),
    ),
    # The same with a mark around all calls.
    Family(
        "section, handing over",
        "{% if tools %}<|system|>{{ tools | tojson }}<|end|>{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}"
        "{% if m.tool_calls %}<|calls|>{% for c in m.tool_calls %}<|call|>{{ c.function.name }}<|args|>{{ c.function.arguments | tojson }}<|/call|>{% endfor %}<|/calls|><|observe|>"
        "{% else %}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
        call=f"<|calls|><|call|>get_weather<|args|>{ARGUMENTS}<|/call|><|/calls|><|observe|>",
        calls=f"<|calls|><|call|>get_weather<|args|>{ARGUMENTS}<|/call|><|call|>get_time<|args|>{{}}<|/call|><|/calls|><|observe|>",
        shown=(
            '"name": "get_weather"',
            f"<|calls|><|call|>get_weather<|args|>{ARGUMENTS}<|/call|><|/calls|>",
            "Sunny",
        ),
    ),
    # Functionary 3.1: a message with calls ends otherwise than one with words.
    Family(
        "functionary-3.1",
        "{% for m in messages %}<|start_header_id|>{{ 'ipython' if m.role == 'tool' else m.role }}<|end_header_id|>\n\n{% if loop.first and tools %}{{ tools | tojson }}\n{% endif %}{{ m.content or '' }}"
        "{% for c in m.tool_calls %}<function={{ c.function.name }}>{{ c.function.arguments | tojson }}</function>{% endfor %}"
        "{{ '<|eom_id|>' if m.tool_calls else '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        call=f"<function=get_weather>{ARGUMENTS}</function><|eom_id|>",
        calls=f"<function=get_weather>{ARGUMENTS}</function><function=get_time>{{}}</function><|eom_id|>",
        shown=('"name": "get_weather"', f"<function=get_weather>{ARGUMENTS}</function>", "Sunny"),
    ),
    # Llama 4 as servers have it: messages with calls begin after other white space than others.
    Family(
        "llama-4, careless",
        "{% if tools %}<|header_start|>system<|header_end|>\n\n{{ tools | tojson }}<|eot|>\n{% endif %}{% for m in messages %}"
        "{{ '\n' if m.tool_calls or m.role == 'tool' }}<|header_start|>{{ 'ipython' if m.role == 'tool' else m.role }}<|header_end|>\n\n{{ m.content or '' }}"
        '{% for c in m.tool_calls %}{"name": "{{ c.function.name }}", "parameters": {{ c.function.arguments | tojson }}}{% endfor %}\n<|eot|>{% endfor %}'
        "{% if add_generation_prompt %}{{ '\n<|header_start|>assistant<|header_end|>\n\n' }}{% endif %}",
        call=JSON.replace("arguments", "parameters"),
        calls=f"{JSON}; {TIME}",
        shown=('"name": "get_weather"', JSON.replace("arguments", "parameters"), "Sunny"),
    ),
    # KAT-V1: the prompt opens a first part of the thought, which says whether there is a second.
    Family(
        "kat-v1",
        chatml(
            _LAST_PART
            + f"{{% for c in m.tool_calls %}}{{{{ '\n' }}}}<tool_call>\n{CALL}\n</tool_call>{{% endfor %}}"
        ).replace(CHATML, CHATML.replace("assistant\n", "assistant\n<judge>\n")),
        opened="<judge>\n",
        call=f"Hm.\n</judge>\n\n<think_off>\n<tool_call>\n{JSON}\n</tool_call>",
        calls=f"Hm.\n</judge>\n\n<think_on>\n<think>\nSo.\n</think>\n\n<answer>\n<tool_call>\n{JSON}\n</tool_call>\n<tool_call>\n{TIME}\n</tool_call>\n</answer>",
        thought="Hm.\n</judge>\n\n<think_off>\n<answer>\nYes.\n</answer>",
        shown=('"name": "get_weather"', f"<tool_call>\n{JSON}\n</tool_call>", "tool\nSunny"),
    ),
    # MiroThinker: a tool belongs to a server, whose name is the model's own choice.
    Family(
        "mirothinker",
        chatml(
            each(
                _MCP.format(
                    "default", "{{ c.function.name }}", "{{ c.function.arguments | tojson }}"
                ),
                "\n",
                between="\n",
            )
        ),
        call=_MCP.format("tool-python", "get_weather", '{\n"city": "Paris",\n"days": 3\n}'),
        calls=f"{_LOOK}\n{_MCP.format('time server', 'get_time', '{}')}",
        thought="<think>\nHm.\n</think>\n\nYes.",
        shown=('"name": "get_weather"', _LOOK, "tool\nSunny"),
    ),
    # The same told only, as the template can't print calls: it sets fields of messages.
    Family(
        "mirothinker, told",
        "{% if tools %}<|im_start|>system\nUse <use_mcp_tool>\n<server_name>server</server_name>\n<tool_name>tool</tool_name>. {{ tools | tojson }}<|im_end|>\n{% endif %}"
        "{% for m in messages %}{% if m.tool_calls %}{% set m.content = m.content %}{% endif %}"
        + OTHERS
        + "{% endfor %}"
        + CHATML,
        call=_MCP.format("tool-python", "get_weather", ARGUMENTS),
        calls=f"{_LOOK}\n{_MCP.format('default', 'get_time', '{}')}",
        shown=('"name": "get_weather"', _LOOK, "Sunny"),
    ),
    # Hunyuan A13B: where there are tools, a word in front of the answer says that it is no call.
    Family(
        "hunyuan-a13b",
        "{% for m in messages %}{% if loop.first %}<|startoftext|>{{ 'Answer behind 助手： or write <tool_calls>[…]</tool_calls>. ' + tools | tojson if tools }}"
        "{% if m.role == 'system' %}{{ m.content }}<|extra_4|>{% else %}<|extra_4|>{% endif %}{% endif %}"
        "{% if m.role == 'user' %}{{ '用户：' if tools }}{{ m.content }}<|extra_0|>{% elif m.role == 'tool' %}<tool_response>{{ m.content }}</tool_response><|extra_0|>"
        '{% elif m.tool_calls %}{{ m.content }}<tool_calls>[{% for c in m.tool_calls %}{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}}{{ ", " if not loop.last }}{% endfor %}]</tool_calls><|eos|>'
        "{% elif m.role == 'assistant' %}{{ '助手：' if tools }}{{ m.content }}<|eos|>{% endif %}{% endfor %}"
        "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n{% endif %}",
        call=f"<think>\nHm.\n</think>\n<answer>\n<tool_calls>[{JSON}]</tool_calls>\n</answer>",
        calls=f"<tool_calls>[{JSON}, {TIME}]</tool_calls>",
        thought="<think>\nHm.\n</think>\n<answer>\n助手：Yes.\n</answer>",
        shown=(
            '"name": "get_weather"',
            f"<tool_calls>[{JSON}]</tool_calls>",
            "<tool_response>Sunny</tool_response>",
        ),
    ),
    # Firefunction 1: a mark in front of words, as there is one in front of calls.
    Family(
        "firefunction-1",
        "{%- set ns = namespace(said='') -%}{{ bos_token }}{%- if messages[0]['role'] | upper != 'SYSTEM' -%}{%- set messages = [{'role': 'SYSTEM', 'content': 'Use functions.'}] + messages -%}{%- endif -%}"
        "{%- if messages | length < 2 or messages[1]['role'] | upper != 'FUNCTIONS' -%}{{ raise_exception('The functions come first.') }}{%- endif -%}"
        "{%- for m in messages -%}{%- set role = m['role'] | upper -%}{%- set ns.said = m['content'] if m.get('content') else '' -%}"
        "{%- for c in m['tool_calls'] or [] -%}{%- set ns.said = ns.said + '<functioncall>{\"name\": \"' + c['function']['name'] + '\", \"arguments\": ' + c['function']['arguments'] + '}' -%}{%- endfor -%}"
        "{%- if role == 'ASSISTANT' and '<functioncall>' not in ns.said -%}{%- set ns.said = '<plain>' + ns.said -%}{%- endif -%}"
        "{{ role }}: {{ ns.said }}{{ eos_token if role == 'ASSISTANT' }}{{ '\n\n' }}{%- endfor -%}{{ 'ASSISTANT:' }}",
        call=f" <functioncall>{JSON}",
        calls=f" <functioncall>{JSON}<functioncall>{TIME}",
        shown=('"name": "get_weather"', f"ASSISTANT: <functioncall>{JSON}</s>", "TOOL: Sunny"),
    ),
]
