"""Shapes of calls that many models share, each with marks of its own around them.

listed   functools[ {"name": "f", "arguments": {"x": 1}}, … ]
between  <|action_start|><|plugin|> {"name": "f", "parameters": {"x": 1}} <|action_end|>
python   <|tool_call_start|>[ f(x=1), … ]<|tool_call_end|>
"""

from mullama.text.syntax import Arguments, CallSyntax, JsonCall, Slot, Style


def listed(begin: str, end: str) -> CallSyntax:
    """JSON objects in one pair of marks."""
    call = ('{"name": "', Slot.NAME, '", "arguments": ', Slot.ARGUMENTS, "}")
    return CallSyntax(call, begin, ", ", end, json=JsonCall())


def between(begin: str, end: str) -> CallSyntax:
    """Each JSON object in marks of its own."""
    parts = (Slot.NAME, '", "parameters": ', Slot.ARGUMENTS)
    call = (begin + '{"name": "', *parts, "}" + end)
    return CallSyntax(call, json=JsonCall(arguments="parameters"))


def python(begin: str, between: str, end: str) -> CallSyntax:
    """Calls as Python writes them, in one pair of marks."""
    call = (Slot.NAME, "(", Slot.ARGUMENTS, ")")
    return CallSyntax(call, begin, between, end, arguments=Arguments(Style.KEYWORDS))
