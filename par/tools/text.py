"""Tools on text: hashes, counts, JSON, percent-encoding, the time, and what chance makes."""

from par.tools._text.chance import GeneratedUuid, Password, generate_password, generate_uuid
from par.tools._text.facts import HashAlgorithm, TextHash, TextStats, echo, hash_text, string_stats
from par.tools._text.layout import json_format
from par.tools._text.moment import Moment, get_time
from par.tools._text.percent import UrlText, url_encode
from par.tools._text.tools import text_tools

__all__ = [
    "GeneratedUuid",
    "HashAlgorithm",
    "Moment",
    "Password",
    "TextHash",
    "TextStats",
    "UrlText",
    "echo",
    "generate_password",
    "generate_uuid",
    "get_time",
    "hash_text",
    "json_format",
    "string_stats",
    "text_tools",
    "url_encode",
]
