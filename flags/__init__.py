"""Every flag of the command, and what they make together."""

from flags.parse import help_text, parse, presets

__all__ = [
    "help_text",
    "parse",
    "presets",
]
