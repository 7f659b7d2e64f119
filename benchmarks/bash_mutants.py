"""The checks of the bash tool, each as the change that takes it away, and the tests that are to notice."""

from typing import NamedTuple

T = "tests/unit/tools/"
PARSE = f"{T}test_parse_command.py"
PROPERTIES = "tests/properties/test_bash_parse.py"
CORPUS = f"{T}test_bash_corpus.py"
POLICY = f"{T}test_bash_policy.py"
LAWS = "tests/properties/test_bash_policy.py"
ARGV = "tests/properties/test_bash_argv.py"
FILTER_ARGV = "tests/properties/test_bash_filters_argv.py"
FIELDS = f"{T}test_bash_policy_fields.py"
HOSTED = f"{T}test_bash_hosted.py"
WORKSPACE = f"{T}test_workspace.py"
PATHS = "tests/properties/test_bash_paths.py"
GIT = f"{T}test_bash_git.py"
GIT_WRITING = f"{T}test_bash_git_writing.py"
GIT_ATTACKS = f"{T}test_bash_git_attacks.py"
FILES = f"{T}test_bash_files.py"
FILTERS = f"{T}test_bash_filters.py"
PIPELINE = f"{T}test_bash_pipeline.py"
WRITES = f"{T}test_bash_writes.py"
TREES = f"{T}test_bash_writes_trees.py"
ARCHIVES = f"{T}test_bash_archives.py"
LIFETIME = f"{T}test_bash_lifetime.py"
OUTPUT = f"{T}test_bash_output.py"
SECCOMP = f"{T}walls/test_seccomp_filter.py"
PROTECTIONS = f"{T}walls/test_wall_protections.py"
WALL_LIFETIME = f"{T}walls/test_wall_lifetime.py"
PROBE = f"{T}walls/test_wall_probe.py"
HOLES = f"{T}test_bash_holes.py"
CHECKS = f"{T}test_bash_checks.py"

C = "_commands/"


