"""Jinja for templates that nobody has vouched for: no way out, and no endless work."""

from mullama.text.sandbox.environment import compile_template, render, variables_of
from mullama.text.sandbox.meter import Meter, TemplateLimit

__all__ = ["Meter", "TemplateLimit", "compile_template", "render", "variables_of"]
