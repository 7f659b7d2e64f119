"""The git commands: each field changes what is shown, and no repository makes git do more than read."""

import os

import pytest
from unit.tools.bash_scene import digest, git, make_repo

from par.tools.bash import Policy

pytestmark = pytest.mark.anyio
ALL = Policy.read_only().allow


@pytest.fixture(params=[("asyncio", {"use_uvloop": True}), ("trio", {})], ids=["uvloop", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
def repo(ws):
    make_repo(ws)
    return ws


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({}, ["## main", " M a.txt", "?? new/"]),
        ({"untracked": "no"}, ["## main", " M a.txt"]),
        ({"untracked": "all"}, ["## main", " M a.txt", "?? new/x"]),
        ({"ignored": True}, ["## main", " M a.txt", "?? new/", "!! skip"]),
        ({"paths": ["new"]}, ["## main", "?? new/"]),
        ({"cwd": "new", "paths": ["."]}, ["## main", "?? new/"]),
    ],
)
async def test_git_status_shows(repo, shown, fields, lines):
    (repo / ".git/info/exclude").write_text("skip\n")
    (repo / "skip").touch()
    (repo / "a.txt").write_text("three\n")
    (repo / "new").mkdir()
    (repo / "new/x").touch()

    assert await shown(op="git_status", **fields) == lines


@pytest.mark.parametrize(
    ("fields", "has", "lacks"),
    [
        ({}, "+three", "+staged"),
        ({"staged": True}, "+staged", "+three"),
        ({"rev_from": "HEAD~1"}, "-one", None),
        ({"rev_from": "HEAD~1", "rev_to": "HEAD"}, "+two", "three"),
        ({"rev_from": "side", "rev_to": "HEAD", "merge_base": True}, "+two", "sided"),
        ({"rev_from": "side", "rev_to": "HEAD"}, "sided", None),
        ({"paths": ["b.txt"]}, None, "three"),
        ({"output": "stat"}, "a.txt | 2 +-", "+three"),
        ({"output": "name_only"}, "a.txt", "diff"),
        ({"output": "name_status"}, "M\ta.txt", "diff"),
        ({"unified": 0}, "@@ -1 +1 @@", None),
        ({"ignore_space": True, "paths": ["c.txt"]}, None, "+c"),
        ({"paths": ["c.txt"]}, "+  c", None),
    ],
)
async def test_git_diff_shows(repo, shown, fields, has, lacks):
    git(repo, "branch", "side", "HEAD~1")
    git(repo, "switch", "-q", "side")
    (repo / "side.txt").write_text("sided\n")
    git(repo, "add", "side.txt")
    git(repo, "commit", "-qm", "side")
    git(repo, "switch", "-q", "main")
    (repo / "b.txt").write_text("staged\n")
    (repo / "c.txt").write_text("c\n")
    git(repo, "add", "b.txt", "c.txt")
    (repo / "a.txt").write_text("three\n")
    (repo / "c.txt").write_text("  c\n")

    text = "\n".join(await shown(op="git_diff", **fields))

    assert has is None or has in text
    assert lacks is None or lacks not in text


@pytest.mark.parametrize(
    ("fields", "subjects"),
    [
        ({}, ["third", "second", "first"]),
        ({"max_count": 1}, ["third"]),
        ({"rev": "HEAD~1"}, ["second", "first"]),
        ({"rev_exclude": "HEAD~1"}, ["third"]),
        ({"paths": ["b.txt"]}, ["third"]),
        ({"author": "Bob"}, ["third"]),
        ({"author": "bob", "ignore_case": True}, ["third"]),
        ({"grep": "sec"}, ["second"]),
        ({"grep": ".*"}, []),
        ({"reverse": True}, ["first", "second", "third"]),
        ({"pickaxe": "bee"}, ["third"]),
        ({"since": {"unit": "days", "count": 1}}, ["third", "second", "first"]),
        ({"since": {"unit": "days", "count": 1}, "rev": "old"}, []),
        ({"until": {"unit": "days", "count": 1}, "rev": "old"}, ["third"]),
        ({"all": True}, ["third", "second", "first", "other"]),
        ({"follow": True, "paths": ["b.txt"]}, ["third"]),
        ({"first_parent": True}, ["third", "second", "first"]),
    ],
)
async def test_git_log_lists(repo, shown, fields, subjects):
    (repo / "b.txt").write_text("bee\n")
    git(repo, "add", "b.txt")
    git(repo, "commit", "-qm", "third", "--author=Bob <b@c>", "--date=2001-01-01T00:00:00")
    oid = git(repo, "commit-tree", "HEAD^{tree}", "-m", "other")
    git(repo, "tag", "loose", oid)
    old = git(repo, "commit-tree", "HEAD^{tree}", "-m", "third", date="2001-01-01T00:00:00Z")
    git(repo, "tag", "old", old)
    if "all" in fields:
        git(repo, "tag", "-d", "old")

    lines = await shown(op="git_log", format="oneline", **fields)

    assert sorted(line.split()[-1] for line in lines) == sorted(subjects)
    if "reverse" in fields:
        assert lines[0].endswith("first")


