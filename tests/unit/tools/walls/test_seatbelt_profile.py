"""The profile for macOS's sandbox-exec, as text: the program itself exists on macOS alone."""

import re
import sys

import pytest

from par.errors import CommandRefused
from par.tools.bash._walls.seatbelt import SeatbeltWall, seatbelt_profile
from par.tools.bash._walls.values import WallSpec

GOOD = {"root": 3, "workspace": "/Users/ann/my ws", "home": "/private/h", "tmp": "/private/t"}


def profile(**changes):
    return seatbelt_profile(WallSpec(**{**GOOD, "access": "write", **changes})).splitlines()


def line(lines, start):
    (found,) = [one for one in lines if one.startswith(start)]
    return found


def patterns(lines, start):
    return [re.search(r'#"(.*)"', one)[1] for one in lines if one.startswith(start)]


def kept(name, **changes):
    """Whether a file in the workspace may not be written, by the regular expressions of the profile."""
    found = patterns(profile(**changes), "(deny file-write*")
    return any(re.match(one, f"/Users/ann/my ws/{name}") for one in found)


def test_everything_is_denied_first_and_the_network_last():
    lines = profile()

    assert lines[:2] == ["(version 1)", "(deny default)"]
    assert lines[-1] == "(deny network*)"


@pytest.mark.parametrize(("access", "expected"), [("read", False), ("write", True)])
def test_the_workspace_is_written_to_where_the_spec_says_so(access, expected):
    rules = [one for one in profile(access=access) if '(subpath "/Users/ann/my ws")' in one]

    assert len(rules) == 1
    assert ("file-write*" in rules[0]) == expected


def test_further_folders_are_read_and_run_only():
    (rule,) = [one for one in profile(read_only=("/opt/venv",)) if '(subpath "/opt/venv")' in one]

    assert rule.startswith("(allow file-read* process-exec* ")


def test_the_private_folders_are_written_to():
    rule = line(profile(), "(allow file-read* file-write* process-exec* (subpath")

    assert '(subpath "/private/h") (subpath "/private/t")' in rule


@pytest.mark.parametrize("name", [".git", ".git/hooks/x", ".GIT/config", ".vscode/settings.json", ".VSCode"])
def test_protected_names_are_kept_in_any_case(name):
    assert kept(name, protected=(".vscode",))


@pytest.mark.parametrize("name", ["a.txt", ".gitignore", "xgit/a", "src/.git/config", ".vscode2"])
def test_other_names_are_not_kept(name):
    assert not kept(name, protected=(".vscode",))


@pytest.mark.parametrize(
    ("name", "expected"),
    [(".git/index", False), (".git/config", True), (".git/Hooks/x", True), (".git/configs", False)],
)
def test_git_writes_all_but_its_settings(name, expected):
    assert kept(name, git="write") == expected


@pytest.mark.parametrize(("git", "expected"), [("none", 1), ("read", 0)])
def test_git_is_hidden_where_the_spec_says_so(git, expected):
    assert len(patterns(profile(git=git), "(deny file-read*")) == expected


def test_the_way_to_a_folder_may_be_looked_at():
    rule = line(profile(read_only=("/opt/a/b",)), "(allow file-read-metadata")

    for path in ("/", "/Users", "/Users/ann", "/private", "/opt", "/opt/a"):
        assert f'(literal "{path}")' in rule


@pytest.mark.parametrize(
    "path", ['/Users/a"b', "/Users/a\\b", "/Users/a\nb", "/Users/\u00e4", "/Users/a^b", "/Users/a[b]"]
)
@pytest.mark.parametrize("field", ["workspace", "home", "tmp", "read_only"])
def test_paths_that_could_mean_something_else_are_refused(field, path):
    with pytest.raises(CommandRefused, match="wall_unfit"):
        profile(**{field: (path,) if field == "read_only" else path})


def test_signs_of_a_path_stand_for_themselves():
    assert re.match(patterns(profile(workspace="/w/a.b(c)+"), "(deny file-write*")[0], "/w/a.b(c)+/.git")
    assert not re.match(patterns(profile(workspace="/w/a.b"), "(deny file-write*")[0], "/w/axb/.git")


def test_a_protected_name_that_could_mean_something_else_is_refused():
    with pytest.raises(CommandRefused, match="wall_unfit"):
        profile(protected=('a"b',))


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform == "darwin", reason="this is macOS")
async def test_it_is_not_available_elsewhere():
    known = await SeatbeltWall(sandbox_exec="/bin/true").probe()

    assert (known.available, known.why_not) == (False, "sandbox-exec is a program of macOS")
