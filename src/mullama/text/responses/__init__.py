"""Response schemas: how a model writes its answers, as its owner states it.

A schema is a JSON Schema whose nodes say how their values are cut out of text, as Hugging Face's
response parsing has them (`x-regex` and its kin). `schema` checks one and applies it to a text;
`reader` makes spans of what comes out. Nothing is imported here: most servers have no schema.
"""

PARAM = "response_schema"  # the option

# The members of an answer that are read; a schema without any of them says nothing.
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
MEMBERS = ("content", *THOUGHTS, "tool_calls")
