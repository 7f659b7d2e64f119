"""What the command line takes from its surroundings: keys, folders, the repository it stands in."""

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["audit_file", "default_model", "environment", "repository"]

_KEYS = (("OPENAI_API_KEY", "openai:gpt-5-mini"), ("ANTHROPIC_API_KEY", "anthropic:claude-sonnet-4-5"))


def environment() -> Mapping[str, str]:
    """Return the process's environment; the one place where the command line reads it."""
    return os.environ  # noqa: TID251 # a program may, its library may not


def default_model(env: Mapping[str, str]) -> str:
    """Return the model of the first provider that has a key, else the offline model."""
    return next((model for key, model in _KEYS if env.get(key)), "offline:rules")


def audit_file(env: Mapping[str, str]) -> Path:
    """Return where audits go by default: the user's folder for state, as the XDG base directories have it."""
    state = env.get("XDG_STATE_HOME", "")
    base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "par" / "audit.db"


def repository(start: Path) -> Path:
    """Return the nearest folder upwards that has a ``.git``; ``start`` itself if there is none."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)
