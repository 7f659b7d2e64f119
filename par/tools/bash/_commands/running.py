"""The commands that run code of the project: arbitrary code, which needs a wall around it."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.kinds import Flag, Many, Whole
from par.tools.bash._commands.kinds_of_text import argument, expression, path, target, word
from par.tools.bash._commands.nested import Params, ParamsKind, as_params
from par.tools.bash._commands.refusals import Problem
from par.tools.bash._commands.values import as_optional_tuple, as_tuple, check, joined

__all__ = ["RunLinter", "RunPython", "RunTask", "RunTests"]

_CWD = path("Run it in this folder of the workspace.").at()


@attrs.frozen(kw_only=True)
class RunTests:
    """Run tests with a runner that the host has set up."""

    op: ClassVar[Literal["run_tests"]] = "run_tests"

    runner: str = attrs.field(metadata=word("The runner, such as pytest.").at())
    targets: tuple[str, ...] | None = attrs.field(
        default=None, converter=as_optional_tuple, metadata=Many("Files, folders, file::test.", target("")).at()
    )
    keyword: str | None = attrs.field(default=None, metadata=expression("Only tests whose names fit.").at())
    marker: str | None = attrs.field(default=None, metadata=expression("Only tests with such marks.").at())
    max_failures: int | None = attrs.field(default=None, metadata=Whole("Stop after so many.", 1, 10_000).at())
    verbose: bool = attrs.field(default=False, metadata=Flag("Say more.").at())
    quiet: bool = attrs.field(default=False, metadata=Flag("Say less.").at())
    collect_only: bool = attrs.field(default=False, metadata=Flag("List the tests; this too runs their code.").at())
    last_failed: bool = attrs.field(default=False, metadata=Flag("Only those that failed last time.").at())
    timeout_s: int | None = attrs.field(
        default=None, metadata=Whole("Seconds; the policy may allow less.", 1, 600).at()
    )
    cwd: str | None = attrs.field(default=None, metadata=_CWD)

    def __attrs_post_init__(self) -> None:
        both = self.verbose is True and self.quiet is True
        check(self, joined("give verbose or quiet, not both.", "verbose") if both else None)


@attrs.frozen(kw_only=True)
class RunLinter:
    """Run a linter, formatter or type checker that the host has set up."""

    op: ClassVar[Literal["run_linter"]] = "run_linter"

    tool: str = attrs.field(metadata=word("The tool, such as ruff.").at())
    paths: tuple[str, ...] = attrs.field(
        default=(".",), converter=as_tuple, metadata=Many("Files and folders, relative to cwd.", path("")).at()
    )
    fix: bool = attrs.field(default=False, metadata=Flag("Change the files.").at())
    cwd: str | None = attrs.field(default=None, metadata=_CWD)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class RunPython:
    """Run a Python script of the workspace, or a module that the host has set up."""

    op: ClassVar[Literal["run_python"]] = "run_python"

    script: str | None = attrs.field(default=None, metadata=path("The script, relative to the workspace.").at())
    module: str | None = attrs.field(default=None, metadata=word("The module instead.").at())
    args: tuple[str, ...] = attrs.field(
        default=(), converter=as_tuple, metadata=Many("Its arguments.", argument(""), 64, 0).at()
    )
    timeout_s: int | None = attrs.field(
        default=None, metadata=Whole("Seconds; the policy may allow less.", 1, 600).at()
    )
    cwd: str | None = attrs.field(default=None, metadata=_CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if (self.script is None) == (self.module is None):
            problem = joined("give script or module.", "script")
        check(self, problem)


@attrs.frozen(kw_only=True)
class RunTask:
    """Run a task that the host has set up."""

    op: ClassVar[Literal["run_task"]] = "run_task"

    name: str = attrs.field(metadata=word("The task.").at())
    params: Params = attrs.field(
        factory=Params, converter=as_params, metadata=ParamsKind("Its parameters, by name.").at()
    )

    def __attrs_post_init__(self) -> None:
        check(self)
