"""Forms that models write whatever their template is: they have met them in training.

    <tool_call>                                     <tool_call>
    {"name": "f", "arguments": {"x": 1}}            <function=f>
    </tool_call>                                    <parameter=x>
                                                    1
    [TOOL_CALLS][{"name": "f", …}]                  </parameter>
    <|tool_call|>[{"name": "f", …}]<|/tool_call|>   </function>
    <TOOLCALL>[{"name": "f", …}]</TOOLCALL>         </tool_call>
    <tool_calls>[{"name": "f", …}]</tool_calls>
    <|tool_call_start|>[f(x=1)]<|tool_call_end|>
    <|python_tag|>{"name": "f", "parameters": …}    <|action_start|><|plugin|>
    <function=f>{"x": 1}</function>                 {"name": "f", "parameters": …}<|action_end|>
    functools[{"name": "f", …}]                     <|python_start|>[f(x=1)]<|python_end|>
    <function_calls>f(x=1)</function_calls>         <|python_start|>{"name": "f", …}<|python_end|>
    <use_mcp_tool>
    <server_name>default</server_name>
    <tool_name>f</tool_name>
    <arguments>
    {"x": 1}
    </arguments>
    </use_mcp_tool>

Each begins with a mark that nothing else has, and must go on with the name of a tool. Which of them
a template without calls tells of is seen by its marks.

    [f(x=1), g(y=2)]

begins as any text may, so it is read only where a template tells of it.
"""

from mullama.text.syntax import Arguments, CallSyntax, Slot, Style
from mullama.text.toolcalls import hermes, lfm2, phi
from mullama.text.toolcalls.shapes import between, listed, python

_XML = CallSyntax(
    call=(
        "<tool_call>\n<function=",
        Slot.NAME,
        ">\n",
        Slot.ARGUMENTS,
        "</function>\n</tool_call>",
    ),
    between="\n",
    arguments=Arguments(Style.TAGGED, begin="<parameter=", key_end=">\n", end="\n</parameter>\n"),
)

_MCP = CallSyntax(
    call=(
        "<use_mcp_tool>\n<server_name>default</server_name>\n<tool_name>",
        Slot.NAME,
        "</tool_name>\n<arguments>\n",
        Slot.ARGUMENTS,
        "\n</arguments>\n</use_mcp_tool>",
    ),
    between="\n",
)

# The words by which a template tells of a form, those of the rarest first, and the form.
_TOLD_BY: tuple[tuple[tuple[str, ...], CallSyntax], ...] = (
    (("<use_mcp_tool>", "<tool_name>"), _MCP),
    (("functools[",), phi.CALLS),
    (("[func_name1(",), python("[", ", ", "]")),
    (("<|plugin|>",), between("<|action_start|><|plugin|>\n", "<|action_end|>")),
    (("<function_calls>",), python("<function_calls>", "\n", "</function_calls>")),
    (("<tool_call>", "<function=", "<parameter="), _XML),
    (("<tool_call>",), hermes.CALLS),
    (("[TOOL_CALLS]",), listed("[TOOL_CALLS][", "]")),
    (("<|tool_call|>",), listed("<|tool_call|>[", "]<|/tool_call|>")),
    (("<|tool|>", "<|/tool|>"), listed("<|tool_call|>[", "]<|/tool_call|>")),
    (("<TOOLCALL>",), listed("<TOOLCALL>[", "]</TOOLCALL>")),
    (("<tool_calls>",), listed("<tool_calls>[", "]</tool_calls>")),
    (("<|tool_call_start|>",), lfm2.CALLS),
    (("List of tools: [", "<|im_start|>"), lfm2.CALLS),
    (("<|python_tag|>",), between("<|python_tag|>", "")),
    (("<|python_start|>",), python("<|python_start|>[", ", ", "]<|python_end|>")),
    (("<|python_start|>",), between("<|python_start|>", "<|python_end|>")),
    (("<function=",), CallSyntax(("<function=", Slot.NAME, ">", Slot.ARGUMENTS, "</function>"))),
)
_forms = dict.fromkeys(form for _, form in _TOLD_BY)
FORMS = tuple(form for form in _forms if form.trigger != "[")


def told(source: str) -> CallSyntax | None:
    """The form of which a template tells that does not write earlier calls."""
    found = (form for words, form in _TOLD_BY if all(word in source for word in words))
    return next(found, None)
