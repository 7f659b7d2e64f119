"""The bash tool: a closed set of typed commands in the place of a shell."""

from par.tools._workspace import Workspace
from par.tools.bash._bash import Bash
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.parse import command_from_json, parse_command
from par.tools.bash._commands.reading import Find, Grep, Head, ListDir, ReadFile, Tail, WordCount
from par.tools.bash._commands.table import Command, command_to_json
from par.tools.bash._commands.values import Age
from par.tools.bash._policy.policy import Allow, Decision, Deny, Policy
from par.tools.bash._run.output import CommandOutput

__all__ = [
    "Age",
    "Allow",
    "Bash",
    "Command",
    "CommandOutput",
    "Decision",
    "Deny",
    "Find",
    "GitDiff",
    "GitLog",
    "GitShow",
    "GitStatus",
    "Grep",
    "Head",
    "ListDir",
    "Policy",
    "ReadFile",
    "Tail",
    "WordCount",
    "Workspace",
    "command_from_json",
    "command_to_json",
    "parse_command",
]
