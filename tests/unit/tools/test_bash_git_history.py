"""git_blame, git_refs, git_ls_files and git_rev_parse: each field changes what is shown."""

import pytest
from unit.tools.bash_scene import digest, git, make_repo

from par.tools.bash import Policy
from par.tools.bash._git.elsewhere import masked

pytestmark = pytest.mark.anyio
ALL = Policy.read_only().allow


@pytest.fixture
def anyio_backend():
    """One loop: what git does hardly depends on it, and each row starts several processes."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
def repo(ws):
    make_repo(ws)
    (ws / "b.txt").write_text("1\n2\n3\n")
    git(ws, "add", "b.txt")
    git(ws, "commit", "-qm", "third", "--author=Bob <b@c>")
    return ws


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({}, ["1", "2", "3"]),
        ({"start_line": 2}, ["2", "3"]),
        ({"end_line": 2}, ["1", "2"]),
        ({"start_line": 2, "end_line": 2}, ["2"]),
        ({"path": "a.txt"}, ["two"]),
        ({"path": "a.txt", "rev": "HEAD~2"}, ["one"]),
    ],
)
async def test_git_blame_tells_of_lines(repo, shown, fields, texts):
    (repo / "b.txt").write_text("changed\n")  # commits count, not the work tree

    lines = await shown(op="git_blame", **{"path": "b.txt", **fields})

    assert [line.split(") ", 1)[1] for line in lines] == texts
    assert all(("Ann" if "path" in fields else "Bob") in line for line in lines)


async def test_git_blame_counts_paths_from_cwd(repo, shown):
    (repo / "d").mkdir()
    (repo / "d/f").write_text("deep\n")
    git(repo, "add", "d")
    git(repo, "commit", "-qm", "d")

    assert "deep" in (await shown(op="git_blame", path="f", cwd="d"))[0]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"path": "gone"}, "path_not_found"),
        ({"path": "."}, "not_regular_file"),
        ({"path": "a.txt", "rev": "nope"}, "bad_rev"),
        ({"path": ".env"}, "read_denied"),
        ({"path": "a.txt", "start_line": 99}, "git_failed"),
    ],
)
async def test_git_blame_refuses(repo, send, fields, code):
    (repo / ".env").write_text("t0ken\n")
    git(repo, "add", "-f", ".env")
    git(repo, "commit", "-qm", "env")

    outcome = await send(op="git_blame", **fields)

    assert outcome.error_type == code
    assert "t0ken" not in outcome.message


async def test_git_blame_finds_the_denied_name_behind_a_link(repo, send):
    (repo / "conf").mkdir()
    (repo / "conf/x").write_text("secret\n")
    git(repo, "add", "-f", ".")
    git(repo, "commit", "-qm", "conf")
    (repo / "alias").symlink_to("conf")
    policy = Policy(name="p", allow=ALL, read_deny=("conf/x",))

    assert (await send(policy, op="git_blame", cwd="alias", path="x")).error_type == "read_denied"
    assert (await send(policy, op="git_show", cwd="alias", path="x")).error_type == "read_denied"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["feature/x", "main", "old"]),
        ({"kind": "branches", "pattern": "fea*/*"}, ["feature/x"]),
        ({"kind": "branches", "pattern": "o*"}, ["old"]),
        ({"kind": "branches", "limit": 1}, ["feature/x"]),
        ({"kind": "branches", "contains": "HEAD"}, ["feature/x", "main"]),
        ({"kind": "branches", "merged": "old"}, ["old"]),
        ({"kind": "remote_branches"}, ["origin/main"]),
        ({"kind": "all_branches"}, ["feature/x", "main", "old", "origin/main"]),
        ({"kind": "tags"}, ["v1.0", "v2.0"]),
        ({"kind": "tags", "pattern": "v1.*"}, ["v1.0"]),
    ],
)
async def test_git_refs_lists_names(repo, shown, fields, names):
    git(repo, "branch", "feature/x")
    git(repo, "branch", "old", "HEAD~1")
    git(repo, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(repo, "tag", "v1.0")
    git(repo, "tag", "v2.0")

    assert [line[2:].split()[0] for line in await shown(op="git_refs", **fields)] == names


async def test_git_refs_marks_the_current_branch(repo, shown):
    assert (await shown(op="git_refs"))[0].startswith("* main ")
    assert await shown(op="git_refs", kind="current") == ["main"]


async def test_git_refs_tells_of_a_detached_head(repo, send):
    oid = git(repo, "rev-parse", "HEAD")
    git(repo, "checkout", "-q", "--detach")

    outcome = await send(op="git_refs", kind="current")

    assert outcome.value.stdout == f"{oid}\n"
    assert "detached" in outcome.content


async def test_a_branch_without_commits_has_a_name(ws, send):
    git(ws, "init", "-q", "-b", "fresh")

    outcome = await send(op="git_refs", kind="current")

    assert outcome.value.stdout == "fresh\n"
    assert "no commit" in outcome.content
    assert "no commit" in (await send(op="git_refs", kind="reflog")).content
    assert (await send(op="git_log")).error_type == "bad_rev"


async def test_remotes_are_told_without_credentials(repo, send):
    git(repo, "remote", "add", "origin", "https://ann:tok3n@example.org/x.git?key=tok3n")
    git(repo, "remote", "set-url", "--push", "origin", "git@example.org:x.git")
    git(repo, "remote", "add", "b", "https://tok3n@example.org/y.git")

    outcome = await send(op="git_refs", kind="remotes")

    assert outcome.value.stdout.splitlines() == [
        "origin  https://***@example.org/x.git?*** (fetch)",
        "origin  git@example.org:x.git (push)",
        "b  https://***@example.org/y.git (fetch)",
    ]
    assert len((await send(op="git_refs", kind="remotes", limit=1)).value.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ssh://git@h/x", "ssh://git@h/x"),
        ("ssh://u:p@h/x", "ssh://***@h/x"),
        ("u:p@h:x", "***@h:x"),
        ("../other", "../other"),
        ("https://h/x@y", "https://h/x@y"),
        ("HTTPS://a@b@h/x", "HTTPS://***@h/x"),
    ],
)
def test_an_address_is_masked(url, shown):
    assert masked(url) == shown


async def test_git_refs_lists_stashes_and_where_head_has_been(repo, shown, send):
    assert "Nothing is stashed." in (await send(op="git_refs", kind="stashes")).content
    (repo / "a.txt").write_text("x\n")
    git(repo, "stash", "push", "-q", "-m", "one")

    assert await shown(op="git_refs", kind="stashes") == ["stash@{0}: On main: one"]
    assert len(await shown(op="git_refs", kind="reflog")) == 4  # three commits, and the stash's reset
    assert len(await shown(op="git_refs", kind="reflog", limit=2)) == 2


async def test_work_trees_are_told_without_places_of_the_host(repo, shown):
    git(repo, "worktree", "add", "-q", "-b", "in", "inner")
    git(repo, "worktree", "add", "-q", "-b", "out", str(repo.parent / "elsewhere"))

    assert await shown(op="git_refs", kind="worktrees") == [
        ".  main",
        "elsewhere (outside of the workspace)  out",
        "inner  in",
    ]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["a.txt", "b.txt", "d/c.py"]),
        ({"which": "untracked"}, ["d/new.py", "new"]),
        ({"which": "ignored"}, ["skip.o"]),
        ({"which": "modified"}, ["a.txt", "b.txt"]),
        ({"which": "deleted"}, ["b.txt"]),
        ({"which": "unmerged"}, []),
        ({"paths": ["d"]}, ["d/c.py"]),
        ({"paths": ["*.txt"]}, ["a.txt", "b.txt"]),
        ({"paths": ["*.py", "a.txt"]}, ["a.txt", "d/c.py"]),
        ({"paths": ["d/*.py"], "which": "untracked"}, ["d/new.py"]),
        ({"paths": ["*.py"], "cwd": "d"}, ["d/c.py"]),
        ({"paths": ["*.txt"], "cwd": "d"}, []),
        ({"paths": ["."], "cwd": "d"}, ["d/c.py"]),
    ],
)
async def test_git_ls_files_lists(repo, shown, fields, names):
    (repo / ".git/info/exclude").write_text("*.o\n")
    (repo / "d").mkdir()
    (repo / "d/c.py").touch()
    git(repo, "add", "d")
    git(repo, "commit", "-qm", "d")
    for name in ("new", "skip.o", "d/new.py"):
        (repo / name).touch()
    (repo / "a.txt").write_text("edited\n")
    (repo / "b.txt").unlink()

    assert await shown(op="git_ls_files", **fields) == names


async def test_git_ls_files_lists_conflicts_once(repo, shown):
    conflict(repo)

    assert await shown(op="git_ls_files", which="unmerged") == ["a.txt"]


def conflict(repo):
    git(repo, "switch", "-qc", "other", "HEAD~1")
    (repo / "a.txt").write_text("theirs\n")
    git(repo, "commit", "-qam", "theirs")
    git(repo, "switch", "-q", "main")
    (repo / "a.txt").write_text("ours\n")
    git(repo, "commit", "-qam", "ours")
    with pytest.raises(Exception, match="merge"):
        git(repo, "merge", "other")


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({}, ("rev-parse", "HEAD")),
        ({"rev": "HEAD~1"}, ("rev-parse", "HEAD~1")),
        ({"what": "short_oid"}, ("rev-parse", "--short", "HEAD")),
        ({"what": "abbrev_ref"}, ("rev-parse", "--abbrev-ref", "HEAD")),
        ({"what": "abbrev_ref", "rev": "refs/heads/side"}, ("rev-parse", "--abbrev-ref", "side")),
        ({"what": "abbrev_ref", "rev": "HEAD~1"}, ("show", "--no-patch", "--format=")),
        ({"what": "merge_base", "other": "side"}, ("rev-parse", "HEAD~1")),
        ({"what": "merge_base", "other": "main"}, ("rev-parse", "HEAD")),
    ],
)
async def test_git_rev_parse_tells(repo, shown, fields, command):
    git(repo, "branch", "side", "HEAD~1")

    assert "\n".join(await shown(op="git_rev_parse", **fields)) == git(repo, *command)


async def test_the_top_is_told_relative_to_the_workspace(ws, shown):
    (ws / "in/ner").mkdir(parents=True)
    make_repo(ws / "in")

    assert await shown(op="git_rev_parse", what="toplevel", cwd="in/ner") == ["in"]


async def test_what_has_nothing_in_common_is_told(repo, send):
    git(repo, "tag", "loose", git(repo, "commit-tree", "HEAD^{tree}", "-m", "loose"))

    outcome = await send(op="git_rev_parse", what="merge_base", other="loose")

    assert outcome.value.stdout == ""
    assert "no commit in common" in outcome.content
    assert (await send(op="git_rev_parse", what="merge_base", other="nope")).error_type == "bad_rev"


async def test_looking_leaves_the_repository_as_it_was(repo, send):
    before = digest(repo)

    for command in (
        {"op": "git_blame", "path": "a.txt"},
        *({"op": "git_refs", "kind": kind} for kind in ("branches", "reflog", "stashes", "worktrees")),
        *({"op": "git_ls_files", "which": which} for which in ("tracked", "modified", "untracked")),
        {"op": "git_rev_parse", "what": "merge_base", "other": "HEAD~1"},
    ):
        assert (await send(**command)).value.exit_code == 0

    assert digest(repo) == before


async def test_ids_of_sha256_are_ids(ws, shown):
    git(ws, "init", "-q", "--object-format=sha256", "-b", "main")
    (ws / "a").write_text("x\n")
    git(ws, "add", "a")
    git(ws, "commit", "-qm", "a")

    assert len((await shown(op="git_rev_parse"))[0]) == 64
    assert "x" in (await shown(op="git_blame", path="a"))[0]
