"""Families of models whose templates are not in the data: how each has tools, calls and thoughts.

The templates are ours, as small as shows the form; what is in quotes is what such models write.
`VALUES` and other pieces below are what several of them have in common.
"""

# ruff: noqa: E501  (templates read best as their lines are)

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A template, and what its model writes for the same few answers.

    `thought`, `call` and `calls` are raw outputs: the thought "Hm." and the words "Yes."; a call of
    `get_weather` for Paris and three days; that and one of `get_time` without arguments. `shown` is
    what the prompt must have of a conversation with tools: the first tool, the call, its result.
    `thinks` is what `enable_thinking` is, `opened` what the prompt has of the answer then.
    """

    name: str
    source: str
    call: str
    shown: tuple[str, ...]
    calls: str = ""
    thought: str = ""
    thinks: bool | None = None
    opened: str = ""


ARGUMENTS = '{"city": "Paris", "days": 3}'
JSON = '{"name": "get_weather", "arguments": ' + ARGUMENTS + "}"
TIME = '{"name": "get_time", "arguments": {}}'
_GRANITE_SHOWN = (
    '"name": "get_weather"',
    f"assistant<|end_of_role|><|tool_call|>[{JSON}]<|end_of_text|>",
    "tool<|end_of_role|>Sunny",
)
_PYTHON = 'get_weather(city="Paris", days=3)'
CALL = "{{ {'name': c.function.name, 'arguments': c.function.arguments} | tojson }}"
_KEYWORDS = "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v | tojson }}{{ ', ' if not loop.last }}{% endfor %}"
CHATML = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
_SYSTEM_TOOLS = "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
OTHERS = "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"


def chatml(assistant: str, *, tools: str = _SYSTEM_TOOLS, others: str = OTHERS) -> str:
    """ChatML with another way to write the assistant's messages, which end themselves."""
    return (
        f"{tools}{{% for m in messages %}}{{% if m.role == 'assistant' %}}<|im_start|>assistant\n"
        f"{assistant}<|im_end|>\n{{% else %}}{others}{{% endif %}}{{% endfor %}}{CHATML}"
    )


def each(call: str, begin: str = "", end: str = "", between: str = "") -> str:
    """A message's words, and its calls."""
    return (
        f"{{{{ m.content or '' }}}}{{% if m.tool_calls %}}{begin}{{% for c in m.tool_calls %}}{call}"
        f"{{{{ {between!r} if not loop.last }}}}{{% endfor %}}{end}{{% endif %}}"
    )


def _granite(told: str) -> str:
    """Granite 3, which is told of thoughts in these words; calls are told of, and not written."""
    return (
        f"{{% if thinking %}}<|start_of_role|>system<|end_of_role|>{told}<|end_of_text|>\n{{% endif %}}"
        "{% if tools %}<|start_of_role|>tools<|end_of_role|>Write <|tool_call|> followed by a list. {{ tools | tojson }}<|end_of_text|>\n{% endif %}"
        "{% for m in messages %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
    )


