"""The offline model's rules: which commands come next, and what may be said of their results."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

import attrs

from par._json import JsonObject

__all__ = ["Finding", "answer", "next_commands"]

_FENCE = re.compile(r"^(={5,})$\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_HIT = re.compile(r"^(?:\./)?([^:\n]+):(\d+):(.*)$", re.MULTILINE)
_WORD = re.compile(r"`([^`]+)`|([A-Za-z_][A-Za-z0-9_]+)")
_DOTFILE = re.compile(r"(?<![\w/])(\.[A-Za-z][\w./-]*\w)")
_CODE = frozenset({".py", ".rs", ".go", ".ts", ".js", ".c", ".h", ".cpp", ".java", ".ml", ".rb"})
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "about after allowed also and any are asked before can change changed could did does explain file files find for "
        "from give has have how implemented implements into its last list look made make many may more named not only "
        "project read repo repository says show some tell than that the them then there these they this tried try was "
        "were what when where whether which who why will with work works would write you your",
    )
)


@attrs.frozen(kw_only=True)
class Finding:
    """One command and what the tool said to it."""

    command: JsonObject
    text: str
    failed: bool

    @property
    def op(self) -> str:
        """The command's tag."""
        return str(self.command.get("op", ""))

    @property
    def data(self) -> str:
        """What stands between the fences; empty for a refusal."""
        match = _FENCE.search(self.text)
        return "" if self.failed or match is None else match[2]


def next_commands(question: str, findings: Sequence[Finding]) -> list[JsonObject]:
    """Return the commands to run next; none when there is nothing left to look at."""
    if not findings:
        return [{"op": "list_dir", "path": "."}, {"op": "git_log", "max_count": 5, "format": "oneline"}]
    asked = {finding.op for finding in findings}
    if "grep" not in asked and "find" not in asked:
        return _look_closer(question, findings)
    dotfile = _DOTFILE.search(question)
    if dotfile and "read_file" not in asked:
        return [{"op": "read_file", "path": dotfile[1]}]
    return []


def _look_closer(question: str, findings: Sequence[Finding]) -> list[JsonObject]:
    names = [line.strip() for line in findings[0].data.splitlines()]
    readme = next((name for name in names if name.lower().startswith("readme")), None)
    commands: list[JsonObject] = []
    if readme is not None:
        commands.append({"op": "head", "path": readme, "lines": 30})
    topic = _topic(question)
    if topic is not None:
        commands.append({"op": "grep", "pattern": topic, "syntax": "fixed", "ignore_case": True, "max_count": 3})
    commands.append({"op": "find", "paths": ["."], "type": "file", "exclude_dirs": [".git", ".venv", "node_modules"]})
    return commands


def _topic(question: str) -> str | None:
    """Return the most telling word: what stands in backquotes, else a name with capitals inside, else a long word."""
    words = [quoted or word for quoted, word in _WORD.findall(_DOTFILE.sub(" ", question))]
    telling = [word for word in words if word.lower() not in _COMMON]
    if not telling:
        return None
    quoted = re.search(r"`([^`\n]+)`", question)
    if quoted:
        return quoted[1]
    named = [word for word in telling if any(c.isupper() for c in word[1:]) or "_" in word]
    return str((named or sorted(telling, key=len, reverse=True))[0])


def answer(findings: Sequence[Finding]) -> str:
    """Say what was found, with the file and the line where there is one."""
    said = ["I am the built-in offline model: I follow fixed rules and report only what the tools returned."]
    for finding in findings:
        if finding.op == "read_file" or finding.failed:
            said.append(_tried(finding))
        else:
            said.extend(_fact(finding))
    return "\n".join(said)


def _tried(finding: Finding) -> str:
    path = finding.command.get("path")
    what = f"{finding.op} {path}" if isinstance(path, str) else finding.op
    if finding.failed:
        return f"- {what}: not allowed or not possible. The tool said: {finding.text.splitlines()[0][:200]}"
    return f"- {what}: allowed; it has {len(finding.data.splitlines())} lines."


def _fact(finding: Finding) -> list[str]:
    lines = [line for line in finding.data.splitlines() if line.strip()]
    if finding.op == "list_dir" and lines:
        return [f"- The top folder holds {len(lines)} entries: {', '.join(line.strip() for line in lines[:12])}."]
    if finding.op == "git_log" and lines:
        return [f"- The last commit is: {lines[0].strip()[:120]}"]
    if finding.op == "head" and lines:
        return _about(str(finding.command.get("path")), lines)
    if finding.op == "find" and lines:
        return [_census(lines)]
    if finding.op == "grep":
        return [_places(str(finding.command.get("pattern")), finding.data)]
    return []


def _about(path: str, lines: Sequence[str]) -> list[str]:
    title = next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), None)
    prose = next((line.strip() for line in lines if line[:1].isalpha() or line.startswith(("*", "_"))), None)
    facts = [f'- {path} is headed "{title}".'] if title else []
    return facts + ([f"- It says: {prose[:300]}"] if prose else [])


def _census(lines: Sequence[str]) -> str:
    kinds = Counter(PurePosixPath(line.strip()).suffix or "no suffix" for line in lines)
    common = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    return f"- There are {len(lines)} files in view: {common}."


def _places(topic: str, data: str) -> str:
    hits = [(path, int(line), text) for path, line, text in _HIT.findall(data)]
    if not hits:
        return f'- "{topic}" stands in no file that I may read.'
    code = [hit for hit in hits if PurePosixPath(hit[0]).suffix in _CODE and not hit[0].startswith(("test", "bench"))]
    best = sorted(code or hits, key=lambda hit: (not hit[2].lstrip().startswith(("def ", "class ", '"""')), hit[0]))[:3]
    places = "; ".join(f"{path}:{line} ({text.strip()[:80]})" for path, line, text in best)
    return f'- "{topic}" stands in {len({hit[0] for hit in hits})} files; first look at {places}.'