@pytest.mark.parametrize(
    ("fields", "has"),
    [
        ({"format": "author"}, "Ann"),
        ({"format": "short"}, "Author: Ann"),
        ({"format": "medium"}, "Date:"),
        ({"format": "full"}, "Commit: Ann"),
        ({"patch": True}, "+two"),
        ({"stat": True}, "a.txt | 2 +-"),
        ({"graph": True, "format": "oneline"}, "* "),
    ],
)
async def test_git_log_formats(repo, shown, fields, has):
    assert any(has in line for line in await shown(op="git_log", **fields))


@pytest.mark.parametrize(
    ("fields", "has"),
    [
        ({}, "+two"),
        ({"rev": "HEAD~1"}, "+one"),
        ({"rev": "HEAD~1", "path": "a.txt"}, "one"),
        ({"output": "stat"}, "1 file changed"),
        ({"output": "name_only"}, "a.txt"),
        ({"output": "name_status"}, "M\ta.txt"),
        ({"format": "oneline"}, "second"),
    ],
)
async def test_git_show_shows(repo, shown, fields, has):
    assert any(has in line for line in await shown(op="git_show", **fields))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"op": "git_show", "rev": "nope"}, "bad_rev"),
        ({"op": "git_log", "rev": "nope"}, "bad_rev"),
        ({"op": "git_show", "path": "gone"}, "path_not_found"),
        ({"op": "git_show", "path": "d"}, "not_regular_file"),
        ({"op": "git_status", "cwd": "gone"}, "path_not_found"),
    ],
)
async def test_what_is_not_there_is_refused(repo, send, fields, code):
    (repo / "d").mkdir()
    (repo / "d/f").touch()
    git(repo, "add", "d")
    git(repo, "commit", "-qm", "d")

    assert (await send(**fields)).error_type == code


async def test_the_id_of_a_blob_is_no_way_to_its_content(repo, send):
    (repo / ".env").write_text("secret\n")
    git(repo, "add", "-f", ".env")
    git(repo, "commit", "-qm", "env")
    blob = git(repo, "rev-parse", "HEAD:.env")

    assert (await send(op="git_show", rev=blob)).error_type == "bad_rev"


@pytest.mark.parametrize("name", [".env", "deep/.ENV.x", "k.pem", ".ssh/x/y"])
@pytest.mark.parametrize(
    "command",
    [
        {"op": "git_diff"},
        {"op": "git_diff", "staged": True},
        {"op": "git_diff", "rev_from": "HEAD~2"},
        {"op": "git_diff", "rev_from": "HEAD~2", "rev_to": "HEAD"},
        {"op": "git_log", "patch": True},
        {"op": "git_log", "patch": True, "graph": True, "paths": ["."]},
        {"op": "git_show"},
        {"op": "git_show", "rev": "HEAD~1"},
    ],
    ids=lambda command: "-".join(map(str, command.values())),
)
async def test_no_diff_shows_what_may_not_be_read(repo, send, command, name):
    file = repo / name
    file.parent.mkdir(parents=True, exist_ok=True)
    for word in ("secret1", "secret2"):
        file.write_text(f"{word}\n")
        (repo / "open.txt").write_text(f"open {word[-1]}\n")
        git(repo, "add", "-f", ".")
        git(repo, "commit", "-qm", "more")
    file.write_text("secret3\n")
    git(repo, "add", "-f", ".")
    file.write_text("secret4\n")

    outcome = await send(**command)

    assert "secret" not in outcome.content
    if command["op"] != "git_diff" or "rev_from" in command:
        assert "open 2" in outcome.content or "open 1" in outcome.content


async def test_a_denied_name_above_the_repository_counts(ws, send):
    (ws / "conf").mkdir()
    make_repo(ws / "conf")
    (ws / "conf/a.txt").write_text("secret\n")
    policy = Policy(name="p", allow=ALL, read_deny=("conf/a.txt",))

    outcome = await send(policy, op="git_diff", cwd="conf")

    assert "secret" not in outcome.content
    assert (await send(policy, op="git_show", cwd="conf", path="a.txt")).error_type == "read_denied"


async def test_a_search_for_text_does_not_tell_of_denied_files(repo, shown):
    (repo / ".env").write_text("token\n")
    git(repo, "add", "-f", ".env")
    git(repo, "commit", "-qm", "env")

    assert await shown(op="git_log", pickaxe="token") == []


