"""A model that can do nothing but read: it mends its command by what the refusal says, or says why it cannot.

It knows no code of any refusal. Each rule looks at the text alone, as a reader would: a command that is shown, a
field to be left out, a list to choose from, a command to use instead, somebody to ask.
"""

import ast
import copy
import json
import re
from pathlib import Path

import anyio.lowlevel

import par.tools.bash
from par.calls import ModelReply
from par.messages import Assistant, Text, ToolResults, ToolUse
from par.tools.bash._commands.table import COMMANDS

__all__ = ["Mender", "codes", "mended"]

TABLES = {"_CODES", "_TEXTS", "_KNOWN", "_ALWAYS"}
"""Names of the tables in the source from which refusals take a code: the first such word of each row."""
REFUSAL = re.compile(r"\[bash:(\w+)\] at (\S+): (.*)", re.DOTALL)
NOBODY = re.compile(
    r"ask the user|tell the user|until the user|the host (?:can|has)|report it|There are: none|Do without"
    r"|are not read|are patched|tar.xz are read",
    re.IGNORECASE,
)
AGAIN = re.compile(r"Send the command again|Try again|try again")


def codes():
    """Return every code that the source can refuse with, by what stands where a code goes."""
    found = set()
    for file in Path(par.tools.bash.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            found.update(_codes(node))
    return found - {""}


def _codes(node):
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in {"CommandRefused", "refuse", "_unseen"} and node.args:
            yield from _texts(node.args[0])
        for keyword in node.keywords:
            yield from _texts(keyword.value) if keyword.arg == "code" else ()
    elif isinstance(node, ast.arguments):
        for given, default in [
            *zip(node.args[::-1], node.defaults[::-1], strict=False),
            *zip(node.kwonlyargs, node.kw_defaults, strict=True),
        ]:
            yield from _texts(default) if given.arg == "code" and default is not None else ()
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        rows = [row.elts for row in ast.walk(node.value) if isinstance(row, ast.Tuple)] if node.value else []
        if getattr(target, "id", "") in TABLES:
            for row in rows:
                words = [word for cell in row for word in _texts(cell) if re.fullmatch("[a-z]+(?:_[a-z]+)*", word)]
                yield from words[:1] if len(row) >= 3 else ()
        elif isinstance(target, ast.Tuple) and "code" in (names := [getattr(name, "id", "") for name in target.elts]):
            yield from (word for row in rows if len(row) == len(names) for word in _texts(row[names.index("code")]))


def _texts(node):
    return [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def shown_commands(text):
    """Return the commands that stand in a text as JSON."""
    for found in re.finditer(r'\{"op"', text):
        value, _ = json.JSONDecoder().raw_decode(text[found.start() :])
        yield value


def holder(command, field):
    """Return the object or list that holds a field such as ``stages[1].path``, and the last step."""
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", field)]
    for step in steps[:-1]:
        inside = isinstance(step, int) and isinstance(command, list) and step < len(command)
        if not inside and not (isinstance(command, dict) and step in command):
            return {}, steps[-1]
        command = command[step]
    return command, steps[-1]


def mended(command, refusal):
    """Return the command that a refusal leads to, or the text to give up with."""
    _, field, says = REFUSAL.match(refusal).groups()
    says = says.split(" Also [bash:")[0]
    again = copy.deepcopy(command)
    for rule in (_told, _number, _listed, _shown, _instead):
        if rule(again, field, says) and again != command:
            return again
    other = _other(command, says)
    if other is not None:
        return other
    if AGAIN.search(says):
        return again
    assert NOBODY.search(says), f"this teaches nothing: {refusal}"
    return says


def _told(command, field, says):
    """What the text says word for word: leave something out, set it, put it into a list."""
    place, last = holder(command, field)
    for found in re.finditer(r"Did you mean (\w+)\?", says):
        place[found[1]] = place.pop(last)
        return True
    for found in re.finditer(r"Leave (?!the)(\w+) out|give \w+ or (\w+), not both", says):
        name = found[1] or found[2]
        return place.pop(last if name == "it" else name, None) is not None
    for found in re.finditer(
        r"Set (\w+): true|Send (\w+): true|(?<![\w.])(\w+): true (?:lets|deletes|commits|makes)|send (\w+): true", says
    ):
        target = place if isinstance(place, dict) else command
        target[next(filter(None, found.groups()))] = True
        return True
    for found in re.finditer(r"(\w+) needs (\w+): true", says):
        place[found[2]] = True
        return True
    if "Fields: " in says and isinstance(place, dict):
        return place.pop(last, None) is not None
    if "Put it in a list" in says:
        place[last] = [place[last]]
        return True
    return False


def _number(command, field, says):
    """Bounds of numbers, of texts, of lists."""
    place, last = holder(command, field)
    for found in re.finditer(r"Send (\d+) without quotes", says):
        place[last] = int(found[1])
        return True
    for found in re.finditer(r"larger (\w+): up to (\d+)", says):
        place[found[1]] = int(found[2])
        return True
    for found in re.finditer(r"between (\d+) and (\d+)", says):
        place[last] = int(found[1])
        return True
    for found in re.finditer(r"at most (\d+) (?:characters )?are allowed|(\d+) to (\d+) are allowed", says):
        most = int(found[1] or found[3])
        place[last] = place[last][:most]
        return True
    return False


def _listed(command, field, says):
    """One of the words that there are."""
    place, last = holder(command, field)
    for found in re.finditer(r"one of (\w+)|There are: (?!none)(\w+)|must be a choice of (\w+)", says):
        place[last] = next(filter(None, found.groups()))
        return True
    return False


def _shown(command, field, says):
    """A command, a text or an object that is shown as an example."""
    for value in shown_commands(says):
        if value["op"] == command.get("op"):
            for name, held in value.items():
                command.setdefault(name, held)
        else:
            command.clear()
            command.update(value)
        return True
    place, last = holder(command, field)
    wanted = r'(?:such as|[Ff]or example|as in|Write it as in|itself is) "?([^\s",]+(?: and not \w+)?)"?'
    for found in re.finditer(wanted, says):
        word = found[1].rstrip(".") or "."
        if word.startswith("{"):
            value, _ = json.JSONDecoder().raw_decode(says[says.index("such as {") + 8 :])
            place[last] = value
        elif (isinstance(place, dict) and last in place) or isinstance(place, list):
            place[last] = word
        else:
            continue
        return True
    return False


def _instead(command, field, says):
    """What the text asks for in words that this reader knows."""
    place, last = holder(command, field)
    held = place.get(last) if isinstance(place, dict) else place[last] if isinstance(last, int) else None
    if re.search(r"(?:Write it|Write them|Send it) without (?:control|\()|not expanded here", says) and isinstance(
        held, str
    ):
        place[last] = "".join(char for char in held if char.isprintable() and char != "~").lstrip("/") or "README.md"
        return True
    if re.search(
        r"[Cc]hoose (?:another|a shorter|a plain)|take another name|Choose a place outside|absent or empty", says
    ):
        place[last] = "another-name"
        return True
    return False


def _other(command, says):
    """Another command that the text names, for the same path."""
    named = [word for word in re.findall(r"[a-z]+(?:_[a-z]+)*", says) if word in COMMANDS and word != command.get("op")]
    verbs = re.search(r"[Uu]se \w|[Ll]ook with|[Ss]ee \w+_|lists|shows|git_add|or git_stash|with (?:head|\w+_)", says)
    if not verbs or not named:
        return None
    path = command.get("path") or command.get("src") or (command.get("paths") or ["."])[0]
    fields = {
        "git_stash": {"action": "push"},
        "git_switch": {"branch": "its-own", "create": True}
        if "create: true" in says
        else {"branch": command.get("new_name") or command.get("name") or command.get("branch")},
        "git_add": {"all": True},
        "git_refs": {"kind": "stashes" if "stash" in says else "branches"},
        "git_ls_files": {},
        "git_status": {},
        "git_log": {"all": True},
        "git_show": {"output": "stat"},
        "write_file": {"path": "plain.txt", "content": "x\n"},
        "find": {},
        "list_dir": {"path": path if "folder" in says and "does not" not in says and "no such" not in says else "."},
    }
    op = next((word for word in named if word in fields), named[0])
    return {"op": op, **fields.get(op, {"path": path})}


class Mender:
    """Sends a command, mends it by what comes back, and ends when it ran or when the text says that it cannot."""

    name = "mender"

    def __init__(self, command, most=4):
        self.command = command
        self.most = most
        self.refusals = []

    async def __call__(self, call, /):
        await anyio.lowlevel.checkpoint()
        last = call.messages[-1]
        if isinstance(last, ToolResults):
            result = last.results[0]
            if result.outcome == "done" and "[bash:" not in result.content:
                return self.said("It ran.")
            self.refusals.append(result.content)
            assert len(self.refusals) <= self.most, self.refusals
            start = result.content.index("[bash:")
            mending = mended(self.command, result.content[start:])
            if isinstance(mending, str):
                return self.said(mending)
            self.command = mending
        use = ToolUse(f"call_{len(self.refusals)}", "bash", {"command": self.command})
        return ModelReply(message=Assistant((use,)), finish="tool_uses", model=self.name)

    def said(self, text):
        return ModelReply(message=Assistant((Text(text),)), model=self.name)
