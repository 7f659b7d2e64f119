"""The set of the tools on text."""

from par import AgentTool
from par.tools._text.chance import generate_password, generate_uuid
from par.tools._text.facts import echo, hash_text, string_stats
from par.tools._text.layout import json_format
from par.tools._text.moment import get_time
from par.tools._text.percent import url_encode

__all__ = ["text_tools"]


def text_tools() -> tuple[AgentTool[object], ...]:
    """Return the eight tools of this set."""
    return (echo, generate_password, generate_uuid, get_time, hash_text, json_format, string_stats, url_encode)
