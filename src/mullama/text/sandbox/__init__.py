"""Jinja for templates that nobody has vouched for: no way out, and no endless work."""

from mullama.text.sandbox.environment import compile_template, render
from mullama.text.sandbox.meter import TemplateLimit

__all__ = ["TemplateLimit", "compile_template", "render"]
