"""What holds an answer: thoughts to a budget, calls to the tools, words to a constraint.

    Format (found in the template)  ┐
    tools, and which must be called ├─> a tree of grammars ─> Template (text.constraint)
    what the prompt has opened      │
    budget, constraint              ┘

`arguments` writes a function's parameters as a grammar, in each style that models have; `calls`
puts calls around them, and says what tells a call in free text; `answer` puts together thought,
calls and words. Nothing here knows requests or models.
"""

from mullama.text.guide.answer import Wanted, guide
from mullama.text.guide.calls import Tool, tools_of

__all__ = ["Tool", "Wanted", "guide", "tools_of"]
