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
    <|python_tag|>{"name": "f", "parameters": …}
    <function=f>{"x": 1}</function>

Each begins with a mark that nothing else has, and must go on with the name of a tool. Which of them
a template without calls tells of is seen by its marks.
"""

from mullama.text.syntax import Arguments, CallSyntax, JsonCall, Slot, Style
from mullama.text.toolcalls import hermes, lfm2


def _listed(begin: str, end: str) -> CallSyntax:
    call = ('{"name": "', Slot.NAME, '", "arguments": ', Slot.ARGUMENTS, "}")
    return CallSyntax(call, begin, ", ", end, json=JsonCall())


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
_PYTHON_TAG = CallSyntax(
    call=('<|python_tag|>{"name": "', Slot.NAME, '", "parameters": ', Slot.ARGUMENTS, "}"),
    json=JsonCall(arguments="parameters"),
)

# The words by which a template tells of a form, those of the rarest first, and the form.
_TOLD_BY: tuple[tuple[tuple[str, ...], CallSyntax], ...] = (
    (("<tool_call>", "<function=", "<parameter="), _XML),
    (("<tool_call>",), hermes.CALLS),
    (("[TOOL_CALLS]",), _listed("[TOOL_CALLS][", "]")),
    (("<|tool_call|>",), _listed("<|tool_call|>[", "]<|/tool_call|>")),
    (("<TOOLCALL>",), _listed("<TOOLCALL>[", "]</TOOLCALL>")),
    (("<tool_calls>",), _listed("<tool_calls>[", "]</tool_calls>")),
    (("<|tool_call_start|>",), lfm2.CALLS),
    (("List of tools: [", "<|im_start|>"), lfm2.CALLS),
    (("<|python_tag|>",), _PYTHON_TAG),
    (("<function=",), CallSyntax(("<function=", Slot.NAME, ">", Slot.ARGUMENTS, "</function>"))),
)
FORMS = tuple(dict.fromkeys(form for _, form in _TOLD_BY))


def told(source: str) -> CallSyntax | None:
    """The form of which a template tells that does not write earlier calls."""
    found = (form for words, form in _TOLD_BY if all(word in source for word in words))
    return next(found, None)
