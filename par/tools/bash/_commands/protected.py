"""Names that no command writes: programs run what stands in such files, or trust it."""

import unicodedata
from typing import Final

__all__ = ["ASKED", "PROTECTED", "asked_name", "folded", "protected_name"]

# by name, whether or not it exists: what is absent today would otherwise be made
PROTECTED: Final = frozenset([
    ".git",
    "git~1",
    ".hg",
    ".svn",
    ".vscode",
    ".idea",
    ".claude",
    ".codex",
    ".gemini",
    ".cursor",
    ".husky",
    ".devcontainer",
    ".gitmodules",
    ".gitconfig",
    ".envrc",
    ".direnv",
    ".mcp.json",
    ".ripgreprc",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".inputrc",
    ".ssh",
    ".netrc",
    ".pypirc",
    ".pythonrc",
])

ASKED: Final = (".gitattributes", ".github/workflows", ".gitlab-ci.yml", ".pre-commit-config.yaml")
"""What a person decides on: such files are everyday work, and something runs them later."""


def folded(part: str) -> str:
    """Return a name as the most forgiving file system compares it: no case, no trailing dots, no stream."""
    plain = unicodedata.normalize("NFKC", part).casefold().split(":", 1)[0]
    return plain.rstrip(". ").replace("\u0131", "i")


def protected_name(path: str) -> str | None:
    """Return the protected name that stands in ``path``, if one does."""
    for part in path.split("/"):
        name = folded(part)
        if name in PROTECTED:
            return name
    return None


def asked_name(path: str) -> str | None:
    """Return the name in ``path`` on which a person decides each time, if there is one."""
    parts = [folded(part) for part in path.split("/") if part not in {"", "."}]
    for name in ASKED:
        wanted = name.split("/")
        if any(parts[at : at + len(wanted)] == wanted for at in range(len(parts))):
            return name
    return None