async def test_commits_of_denied_files_stay_in_the_list(repo, shown):
    (repo / ".env").write_text("token\n")
    git(repo, "add", "-f", ".env")
    git(repo, "commit", "-qm", "env")

    assert any("env" in line for line in await shown(op="git_log", patch=True, format="oneline"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("core.fsmonitor", "touch x"),
        ("core.worktree", "/"),
        ("core.bare", "true"),
        ("filter.a.clean", "cat"),
        ("diff.a.textconv", "cat"),
        ("include.path", "x"),
        ("alias.st", "!x"),
        ("url.x.insteadOf", "y"),
        ("remote.origin.promisor", "true"),
        ("core.repositoryformatversion", "99"),
    ],
)
async def test_a_key_that_is_not_known_as_harmless_is_refused_by_name(repo, send, key, value):
    config = repo / ".git/config"
    section, _, name = key.rpartition(".")
    head, _, sub = section.partition(".")
    config.write_text(
        config.read_text() + f'[{head} "{sub}"]\n' * bool(sub) + f"[{head}]\n" * (not sub) + f"{name} = {value}\n"
    )

    outcome = await send(op="git_status")

    assert outcome.error_type == "repo_config_refused"
    assert key.lower() in outcome.message.lower()


async def test_git_keys_allows_a_key(repo, send):
    git(repo, "config", "core.notesref", "refs/notes/x")

    assert (await send(op="git_status")).error_type == "repo_config_refused"
    assert (await send(Policy(name="p", allow=ALL, git_keys=("core.notesref",)), op="git_status")).value.exit_code == 0


async def test_a_usual_configuration_is_fine(repo, send):
    git(repo, "remote", "add", "origin", "https://example.org/x.git")
    git(repo, "config", "branch.feature/x.y.merge", "refs/heads/main")
    git(repo, "config", "user.name", "Ann")

    assert (await send(op="git_status")).value.exit_code == 0


@pytest.mark.parametrize("layout", ["file", "link", "alternates", "commondir", "objects", "pack", "head"])
async def test_a_repository_that_points_elsewhere_is_refused(repo, send, layout):
    dot = repo / ".git"
    other = repo.parent / "other"
    if layout in {"file", "link", "objects"}:
        source = dot if layout != "objects" else dot / "objects"
        source.rename(other)
    if layout == "file":
        dot.write_text(f"gitdir: {other}\n")
    elif layout == "link":
        dot.symlink_to(other)
    elif layout == "objects":
        (dot / "objects").symlink_to(other)
    elif layout == "alternates":
        (dot / "objects/info/alternates").write_text(f"{other}\n")
    elif layout == "commondir":
        (dot / "commondir").write_text(f"{other}\n")
    elif layout == "pack":
        (dot / "objects/pack/x.pack").symlink_to(other)
    else:
        (dot / "HEAD").unlink()
        (dot / "HEAD").symlink_to(other)

    assert (await send(op="git_status")).error_type == "repo_layout_refused"


async def test_a_repository_above_the_workspace_is_not_used(ws, send):
    make_repo(ws.parent)

    assert (await send(op="git_status")).error_type == "no_repository"


async def test_cwd_chooses_the_repository(ws, send, shown):
    (ws / "inner/sub").mkdir(parents=True)
    make_repo(ws / "inner")
    (ws / "inner/sub/f").write_text("x\n")

    assert (await send(op="git_status")).error_type == "no_repository"
    assert await shown(op="git_status", cwd="inner/sub", paths=["f"]) == ["## main", "?? sub/f"]
    assert await shown(op="git_show", cwd="inner", rev="HEAD", path="a.txt") == ["two"]


async def test_reading_leaves_the_repository_as_it_was(repo, send):
    os.utime(repo / "a.txt", (1, 1))  # git would note the new time in the index
    before = digest(repo)

    for op in ("git_status", "git_diff", "git_log", "git_show"):
        await send(op=op)

    assert digest(repo) == before


async def test_a_path_with_magic_is_a_name(repo, shown):
    (repo / ":(exclude)a").write_text("x\n")
    (repo / "*").write_text("y\n")

    assert await shown(op="git_status", paths=["*", ":(exclude)a"]) == ["## main", "?? *", "?? :(exclude)a"]


async def test_an_index_that_is_no_file_is_refused(repo, send):
    (repo / ".git/index").unlink()
    (repo / ".git/index").mkdir()

    assert (await send(op="git_diff")).error_type == "repo_layout_refused"


async def test_a_diff_without_an_index_is_one(ws, send):
    git(ws, "init", "-q")

    assert (await send(op="git_diff")).value.exit_code == 0
