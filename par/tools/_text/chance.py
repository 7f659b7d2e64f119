"""Tools whose results nobody can foresee: they ask the operating system for randomness."""

import secrets
import string
import uuid
from typing import Annotated

import attrs

from par import Param, tool

__all__ = ["GeneratedUuid", "Password", "generate_password", "generate_uuid"]

_SYMBOLS = "!#$%&*+-=?@_"
"""None of them needs quoting in JSON, and none is a quote, a slash or a space."""


@attrs.frozen(kw_only=True)
class GeneratedUuid:
    """What ``generate_uuid`` returns."""

    uuid: str


@attrs.frozen(kw_only=True)
class Password:
    """What ``generate_password`` returns."""

    password: str = attrs.field(repr=False)
    length: int


# both are "idempotent" and not "read", so that no cache hands one result out twice
@tool(effect="idempotent", timeout=5.0)
def generate_uuid() -> GeneratedUuid:
    """Make a random UUID (version 4)."""
    return GeneratedUuid(uuid=str(uuid.uuid4()))  # 122 bits of os.urandom


@tool(effect="idempotent", timeout=5.0)
def generate_password(
    length: Annotated[int, Param(description="how many characters", ge=8, le=128)] = 20,
    include_symbols: Annotated[bool, Param(description=f"whether to use {_SYMBOLS} too")] = True,
) -> Password:
    """Make a random password with lower-case letters, capitals and digits, and symbols if wanted, at least one of each.

    The password is part of the conversation and of the audit: it suits what is used once or stays in the run.
    """
    kinds = [string.ascii_lowercase, string.ascii_uppercase, string.digits, *([_SYMBOLS] if include_symbols else [])]
    alphabet = "".join(kinds)
    while True:  # drawn anew as a whole, so that each allowed password is as likely as every other; two times in three
        drawn = "".join(
            secrets.choice(alphabet) for _ in range(length)
        )  # succeed at the first draw at the least length
        if all(any(character in kind for character in drawn) for kind in kinds):
            return Password(password=drawn, length=length)
