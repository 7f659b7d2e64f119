"""The bash tool: a closed set of typed commands in the place of a shell."""

from par.tools._workspace import Workspace
from par.tools.bash._bash import Bash
from par.tools.bash._commands.filters import Cut, EmitText, GrepFilter, Sort, Translate, Uniq
from par.tools.bash._commands.git_history import GitBlame, GitLsFiles, GitRefs, GitRevParse
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.git_writing import (
    GitAdd,
    GitApply,
    GitBranch,
    GitCommit,
    GitReset,
    GitRestore,
    GitStash,
    GitSwitch,
)
from par.tools.bash._commands.looking import (
    Checksum,
    Diff,
    DiskUsage,
    FileType,
    HexDump,
    JsonQuery,
    Stat,
    SystemInfo,
    Tree,
    Which,
)
from par.tools.bash._commands.nested import Age, Key, Params
from par.tools.bash._commands.parse import command_from_json, parse_command
from par.tools.bash._commands.pipeline import Pipeline
from par.tools.bash._commands.reading import Find, Grep, Head, ListDir, ReadFile, Tail, WordCount
from par.tools.bash._commands.running import RunLinter, RunPython, RunTask, RunTests
from par.tools.bash._commands.table import Command, command_to_json
from par.tools.bash._commands.writing import (
    ArchiveExtract,
    ArchiveList,
    Copy,
    MakeDir,
    Move,
    Remove,
    SetExecutable,
    Touch,
    WriteFile,
)
from par.tools.bash._plan import planned_argv, schema_of_op
from par.tools.bash._policy.decide import Allow, Ask, Decision, Deny
from par.tools.bash._policy.hosted import Linter, Param, Place, PythonHost, Task, TestRunner
from par.tools.bash._policy.policy import Identity, Policy
from par.tools.bash._run.output import CommandOutput
from par.tools.bash._walls.bwrap import BwrapWall
from par.tools.bash._walls.choose import best_wall
from par.tools.bash._walls.landlock import LandlockWall
from par.tools.bash._walls.seatbelt import SeatbeltWall
from par.tools.bash._walls.supervised import ExternalWall, NoWall
from par.tools.bash._walls.values import Capability, Wall

__all__ = [
    "Age",
    "Allow",
    "ArchiveExtract",
    "ArchiveList",
    "Ask",
    "Bash",
    "BwrapWall",
    "Capability",
    "Checksum",
    "Command",
    "CommandOutput",
    "Copy",
    "Cut",
    "Decision",
    "Deny",
    "Diff",
    "DiskUsage",
    "EmitText",
    "ExternalWall",
    "FileType",
    "Find",
    "GitAdd",
    "GitApply",
    "GitBlame",
    "GitBranch",
    "GitCommit",
    "GitDiff",
    "GitLog",
    "GitLsFiles",
    "GitRefs",
    "GitReset",
    "GitRestore",
    "GitRevParse",
    "GitShow",
    "GitStash",
    "GitStatus",
    "GitSwitch",
    "Grep",
    "GrepFilter",
    "Head",
    "HexDump",
    "Identity",
    "JsonQuery",
    "Key",
    "LandlockWall",
    "Linter",
    "ListDir",
    "MakeDir",
    "Move",
    "NoWall",
    "Param",
    "Params",
    "Pipeline",
    "Place",
    "Policy",
    "PythonHost",
    "ReadFile",
    "Remove",
    "RunLinter",
    "RunPython",
    "RunTask",
    "RunTests",
    "SeatbeltWall",
    "SetExecutable",
    "Sort",
    "Stat",
    "SystemInfo",
    "Tail",
    "Task",
    "TestRunner",
    "Touch",
    "Translate",
    "Tree",
    "Uniq",
    "Wall",
    "Which",
    "WordCount",
    "Workspace",
    "WriteFile",
    "best_wall",
    "command_from_json",
    "command_to_json",
    "parse_command",
    "planned_argv",
    "schema_of_op",
]
