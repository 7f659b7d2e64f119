"""Everyday commands of a coding agent run at the first try; what is absent by design names its substitute."""

import json
import shutil
import sys
import zipfile

import pytest
from unit.tools.bash_scene import git, make_repo, rows

from par.approvals import Approved
from par.errors import CommandRefused
from par.tools.bash import (
    Bash,
    Linter,
    Policy,
    PythonHost,
    Task,
    TestRunner,
    command_from_json,
    command_to_json,
    parse_command,
)
from par.tools.bash._walls.choose import best_wall

ROWS = rows("bash_benign.json")
PYTHON = sys.executable
SAYS = (PYTHON, "-P", "-c", "import sys; print(sys.argv[1:])")
LINES = "# TODO {name}\ndef parse_config():\n    raise ValueError  # 日本語 v1.2 ERROR --no-cache $(date)\nSOME = 'localhost'\n"
FILES = (
    "src/app.py", "src/db.py", "src/x.ts", "tests/test_a.py", "docs/ja.md", "scripts/x.sh", "scripts/run.sh", "build/out.txt",
    "README.md", "setup.cfg", "build.log", "a.py", "a.log", "a.txt", "out.json", "VERSION", "CHANGELOG.md", "config.ini", "Dockerfile",
    "f.txt", "build.stamp", "file with spaces.txt", "-weird-name", "naïve café.md", "it's.txt", "a;b&c.txt", "dist/x.whl", "ids.txt",
    "users.txt", "names.txt", "tags.txt", "old.cfg", "new.cfg", "old.py",  "dist1/f", "dist2/g", "templates/base/t",
    "frontend/x.js", "node_modules/m.js", "app/migrations/1.sql", "app.log", "server.log", "access.log",
)  # fmt: skip

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not ROWS, reason="the cases are not beside this repository"),
    pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})], ids=["asyncio"], indirect=True),
]


async def yes(request):
    return Approved(by="test")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A repository in which every everyday command finds something to do."""
    folder = tmp_path_factory.mktemp("scratch")
    make_repo(folder)
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(LINES.format(name=name) * 70)
    value = {"version": "1", "dependencies": {"b": 1}, "items": [{"id": 3}], "scripts": {"test": "true"}, "name": "x"}
    for name, held in (("package.json", value), ("d.json", value), ("data.json", value), ("out.json", [value])):
        (folder / name).write_text(json.dumps(held))
    (folder / "setup.cfg").write_text("[metadata]\nname = x\n" * 1 + "# TODO\n" * 70)
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (folder / "data.csv").write_text("b,2\na,1\n")
    (folder / "data.bin").write_bytes(bytes(range(256)))
    (folder / "assets").mkdir()
    (folder / "assets/logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (folder / "scripts/gen.py").write_text("import sys\nprint(sys.argv[1:])\n")
    (folder / "tests/test_app.py").write_text(
        "import pytest\n\nclass TestA:\n    def test_b(self): pass\n\n"
        "@pytest.mark.parametrize('x', ['a-1'])\ndef test_c(x): pass\n\ndef test_parse(): pass\n"
    )
    (folder / "tests/test_a.py").write_text("def test_a(): pass\n")
    with zipfile.ZipFile(folder / "dist/app.whl", "w") as archive:
        archive.writestr("a", "x")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "fix everything")
    git(folder, "branch", "old")
    git(folder, "branch", "feature/done")
    git(folder, "commit", "-qm", "nothing", "--allow-empty")
    git(folder, "commit", "-qm", "nothing", "--allow-empty")
    git(folder, "remote", "add", "origin", "https://user:secret@example.org/x.git")
    (folder / "src/app.py").write_text("changed\n")
    (folder / "tests/test_app.py").touch()
    return folder


@pytest.fixture
def scratch(original, tmp_path):
    return shutil.copytree(original, tmp_path / "ws", symlinks=True)


def host(name, kind, **fields):
    return kind(name=name, argv=SAYS, **fields)


def policy():
    option = {"max_failures": ("--max={}",), "keyword": ("-k", "{}"), "quiet": ("-q",), "verbose": ("-v",)}
    return Policy.coder(
        execute=True,
        python=PythonHost(python=PYTHON, modules=("build",)),
        runners=[
            TestRunner.pytest(PYTHON),
            *(host(name, TestRunner, **option) for name in ("cargo", "go", "npm", "unittest")),
        ],
        linters=[
            host(name, Linter, fix=("--fix",)) for name in ("ruff", "ruff_format", "mypy", "pyright", "eslint", "tsc")
        ],
        tasks=[host(name, Task) for name in ("build", "db-up", "install-dev", "lint")],
    )


def adapted(given, scratch):
    """Put a real revision into a row, and the state into the repository that the row takes for granted."""
    text = json.dumps(given)
    if "abc1234" in text:
        text = text.replace("abc1234", git(scratch, "rev-parse", "--short", "HEAD"))
    op = given["op"]
    if op == "git_commit" and not given.get("amend"):
        git(scratch, "add", "src/app.py")
    elif op == "git_commit":
        git(scratch, "commit", "-q", "--allow-empty", "-am", "to be amended")
    elif op == "diff":
        for name in (given["left"], given["right"]):
            file = scratch / name / "f" if given.get("recursive") else scratch / name
            file.parent.mkdir(exist_ok=True)
            file.touch()
    elif given == {"op": "touch", "path": "src/new/__init__.py"}:
        (scratch / "src/new").mkdir()
    elif op == "copy" and given["dst"] == "out/base":
        (scratch / "out").mkdir()
    elif op == "git_stash" and given["action"] == "pop":
        git(scratch, "stash")
    elif op == "git_switch" and not given.get("create"):
        git(scratch, "checkout", "-q", "-f", "-b", "other")
    elif op == "git_branch" and given["action"] == "rename":
        git(scratch, "branch", "-f", given["name"])
    elif op == "git_apply":
        (scratch / "x").write_text("one\n")
        patch = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+two\n"
        text = json.dumps({**given, "patch": patch})
    return text


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS if row["json_input"]])
async def test_the_everyday_command_runs(row, scratch):
    text = adapted(row["json_input"], scratch)
    if row["json_input"]["op"].startswith("run_") and await best_wall() is None:
        pytest.skip("no wall works on this machine, so nothing of the project is run")
    bash = Bash(scratch, policy(), approve=yes)
    command = parse_command(text)

    output = await bash.run(command)

    different = {"grep", "diff"} | ({"run_tests", "run_python"} if command.op.startswith("run_") else set())
    assert output.exit_code == 0 or (output.exit_code in {1, 5} and output.op in different), output
    ops = [stage.op for stage in getattr(command, "stages", (command,))]
    assert not output.stderr or any(op.startswith(("run_", "git_")) for op in ops), output
    assert "secret" not in output.stdout or output.op != "git_refs"
    assert command_from_json(command_to_json(command)) == command
    bash.workspace.close()


@pytest.mark.parametrize(
    ("shell", "op", "substitute"),
    [
        ("python -c 'print(1)'", "python", "run_python"),
        ("curl -s http://localhost", "curl", "fetch_url"),
        ("sed -i s/a/b/ f.py", "sed", "edit"),
        ("awk '{print $2}' f", "awk", "cut"),
        ("kill %1", "kill", "the command that started them"),
        ("ps aux", "ps", "the command that started them"),
        ("export FOO=1", "export", "set by the host"),
    ],
)
async def test_what_is_absent_by_design_names_its_substitute(shell, op, substitute):
    with pytest.raises(CommandRefused, match=substitute):
        parse_command(json.dumps({"op": op, "args": shell}))