class Mutant(NamedTuple):
    """One check less. ``file`` lies in ``par/tools/bash`` or, with a leading slash, in ``par``."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    note: str = ""
    """Why it may survive: which other check holds."""


def schema() -> list[Mutant]:
    """Return what guards the form of a command."""
    return [
        Mutant("paths may be absolute", f"{C}texts.py", 'elif text.startswith("/"):\n        code, problem = "path_absolute"', 'elif text.startswith("\\0"):\n        code, problem = "path_absolute"', (PARSE, CHECKS)),
        Mutant("paths may go up", f"{C}texts.py", 'elif ".." in text.split("/"):\n        code', 'elif "..." in text.split("/"):\n        code', (PARSE, CHECKS)),
        Mutant("paths may begin with ~", f"{C}texts.py", 'elif text.startswith("~"):', 'elif text.startswith("~~"):', (PARSE, CHECKS)),
        Mutant("paths may be invisible", f"{C}texts.py", 'unseen = _unseen("path_control", field, text)\n    if unseen is not None:', 'unseen = _unseen("path_control", field, text)\n    if False:', (PARSE, CHECKS)),
        Mutant("paths may be of any length", f"{C}texts.py", 'elif len(text.encode()) > 4096 or any(len(part.encode()) > 255 for part in text.split("/")):', "elif False:", (PARSE, CHECKS)),
        Mutant("patterns of names may lead out", f"{C}texts.py", 'if text.startswith("/") or ".." in text.split("/"):\n        problem = f"{quote(text)} leads', 'if False:\n        problem = f"{quote(text)} leads', (PARSE, CHECKS)),
        Mutant("patterns of names may have any number of stars", f"{C}texts.py", 'elif text.count("*") > 16 or text.count("**") > 4:', "elif False:", (PARSE, CHECKS)),
        Mutant("patterns may have controls", f"{C}texts.py", 'return _unseen("bad_pattern", field, text.replace("\\t", " "))', "return None", (PARSE, CHECKS)),
        Mutant("revisions may have ..", f"{C}texts.py", 'if _REVISION.fullmatch(text) and ".." not in text:', "if _REVISION.fullmatch(text):", (PARSE, CHECKS)),
        Mutant("revisions may begin with a dash", f"{C}texts.py", '_REVISION = re.compile(r"[A-Za-z0-9_@]', '_REVISION = re.compile(r"[A-Za-z0-9_@-]', (PARSE, CHECKS)),
        Mutant("revisions may name a path", f"{C}texts.py", "(?:[A-Za-z0-9_./~+@-]|", "(?:[A-Za-z0-9_./~+@:-]|", (PARSE, CHECKS)),
        Mutant("texts may have controls", f"{C}texts.py", "found = _CONTROL.search(plain)\n    if found is None:", "found = _CONTROL.search(plain)\n    if True:", (PARSE, CHECKS)),
        Mutant("branches may begin with a dash", f"{C}texts.py", '_BRANCH = re.compile(r"(?!-)[A-Za-z0-9_]', '_BRANCH = re.compile(r"[A-Za-z0-9_-]', (PARSE, CHECKS)),
        Mutant("a choice of tests may be anything", f"{C}texts.py", 'if _EXPRESSION.fullmatch(text) and text.strip() and not text.startswith("-"):', "if True:", (PARSE, CHECKS)),
        Mutant("a runner's name may be anything", f"{C}texts.py", 'if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):', "if True:", (PARSE, CHECKS)),
        Mutant("a program's name may be a path", f"{C}texts.py", 'if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", text):', "if True:", (PARSE, CHECKS)),
        Mutant("a target may lead out", f"{C}texts.py", "problem = path_problem(field, file)\n    if problem is not None:\n        return problem\n    unseen", "problem = None\n    unseen", (PARSE, CHECKS)),
        Mutant("protected names may be written", f"{C}texts.py", "name = protected_name(text)\n    if name is None:", "name = protected_name(text)\n    if True:", (PARSE, CHECKS)),
        Mutant("protected names are compared by case", f"{C}protected.py", 'plain = unicodedata.normalize("NFKC", part).casefold().split(":", 1)[0]', 'plain = part.split(":", 1)[0]', (PARSE, CHECKS)),
        Mutant("protected names may end with dots", f"{C}protected.py", 'return plain.rstrip(". ")', "return plain", (PARSE, CHECKS)),
        Mutant("the workspace itself may be removed", f"{C}texts.py", 'if all(part in {"", "."} for part in text.split("/")):', "if False:", (PARSE, CHECKS)),
        Mutant("numbers may be truth values", f"{C}kinds.py", "if type(value) is int and self.low <= value <= self.high:", "if isinstance(value, int) and self.low <= value <= self.high:", (PARSE, CHECKS)),
        Mutant("numbers have no bounds", f"{C}kinds.py", "if type(value) is int and self.low <= value <= self.high:", "if type(value) is int:", (PARSE, CHECKS)),
        Mutant("texts may be of a subclass", f"{C}kinds.py", "if type(value) is not str:  # a subclass", "if not isinstance(value, str):  # a subclass", (PARSE, CHECKS)),
        Mutant("texts have no bounds", f"{C}kinds.py", "if len(value) > self.longest:", "if False:", (PARSE, CHECKS)),
        Mutant("a text is a list", f"{C}kinds.py", "if type(value) is not list and type(value) is not tuple:\n            hint", "if False:\n            hint", (PARSE, CHECKS)),
        Mutant("a list has no bounds", f"{C}kinds.py", "if not self.least <= len(items) <= self.most:", "if False:", (PARSE, CHECKS)),
        Mutant("unknown fields are passed over", f"{C}from_json.py", "problems.append(_extra(kind, key))", "pass", (PARSE, CHECKS)),
        Mutant("a tag may be anything that is equal", f"{C}from_json.py", "if type(tag) is not str:", "if False:", (PARSE, CHECKS)),
        Mutant("documents have no depth", f"{C}parse.py", "value = load_json(json_text, max_chars=_MAX_CHARS, max_depth=_MAX_DEPTH)", "value = load_json(json_text, max_chars=_MAX_CHARS)", (PARSE, CHECKS)),
        Mutant("documents have no size", f"{C}parse.py", "value = load_json(json_text, max_chars=_MAX_CHARS, max_depth=_MAX_DEPTH)", "value = load_json(json_text, max_depth=_MAX_DEPTH)", (PARSE, CHECKS)),
        Mutant("pipelines take any command later on", f"{C}leaves.py", "if op not in FILTERS:\n            hint", "if False:\n            hint", (PARSE, CHECKS)),
        Mutant("filters may name a file", f"{C}leaves.py", 'given = next((name for name in ("path", "paths") if getattr(command, name, None) is not None), None)', "given = None", (PARSE, CHECKS)),
        Mutant("a task's parameter may be an option", f"{C}nested.py", 'if held.startswith("-") or "=" in held:', "if False:", (PARSE, CHECKS)),
    ]  # fmt: skip


def deciding() -> list[Mutant]:
    """Return what guards the decision, and what stands around a run."""
    return [
        Mutant("everything is allowed", "_policy/decide.py", "if all(type(command) is not kind for kind in rules.allow):\n        return _not_allowed(rules, command)\n    try:", "if False:\n        return _not_allowed(rules, command)\n    try:", (POLICY, LAWS)),
        Mutant("stages are not looked at", "_policy/decide.py", "for leaf in stages_of(checked):", "for leaf in stages_of(checked)[:1]:", (POLICY, LAWS)),
        Mutant("forged commands are taken as they are", "_policy/decide.py", "checked = rebuilt(command)  #", "checked = command  #", (POLICY, LAWS, CHECKS), "Bash.run rebuilds a command before it decides"),
        Mutant("a run takes forged commands", "_bash.py", "checked = rebuilt(command)", "checked = command", (CHECKS,), "decide rebuilds it as well"),
        Mutant("effects need not be granted", "_policy/decide.py", "denied = _effects_denied(rules, checked) or _writes_denied", "denied = _writes_denied", (LAWS,)),
        Mutant("write_protect is not looked at", "_policy/decide.py", "denied = _effects_denied(rules, checked) or _writes_denied(rules, _written(checked))", "denied = _effects_denied(rules, checked)", (LAWS, FIELDS)),
        Mutant("read_deny is not looked at before a run", "_policy/decide.py", "if rules.read_deny.cover(path):\n            return read_denied", "if False:\n            return read_denied", (POLICY, LAWS)),
        Mutant("read_deny knows upper case", "_policy/names.py", 'parts = [part for part in path.casefold().split("/")', 'parts = [part for part in path.split("/")', (POLICY,)),
        Mutant("read_deny sees the last name alone", "_policy/names.py", "return any(map(self._single.match, parts))", "return any(map(self._single.match, parts[-1:]))", (POLICY, GIT)),
        Mutant("read_deny counts the name before links", "_native/room.py", "if self.policy.denies_reading(opened.name) or self.linked()", "if self.linked()", (POLICY, FILES)),
        Mutant("read_deny does not know other names of a file", "_native/room.py", "self.policy.denies_reading(opened.name) or self.linked().denied(opened.facts):", "self.policy.denies_reading(opened.name):", (POLICY, HOLES)),
        Mutant("grep shows denied files", "_native/grep.py", "if room.policy.denies_reading(true_name) or (plain != real and room.policy.denies_reading(entry.path)):", "if False:", (POLICY,)),
        Mutant("nobody is asked", "_policy/decide.py", "if rules.approve_at is not None and RISKS.index(risk) >= RISKS.index(rules.approve_at):", "if False:", (LAWS, HOSTED)),
        Mutant("names that programs obey ask nobody", "_policy/decide.py", "if asked is not None:\n                return Ask", "if False:\n                return Ask", (CHECKS, LAWS)),
        Mutant("true approves", "/approvals.py", "if type(answer) is Approved or type(answer) is Rejected:\n        return answer\n    return Rejected", "if answer:\n        return Approved()\n    return Rejected", (HOSTED,)),
        Mutant("nobody is enough", "/approvals.py", 'return Rejected(reason="there is nobody to ask: no approver is set")', "return Approved()", (HOSTED,)),
        Mutant("an approval has no key of the script", "_authorise.py", '"bind": {"workspace": self._identity(), "script_sha256": script}', '"bind": {"workspace": self._identity()}', (FIELDS,)),
        Mutant("an approval has no key of the workspace", "_authorise.py", '"bind": {"workspace": self._identity(), "script_sha256": script}', '"bind": {"script_sha256": script}', (FIELDS,)),
        Mutant("a script may change after it was approved", "_run/hosted.py", "if hashlib.sha256(source).hexdigest() != work.script_sha256:", "if False:", (HOSTED,)),
        Mutant("a wall is not required", "_authorise.py", 'if self._wall is None and mode == "require":', "if False:", (HOSTED, FIELDS)),
        Mutant("a wall that does not hold is taken", "_walls/choose.py", "if (await wall.probe()).available:", "if await wall.probe():", (f"{T}walls/test_wall_values.py", PROBE)),
        Mutant("nothing is recorded before a run", "_execute.py", "        await ctx.emit(\n            BashInvoked(", "        str(\n            BashInvoked(", (LIFETIME,)),
        Mutant("contents are recorded", "_record.py", "if isinstance(value, str) and name in _CONTENTS:", "if False:", (CHECKS,)),
        Mutant("time does not count", "_execute.py", "with anyio.move_on_after(limit_s):\n        return", "with anyio.move_on_after(limit_s + 5):\n        return", (CHECKS,)),
        Mutant("any number runs at once", "_bash.py", "anyio.CapacityLimiter(self._policy.max_concurrent)", "anyio.CapacityLimiter(1000)", (LIFETIME,)),
        Mutant("the host's runner may be another", "_policy/hosted_facts.py", "if name in known:\n        return None", "if True:\n        return None", (HOSTED, FIELDS)),
    ]  # fmt: skip


def paths() -> list[Mutant]:
    """Return what keeps paths inside, and what is written whole."""
    return [
        Mutant("openat2 may leave the folder", "/tools/_beneath.py", "_BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS)", "_NO_MAGICLINKS)", (WORKSPACE, PATHS)),
        Mutant("openat2 follows links", "/tools/_beneath.py", "_BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS)", "_BENEATH | _NO_MAGICLINKS)", (WORKSPACE, POLICY)),
        Mutant("openat2 follows magic links", "/tools/_beneath.py", "_BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS)", "_BENEATH | _NO_SYMLINKS)", (WORKSPACE, PATHS), "no symbolic link is followed, and magic links are symbolic"),
        Mutant("steps follow links", "/tools/_beneath.py", "fd = os.open(part, wanted | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held[-1])", "fd = os.open(part, wanted | os.O_CLOEXEC, dir_fd=held[-1])", (WORKSPACE, PATHS)),
        Mutant("steps for writing follow links", "/tools/_beneath.py", "fd = os.open(part, wanted | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held)", "fd = os.open(part, wanted | os.O_CLOEXEC, dir_fd=held)", (PATHS, WRITES)),
        Mutant("a link's target may be absolute", "/tools/_beneath.py", 'if target.startswith("/"):\n        raise', "if False:\n        raise", (WORKSPACE, CHECKS)),
        Mutant("a link may lead above the folder", "/tools/_beneath.py", 'if not names:\n                    raise OSError(errno.EXDEV, "a link leads', 'if not names:\n                    continue\n                    raise OSError(errno.EXDEV, "a link leads', (WORKSPACE, PATHS)),
        Mutant("the way out is no mistake", "/tools/_beneath.py", 'if path.startswith("/") or ".." in parts:', "if False:", (WORKSPACE, PATHS)),
        Mutant("what is no file is read", "/tools/_workspace.py", "if not stat.S_ISREG(opened.facts.st_mode):\n                raise", "if False:\n                raise", (WORKSPACE, FILES)),
        Mutant("walks follow links", "_native/walk.py", "flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC", "flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC", (FILES, CHECKS), "a name that was a link when it was listed is not entered; the flag is for the race"),
        Mutant("walks have no end", "_native/walk.py", "if left.entries < 0:", "if False:", (CHECKS, FILES)),
        Mutant("new files replace others", "/tools/_workspace_write.py", "_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL", "_NEW = os.O_WRONLY | os.O_CREAT", (WRITES, ARCHIVES, f"{T}test_workspace_write.py")),
        Mutant("set-uid bits are kept", "/tools/_workspace_write.py", "_PLAIN = 0o777", "_PLAIN = 0o7777", (WRITES, TREES, ARCHIVES)),
        Mutant("names are not looked at again before writing", "_native/write_place.py", "if problem is not None:\n        raise refusal([problem])", "if False:\n        raise refusal([problem])", (WRITES,)),
        Mutant("protected names are copied with a folder", "_native/write_place.py", 'if protected(room, name):\n        return "protected names"', 'if False:\n        return "protected names"', (TREES, ARCHIVES)),
        Mutant("a file of two names is copied", "_native/write_copy.py", "if facts.st_nlink > 1:\n        problem", "if False:\n        problem", (TREES,)),
        Mutant("a denied file is moved to a name that is read", "_native/write_move.py", "if room.policy.denies_reading(name) and not room.policy.denies_reading(moved):", "if False:", (TREES,)),
        Mutant("archives lead out", "_native/archive.py", "        if problem is not None:\n            raise CommandRefused(problem.code", "        if False:\n            raise CommandRefused(problem.code", (ARCHIVES,)),
        Mutant("archives have no bound", "_native/archive_stream.py", "if self._left < 0:", "if False:", (ARCHIVES,)),
        Mutant("archives may be compressed in any way", "_native/archive_members.py", "if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:", "if False:", (ARCHIVES,)),
    ]  # fmt: skip


def git() -> list[Mutant]:
    """Return what keeps git from running programs and reading elsewhere."""
    return [
        Mutant("any key of a configuration is harmless", "_git/gate.py", "if key in _FLAT or _NAMED.fullmatch(key) or key in allowed:\n            continue", "if True:\n            continue", (GIT,)),
        Mutant("a bare repository is fine", "_git/gate.py", 'if key == "core.bare" and value.casefold() in {"false", "no", "off", "0"}:', 'if key == "core.bare":', (GIT, CHECKS)),
        Mutant("the end of the configuration is not looked at", "_git/gate.py", 'if not found or found[-1] != ("extensions.worktreeconfig", "false"):', "if False:", (CHECKS,)),
        Mutant("the second configuration file is not looked at", "_git/gate.py", '_read(git, "config") + b"\\n\\n" + _read(git, "config.worktree") + _OWN', '_read(git, "config") + _OWN', (GIT, GIT_ATTACKS), "git is given the bytes that were looked at, and never reads the second file itself"),
        Mutant(".git may be a file or a link", "_git/gate.py", "if not stat.S_ISDIR(facts.st_mode):\n        raise layout_refused", "if False:\n        raise layout_refused", (GIT,)),
        Mutant("a repository may point to another", "_git/gate.py", "if _size(git, name):", "if False:", (GIT,)),
        Mutant("folders of a repository may be links", "_git/gate.py", "if entry.is_symlink():\n                        raise layout_refused", "if False:\n                        raise layout_refused", (GIT, GIT_ATTACKS)),
        Mutant("git reads the configuration as it is later", "_git/view.py", 'Path(folder, "config").write_bytes(repository.config)', 'Path(folder, "config").symlink_to("/proc/self/cwd/.git/config")', (GIT_ATTACKS,)),
        Mutant("git finds its hooks", "_git/prefix.py", '"core.hooksPath=/dev/null",', "", (GIT_ATTACKS,), "the view of the repository has no hooks; a test looks for the option by name"),
        Mutant("git may ask a file monitor", "_git/prefix.py", '"core.fsmonitor=false",', "", (GIT_ATTACKS,)),
        Mutant("git may start itself", "_git/process.py", "{} if starts_itself else ALONE", "{}", (GIT_ATTACKS,)),
        Mutant("diffs run filters of texts", "_git/argv.py", '"--no-textconv", ', "", (ARGV,)),
        Mutant("diffs run programs", "_git/argv.py", '("--no-ext-diff", ', "(", (ARGV,)),
        Mutant("denied files are diffed", "_git/argv.py", 'hidden = paths.excluded() if command.output == "patch" else ()\n    return ("diff"', 'hidden = ()\n    return ("diff"', (GIT,)),
        Mutant("old contents of denied files are shown", "_git/reading.py", "name = git.paths.inside(path)\n    git.allow_reading(name)", "name = git.paths.inside(path)", (GIT, CHECKS), "the policy looks at the path before; this is for names with links"),
        Mutant("denied files are added", "_git/staging.py", "elif git.room.policy.denies_reading(git.real(os.fsdecode(name))) or _is_linked(git, linked, name):", "elif _is_linked(git, linked, name):", (GIT_WRITING,)),
        Mutant("other names of denied files are added", "_git/staging.py", "or _is_linked(git, linked, name):", "or False:", (GIT_WRITING, HOLES)),
        Mutant("patches may make links", "_git/patch.py", "if mode not in _FILES:", "if False:", (GIT_WRITING,)),
        Mutant("patches may write anything", "_git/patch.py", "if found is not None:\n        raise CommandRefused(found.code", "if False:\n        raise CommandRefused(found.code", (GIT_WRITING,)),
        Mutant("a second git may write", "_git/git.py", "await turns.enter_async_context(gate.turn())", "pass", (GIT_WRITING,)),
        Mutant("stashing looks into submodules", "_git/stash.py", 'if entry.startswith(b"160000 "):', "if False:", (GIT_WRITING, GIT_ATTACKS)),
        Mutant("credentials of remotes are told", "_git/elsewhere.py", 'url = f"{scheme[1]}***@{url[scheme.end() :]}"', "pass", (f"{T}test_bash_git_history.py",)),
        Mutant("an argv of git is not looked at twice", "_run/verify.py", 'return "" if tokens == _VERSION else git_problem(tokens)', 'return ""', (ARGV,)),
        Mutant("an argv of git may begin otherwise", "_git/verify.py", "if tokens[: len(GIT_PREFIX)] != GIT_PREFIX:", "if False:", (CHECKS,)),
        Mutant("git may get options that are not used", "_git/verify.py", "if any(not re.fullmatch(rule.choices, token, re.DOTALL) for token in chosen) or", "if", (ARGV,)),
        Mutant("git may get paths that are not marked", "_git/verify.py", "or not _after_is(rule.after, after or ()):", ":", (ARGV,)),
        Mutant("git may lack what it always gets", "_git/verify.py", "if any(before.count(token) != 1 for token in rule.fixed):", "if False:", (ARGV,)),
        Mutant("grep may get a file by name", "_run/verify_filters.py", "if after is None or any(not _FILE.fullmatch(token) for token in after):", "if after is None:", (ARGV,)),
        Mutant("filters may get more than is used", "_run/verify_filters.py", 'return f"{name} gets something that is not used" if left else ""', 'return ""', (FILTER_ARGV,)),
        Mutant("argvs of the host are not looked at twice", "_run/hosted_verify.py", "    if problem:\n        raise", "    if False:\n        raise", (CHECKS,)),
        Mutant("a filter of jq stands alone", "_native/filter_argv.py", 'filter_ = f"({command.filter}\\n)"', "filter_ = command.filter", (FILTERS, FILTER_ARGV)),
    ]  # fmt: skip


def running() -> list[Mutant]:
    """Return what bounds processes and what they say."""
    return [
        Mutant("programs come from anywhere", "_run/programs.py", "if _is_program(place) and all(_only_roots(part) for part in _upwards(place)):", "if _is_program(place):", (CHECKS,)),
        Mutant("a program that all may change is run", "_run/programs.py", "if _is_program(place) and not _facts(place).st_mode & stat.S_IWOTH:", "if _is_program(place):", (POLICY,)),
        Mutant("programs get the host's environment", "/_spawn.py", "                    env=env,\n", "                    env={**os.environ, **(env or {})},\n", (LIFETIME, HOSTED)),
        Mutant("code of the project gets more than it should", "_run/hosted.py", "env={**CLEAN_ENV, **_PYTHON, **plan.place.env},", "env={**CLEAN_ENV, **_PYTHON, **plan.place.env, **os.environ},", (HOSTED,)),
        Mutant("processor time is not limited", "_run/runner.py", 'f"--cpu={job.cpu_s}",', "", (LIFETIME,)),
        Mutant("sizes of files are not limited", "_run/runner.py", 'f"--fsize={_FILE_SIZE}",', "", (CHECKS,)),
        Mutant("descriptors are not limited", "_run/runner.py", 'f"--nofile={_FILES}",', "", (LIFETIME,)),
        Mutant("memory is not limited", "_run/runner.py", 'f"--data={job.data_limit}",', "", (LIFETIME,)),
        Mutant("cores are written", "_run/runner.py", '"--core=0",', "", (CHECKS,)),
        Mutant("only the process is ended, not its group", "/_spawn.py", "os.killpg(process.pid, number)", "os.kill(process.pid, number)", (LIFETIME,)),
        Mutant("processes share our session", "/_spawn.py", "start_new_session=True,", "", (LIFETIME,)),
        Mutant("a command waits for who holds its pipe", "_run/attend.py", "with anyio.move_on_after(_AFTER_EXIT_S):", "with anyio.move_on_after(60):", (LIFETIME,)),
        Mutant("a flood goes on", "_run/attend.py", "if self.kept.total > self._most:", "if False:", (LIFETIME,)),
        Mutant("what runs too long goes on", "_run/attend.py", "with anyio.CancelScope(deadline=deadline):", "with anyio.CancelScope():", (HOSTED,)),
        Mutant("output has no bound", "_run/capture.py", "if len(self._tail) > 2 * self._tail_room + 65_536:  # now", "if False:  # now", (OUTPUT,)),
        Mutant("escape sequences are shown", "/tools/_harmless.py", 'text = _SEQUENCES.sub("", text)', "pass", (OUTPUT,)),
        Mutant("ESC is shown", "/tools/_harmless.py", '.replace("\\x1b", "␛")', "", (OUTPUT, PROPERTIES)),
        Mutant("carriage returns are shown", "/tools/_harmless.py", '.replace("\\r", "␍")', "", (OUTPUT, PROPERTIES)),
        Mutant("other controls are shown", "/tools/_harmless.py", 'text = _CONTROLS.sub("", text)', "pass", (OUTPUT, PROPERTIES)),
        Mutant("text may be turned around", "/tools/_harmless.py", "text = _TURNING.sub(_spelled, text)", "pass", (OUTPUT, PROPERTIES)),
        Mutant("text may be hidden", "/tools/_harmless.py", "text = _HIDDEN.sub(_spelled, text)", "pass", (OUTPUT, PROPERTIES)),
        Mutant("lines have no end", "_run/clean.py", "return line if len(line) <= _LINE else", "return line if True else", (OUTPUT,)),
        Mutant("names in lists have controls", "_run/clean.py", "return _NAME.sub(_escaped, name)", "return name", (OUTPUT, FILES)),
        Mutant("data can imitate the fence", "_run/output.py", 'fence = "=" * (longest + 1)', 'fence = "=" * 5', (OUTPUT,)),
        Mutant("protected names that a run makes stay", "_run/hosted.py", "os.rename(name, aside, src_dir_fd=root, dst_dir_fd=root)", "pass", (HOSTED, CHECKS), "bubblewrap and Landlock keep them from being made; without a wall this is what is left"),
    ]  # fmt: skip


def walls() -> list[Mutant]:
    """Return what the walls are made of."""
    return [
        Mutant("bubblewrap shares the network", "_walls/bwrap.py", "    return (\n        *_UNSHARE,", "    return (\n        *(part for part in _UNSHARE if part != '--unshare-net'), *(('--share-net',) if '--unshare-all' in _UNSHARE else ()),", (PROTECTIONS,)),
        Mutant("bubblewrap's workspace is always writable", "_walls/bwrap.py", 'parts += bind("--bind" if spec.access == "write" else "--ro-bind", spec.workspace)', 'parts += bind("--bind", spec.workspace)', (PROTECTIONS,)),
        Mutant("bubblewrap leaves .git writable", "_walls/bwrap.py", '            parts += bind("--ro-bind", place)\n', '            parts += bind("--bind", place)\n', (PROTECTIONS,)),
        Mutant("bubblewrap leaves /proc writable", "_walls/bwrap.py", '"--remount-ro", "/proc", ', "", (PROTECTIONS, PROBE)),
        Mutant("bubblewrap has no filter", "_walls/bwrap.py", 'parts += ("--seccomp", str(filtering))', "pass", (PROTECTIONS, PROBE)),
        Mutant("Landlock gives nothing up", "_walls/launcher.py", "checked(LIBC.syscall(RESTRICT_SELF, rules, 0))", "pass", (PROTECTIONS, PROBE)),
        Mutant("Landlock's command keeps its capabilities", "_walls/launcher.py", "        drop_privileges()\n", "        pass\n", (PROTECTIONS,)),
        Mutant("Landlock's command may make system calls", "_walls/launcher.py", "filter_calls(bytes.fromhex(program))", "pass", (PROTECTIONS, PROBE)),
        Mutant("Landlock has no limits", "_walls/launcher.py", "resource.setrlimit(kind, (wanted, wanted))", "pass", (PROTECTIONS,)),
        Mutant("orphans are not ours", "_walls/launcher.py", "    prctl(SET_SUBREAPER, 1)\n", "", (WALL_LIFETIME,)),
        Mutant("the supervisor outlives par", "_walls/launcher.py", "    prctl(SET_PDEATHSIG, signal.SIGTERM)\n", "", (WALL_LIFETIME,), "the supervisor looks who its parent is, and ends when it is another"),
        Mutant("calls of another numbering pass", "_walls/seccomp.py", "        *_when(_AT_LEAST, _X32, _fail(errno.EPERM)),\n", "", (SECCOMP,)),
        Mutant("protected links are followed", "_walls/ground.py", '    os.close(fd)\n    raise _unfit(f"{shown} is protected', '    return Guarded(shown, fd, False)\n    raise _unfit(f"{shown} is protected', (PROBE,)),
    ]  # fmt: skip


MUTANTS = [*schema(), *deciding(), *paths(), *git(), *running(), *walls()]