FAMILIES = [
    # Phi 4 mini: tools are a field of the system message, and calls are nowhere.
    Family(
        "phi-4-mini",
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
        "{% if m.role == 'system' and m['tools'] %}{{ '<|tool|>' + m['tools'] + '<|/tool|>' }}{% endif %}"
        "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
        call=f"<|tool_call|>[{JSON}]<|/tool_call|>",
        calls=f"<|tool_call|>[{JSON}, {TIME}]<|/tool_call|>",
        shown=(
            '<|tool|>[{"name": "get_weather"',
            f"<|tool_call|>[{JSON}]<|/tool_call|><|end|>",
            "<|tool_response|>Sunny<|end|>",
        ),
    ),
    # The same, as others tell it of calls: earlier ones are written without the word.
    Family(
        "phi-4-mini, functools",
        '{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% if tools %}Write functools[{"name": …}].{% endif %}'
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content or '' }}{% for c in m.tool_calls %}\n"
        '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}'
        "{% endfor %}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        call=f"functools[{JSON}]",
        calls=f"functools[{JSON}, {TIME}]",
        shown=(JSON, "<|tool|>\nSunny<|end|>"),
    ),
    # GLM 4: a call is a message whose metadata are the name; results have a role of their own.
    Family(
        "glm-4",
        "[gMASK]<sop>{% if tools %}<|system|>\n# Tools{% for t in tools %}\n\n## {{ t.function.name }}\n{{ t.function | tojson(indent=4) }}{% endfor %}{% endif %}"
        "{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>{{ m.get('metadata', '') }}\n{{ m.content }}"
        "{% elif m.role == 'observation' or m.role == 'user' or m.role == 'system' %}<|{{ m.role }}|>\n{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        call=f"get_weather\n{ARGUMENTS}",
        shown=("## get_weather", f"<|assistant|>get_weather\n{ARGUMENTS}", "<|observation|>\nSunny"),
        thought="<think>Hm.</think>Yes.",
    ),
    # GLM 4 of 2024: tools are a list within a message.
    Family(
        "glm-4, tools within",
        "[gMASK]<sop>{% for m in messages %}{% if m['tools'] is defined %}<|system|>\n# Tools{% for t in m['tools'] %}\n\n## {{ t['function']['name'] }}\n{{ t['function'] | tojson }}{% endfor %}{% endif %}"
        "{% if m['content'] %}<|{{ m['role'] }}|>{{ m['metadata'] }}\n{{ m['content'] }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        call=f"get_weather\n{ARGUMENTS}",
        shown=("## get_weather", f"<|assistant|>get_weather\n{ARGUMENTS}", "<|observation|>\nSunny"),
    ),
    # Hunyuan: a name and JSON in a fence; old answers are cut out of their marks.
    Family(
        "hunyuan",
        "{{ bos_token }}{% for t in tools or [] %}{{ t | tojson }}\n{% endfor %}{% for m in messages %}"
        "{% if m.role == 'user' or m.role == 'system' %}{{ m.content }}<|extra_0|>"
        "{% elif m.role == 'tool' %}<tool_response>{{ m.content }}</tool_response><|extra_0|>"
        "{% elif m.tool_calls %}{{ m.content or '' }}<tool_calls>{% for c in m.tool_calls %}{{ '\n' if not loop.first }}<tool_call>{{ c.function.name }}\n```json\n{{ c.function.arguments | tojson }}\n```</tool_call>{% endfor %}</tool_calls><|eos|>"
        "{% else %}{% set t = m.content %}{% if '<answer>' in t %}{% set t = t.split('<answer>')[-1].split('</answer>')[0] %}{% endif %}{{ t }}<|eos|>{% endif %}{% endfor %}"
        "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n{% endif %}",
        call=f"<think>\nHm.\n</think>\n<tool_calls><tool_call>get_weather\n```json\n{ARGUMENTS}\n```</tool_call></tool_calls>",
        calls=f"<tool_calls><tool_call>get_weather\n```json\n{ARGUMENTS}\n```</tool_call>\n<tool_call>get_time\n```json\n{{}}\n```</tool_call></tool_calls>",
        thought="<think>\nHm.\n</think>\n<answer>\nYes.\n</answer>",
        shown=(
            '"name": "get_weather"',
            f"<tool_calls><tool_call>get_weather\n```json\n{ARGUMENTS}\n```</tool_call></tool_calls>",
            "<tool_response>Sunny</tool_response>",
        ),
    ),
    # ERNIE 4.5: words stand in marks behind a thought.
    Family(
        "ernie-4.5",
        chatml(
            "<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% if m.content %}<response>\n{{ m.content }}\n</response>\n{% endif %}"
            f"{{% for c in m.tool_calls %}}<tool_call>\n{CALL}\n</tool_call>\n{{% endfor %}}"
        ).replace(CHATML, "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"),
        opened="<think>\n",
        call=f"Hm.\n</think>\n\n<tool_call>\n{JSON}\n</tool_call>\n",
        calls=f"\n</think>\n\n<tool_call>\n{JSON}\n</tool_call>\n<tool_call>\n{TIME}\n</tool_call>\n",
        thought="Hm.\n</think>\n\n<response>\nYes.\n</response>\n",
        shown=('"name": "get_weather"', f"<tool_call>\n{JSON}\n</tool_call>", "Sunny"),
    ),
    # EXAONE 4: square brackets around the roles; a thought only where it is asked for.
    Family(
        "exaone-4",
        "{% if tools %}[|system|]\n{% for t in tools %}<tool>{{ t | tojson }}</tool>\n{% endfor %}[|endofturn|]\n{% endif %}{% for m in messages %}"
        "[|{{ m.role }}|]\n{% if m.role == 'assistant' %}<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{{ m.content or '' }}"
        f"{{% for c in m.tool_calls %}}{{{{ '\n' if not loop.first }}}}<tool_call>{CALL}</tool_call>{{% endfor %}}"
        "{% elif m.role == 'tool' %}<tool_result>{{ {'result': m.content} | tojson }}</tool_result>{% else %}{{ m.content }}{% endif %}[|endofturn|]\n{% endfor %}"
        "{% if add_generation_prompt %}[|assistant|]\n<think>\n{% if not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}",
        thinks=True,
        opened="<think>\n",
        call=f"Hm.\n</think>\n\n<tool_call>{JSON}</tool_call>",
        calls=f"Hm.\n</think>\n\n<tool_call>{JSON}</tool_call>\n<tool_call>{TIME}</tool_call>",
        thought="Hm.\n</think>\n\nYes.",
        shown=(
            '<tool>{"type": "function"',
            f"<tool_call>{JSON}</tool_call>[|endofturn|]",
            '<tool_result>{"result": "Sunny"}</tool_result>',
        ),
    ),
    # InternLM 2.5 and Intern-S1: plugins.
    Family(
        "internlm-2.5",
        chatml(
            each(
                '<|action_start|><|plugin|>\n{"name": "{{ c.function.name }}", "parameters": {{ c.function.arguments | tojson }}}<|action_end|>'
            ),
            tools="{% if tools %}<|im_start|>system name=<|plugin|>\n{{ tools | map(attribute='function') | list | tojson }}<|im_end|>\n{% endif %}",
            others="{% if m.role == 'tool' %}<|im_start|>environment name=<|plugin|>\n{% else %}<|im_start|>{{ m.role }}\n{% endif %}{{ m.content }}<|im_end|>\n",
        ),
        call=f"<|action_start|><|plugin|>\n{JSON.replace('arguments', 'parameters')}<|action_end|>",
        calls=f"<|action_start|><|plugin|>\n{JSON}<|action_end|><|action_start|><|plugin|>\n{TIME}<|action_end|>",
        shown=(
            'name=<|plugin|>\n[{"name": "get_weather"',
            f"<|action_start|><|plugin|>\n{JSON.replace('arguments', 'parameters')}<|action_end|>",
            "environment name=<|plugin|>\nSunny",
        ),
    ),
    # xLAM: a list in JSON and nothing else.
    Family(
        "xlam",
        chatml(
            "{% if m.tool_calls %}[{% for c in m.tool_calls %}{{ c.function | tojson }}{{ ', ' if not loop.last }}{% endfor %}]{% else %}{{ m.content }}{% endif %}"
        ),
        call=f"[{JSON}]",
        calls=f"[{JSON}, {TIME}]",
        shown=('"name": "get_weather"', f"[{JSON}]<|im_end|>", "tool\nSunny"),
    ),
    # FunctionGemma: braces, and texts between marks.
    Family(
        "functiongemma",
        "{{ bos_token }}{% if tools or messages[0].role in ['system', 'developer'] %}<start_of_turn>developer\n{% if messages[0].role in ['system', 'developer'] %}{{ messages[0].content }}{% set messages = messages[1:] %}{% endif %}"
        "{% for t in tools %}<start_function_declaration>declaration:{{ t.function.name }}{description:<escape>{{ t.function.description }}<escape>}<end_function_declaration>{% endfor %}<end_of_turn>\n{% endif %}"
        "{% for m in messages %}{% if m.role == 'tool' %}<start_function_response>response:{{ m.name }}{value:<escape>{{ m.content }}<escape>}<end_function_response>"
        "{% else %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content or '' }}"
        "{% for c in m.tool_calls %}<start_function_call>call:{{ c.function.name }}{{ '{' }}{% for k, v in c.function.arguments | dictsort %}{{ k }}:{{ '<escape>' + v + '<escape>' if v is string else v | tojson }}{{ ',' if not loop.last }}{% endfor %}{{ '}' }}<end_function_call>{% endfor %}"
        "{% if not m.tool_calls %}<end_of_turn>\n{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt and messages[-1].role != 'tool' %}<start_of_turn>model\n{% endif %}",
        call="<start_function_call>call:get_weather{city:<escape>Paris<escape>,days:3}<end_function_call>",
        calls="<start_function_call>call:get_weather{city:<escape>Paris<escape>,days:3}<end_function_call><start_function_call>call:get_time{}<end_function_call>",
        shown=(
            "declaration:get_weather",
            "<start_function_call>call:get_weather{city:<escape>Paris<escape>,days:3}<end_function_call>",
            "response:get_weather{value:<escape>Sunny<escape>}",
        ),
    ),
    # OLMo 3: a call of Python a line; results come from the environment.
    Family(
        "olmo-3",
        chatml(
            each(
                f"{{{{ c.function.name }}}}({_KEYWORDS})",
                "<function_calls>",
                "</function_calls>",
                "\n",
            ),
            tools="{% if tools is not none %}<|im_start|>system\n<functions>{{ tools | tojson }}</functions><|im_end|>\n{% endif %}",
            others="{% if m.role in ['user', 'system', 'environment'] %}" + OTHERS + "{% endif %}",
        ),
        call=f"<function_calls>{_PYTHON}</function_calls>",
        calls=f"<function_calls>{_PYTHON}\nget_time()</function_calls>",
        shown=(
            "<functions>[",
            f"<function_calls>{_PYTHON}</function_calls>",
            "<|im_start|>environment\nSunny<|im_end|>",
        ),
    ),
    # MiniCPM 3 and 4: Python in a fence between marks, thoughts in another field.
    Family(
        "minicpm",
        chatml(
            "{% if m.thought %}<|thought_start|>\n{{ m.thought }}\n<|thought_end|>\n{% endif %}"
            + "{% if m.tool_calls %}<|tool_call_start|>\n```python\n{% for c in m.tool_calls %}"
            + f"{{{{ c.function.name }}}}({_KEYWORDS.replace(', ', ',')})\n"
            + "{% endfor %}```\n<|tool_call_end|>\n{% endif %}{{ m.content or '' }}"
        ),
        call='<|tool_call_start|>\n```python\nget_weather(city="Paris",days=3)\n```\n<|tool_call_end|>\n',
        calls='<|tool_call_start|>\n```python\nget_weather(city="Paris",days=3)\nget_time()\n```\n<|tool_call_end|>\n',
        thought="<|thought_start|>\nHm.\n<|thought_end|>\nYes.",
        shown=(
            '"name": "get_weather"',
            '<|tool_call_start|>\n```python\nget_weather(city="Paris",days=3)\n```\n<|tool_call_end|>',
            "tool\nSunny",
        ),
    ),
    # HyperCLOVA X Think: each part is a message, and the role says what it is.
    Family(
        "hyperclova-x",
        "<|im_start|>tool_list\n{{ tools | tojson if tools }}<|im_end|>\n{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% if m.reasoning_content %}<|im_start|>assistant/think\n{{ m.reasoning_content }}<|im_end|>\n{% endif %}"
        "{% if m.content %}<|im_start|>assistant\n{{ m.content }}<|im_end|>{{ '\n' if m.tool_calls else '<|endofturn|>\n' }}{% endif %}"
        f"{{% if m.tool_calls %}}<|im_start|>assistant -> tool/function_call\n[{{% for c in m.tool_calls %}}{CALL}{{{{ ', ' if not loop.last }}}}{{% endfor %}}]<|im_end|><|stop|>\n{{% endif %}}"
        "{% elif m.role == 'tool' %}<|im_start|>tool/function_call\n{{ m.content }}<|im_end|>\n{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}",
        call=f"/think\nHm.<|im_end|>\n<|im_start|>assistant -> tool/function_call\n[{JSON}]<|im_end|>",
        calls=f" -> tool/function_call\n[{JSON}, {TIME}]<|im_end|>",
        thought="/think\nHm.<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>",
        shown=(
            '"name": "get_weather"',
            f"assistant -> tool/function_call\n[{JSON}]<|im_end|>",
            "tool/function_call\nSunny",
        ),
    ),
    # Llama 4 and others told of a list of Python: their templates write it carelessly.
    Family(
        "python list, all values quoted",
        chatml(
            each(
                "{{ c.function.name }}({% for k, v in c.function.arguments.items() %}{{ k }}=\"{{ v }}\"{{ ', ' if not loop.last }}{% endfor %})",
                "[",
                "]",
                ", ",
            )
        ),
        call=f"[{_PYTHON}]",
        calls=f"[{_PYTHON}, get_time()]",
        shown=('"name": "get_weather"', '[get_weather(city="Paris", days="3")]', "tool\nSunny"),
    ),
    Family(
        "python list, without commas",
        chatml(
            each(
                "{{ c.function.name }}({% for k, v in c.function.arguments.items() %}{{ k }}={{ v | tojson }}{% endfor %})",
                "[",
                "]",
                ", ",
            ),
            tools="{% if tools %}<|im_start|>system\nAs [func_name1(params_name1=params_value1), func_name2(params)]: {{ tools | tojson }}<|im_end|>\n{% endif %}",
        ),
        call=f"[{_PYTHON}]",
        calls=f"[{_PYTHON}, get_time()]",
        shown=('"name": "get_weather"', '[get_weather(city="Paris"days=3)]', "tool\nSunny"),
    ),
    # Llama 4: marks of Python around words, bare JSON behind them; it writes Python between them.
    Family(
        "llama-4",
        "{% for m in messages %}<|header_start|>{{ 'ipython' if m.role == 'tool' else m.role }}<|header_end|>\n\n"
        "{% if loop.index0 == 0 and tools %}{{ tools | tojson }}{% endif %}"
        "{% if m.tool_calls %}<|python_start|>{{ m.content }}<|python_end|>{% for c in m.tool_calls %}"
        '{"name": "{{ c.function.name }}", "parameters": {{ c.function.arguments | tojson }}}{% endfor %}'
        "{% else %}{{ m.content }}{% endif %}<|eot|>{% endfor %}{% if add_generation_prompt %}<|header_start|>assistant<|header_end|>\n\n{% endif %}",
        call=JSON.replace("arguments", "parameters"),
        calls=f"<|python_start|>[{_PYTHON}, get_time()]<|python_end|>",
        shown=(
            '"name": "get_weather"',
            f"<|python_start|><|python_end|>{JSON.replace('arguments', 'parameters')}<|eot|>",
            "ipython<|header_end|>\n\nSunny",
        ),
    ),
    # LFM 2.5: its template tells of tools, and writes no calls.
    Family(
        "lfm-2.5",
        "{% if tools %}<|im_start|>system\nList of tools: [{% for t in tools %}{{ t | tojson }}{{ ', ' if not loop.last }}{% endfor %}]<|im_end|>\n{% endif %}"
        + "{% for m in messages %}"
        + OTHERS
        + "{% endfor %}"
        + CHATML,
        call=f"<|tool_call_start|>[{_PYTHON}]<|tool_call_end|>",
        calls=f"<|tool_call_start|>[{_PYTHON}, get_time()]<|tool_call_end|>",
        shown=(
            "List of tools: [",
            f"<|tool_call_start|>[{_PYTHON}]<|tool_call_end|>",
            "tool\nSunny",
        ),
    ),
    # Granite 3.2 and 3.3: marks of thoughts and words are told in prose.
    Family(
        "granite-3.2",
        _granite("Think after 'Here is my thought process:', answer after 'Here is my response:'."),
        call=f"<|tool_call|>[{JSON}]",
        calls=f"<|tool_call|>[{JSON}, {TIME}]",
        thought="Here is my thought process:\n\nHm.\n\nHere is my response:\n\nYes.",
        shown=_GRANITE_SHOWN,
    ),
    Family(
        "granite-3.3",
        _granite("Think between <think></think>, answer between <response></response>."),
        call=f"<|tool_call|>[{JSON}]",
        calls=f"<think>Hm.</think><|tool_call|>[{JSON}, {TIME}]",
        thought="<think>Hm.</think><response>Yes.</response>",
        shown=_GRANITE_SHOWN,
    ),
    # Muse: each part is a message that says to whom; its head ends as the mark of thoughts begins.
    Family(
        "muse",
        "{% if tools %}<|start|>system<|message|>{{ tools | tojson }}<|eot|>{% endif %}{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% if m.reasoning_content %}<|start|>assistant to=self<|message|>{{ m.reasoning_content }}<|eom|>{% endif %}"
        "{% if m.content %}<|start|>assistant to=user<|message|>{{ m.content }}<|eot|>{% endif %}"
        '{% for c in m.tool_calls %}<|start|>assistant to={{ c.function.name }}<|message|><call name="{{ c.function.name }}">{{ c.function.arguments | tojson }}</call><|eot|>{% endfor %}'
        "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|eot|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        call=f' to=self<|message|>Hm.<|eom|><|start|>assistant to=get_weather<|message|><call name="get_weather">{ARGUMENTS}</call>',
        thought=" to=self<|message|>Hm.<|eom|><|start|>assistant to=user<|message|>Yes.",
        shown=('"name": "get_weather"', "<|start|>assistant to=get_weather<|message|>", "Sunny"),
    ),
    # Inkling: the name in the head of a message, and once more in it.
    Family(
        "inkling",
        "{% if tools %}<|message_system|>{{ tools | tojson }}<|end_message|>{% endif %}{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% if m.reasoning_content %}<|message_model|><|content_thinking|>{{ m.reasoning_content }}<|end_message|>{% endif %}"
        "{% if m.content %}<|message_model|><|content_text|>{{ m.content }}<|end_message|>{% endif %}"
        "{% for c in m.tool_calls %}<|message_model|>{{ c.function.name }}<|content_invoke_tool_json|>{{ {'name': c.function.name, 'args': c.function.arguments} | tojson }}<|end_message|>{% endfor %}"
        "{% else %}<|message_{{ m.role }}|>{{ m.content }}<|end_message|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|message_model|>{% endif %}",
        call=f"<|content_thinking|>Hm.<|end_message|><|message_model|>get_weather<|content_invoke_tool_json|>{JSON.replace('arguments', 'args')}<|end_message|>",
        thought="<|content_thinking|>Hm.<|end_message|><|message_model|><|content_text|>Yes.<|end_message|>",
        shown=(
            '"name": "get_weather"',
            f"<|message_model|>get_weather<|content_invoke_tool_json|>{JSON.replace('arguments', 'args')}<|end_message|>",
            "Sunny",
        ),
    ),
    # Step 3: elements of a namespace between tokens.
    Family(
        "step-3",
        chatml(
            each(
                "<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name=\"{{ c.function.name }}\">{% for k, v in c.function.arguments.items() %}<steptml:parameter name=\"{{ k }}\">{{ v if v is string else v | tojson }}</steptml:parameter>{% endfor %}</steptml:invoke><｜tool_call_end｜>\n",
                "<｜tool_calls_begin｜>\n",
                "<｜tool_calls_end｜>",
            )
        ),
        call='<｜tool_calls_begin｜>\n<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="get_weather"><steptml:parameter name="city">Paris</steptml:parameter><steptml:parameter name="days">3</steptml:parameter></steptml:invoke><｜tool_call_end｜>\n<｜tool_calls_end｜>',
        shown=('"name": "get_weather"', '<steptml:invoke name="get_weather">', "tool\nSunny"),
    ),
    # LongCat: one argument after another, all marks with its name.
    Family(
        "longcat",
        chatml(
            "{% if m.reasoning_content %}<longcat_think>\n{{ m.reasoning_content }}\n</longcat_think>\n{% endif %}"
            + each(
                "<longcat_tool_call>{{ c.function.name }}\n{% for k, v in c.function.arguments.items() %}<longcat_arg_key>{{ k }}</longcat_arg_key>\n<longcat_arg_value>{{ v if v is string else v | tojson }}</longcat_arg_value>\n{% endfor %}</longcat_tool_call>\n"
            )
        ),
        call="<longcat_tool_call>get_weather\n<longcat_arg_key>city</longcat_arg_key>\n<longcat_arg_value>Paris</longcat_arg_value>\n<longcat_arg_key>days</longcat_arg_key>\n<longcat_arg_value>3</longcat_arg_value>\n</longcat_tool_call>\n",
        thought="<longcat_think>\nHm.\n</longcat_think>\nYes.",
        shown=('"name": "get_weather"', "<longcat_tool_call>get_weather\n", "tool\nSunny"),
    ),
]  # fmt: skip
