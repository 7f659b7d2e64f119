"""What a wall is told is checked before anything is started."""

import pytest

from par.errors import UsageError
from par.tools.bash._walls.bwrap import BwrapWall
from par.tools.bash._walls.choose import best_wall
from par.tools.bash._walls.landlock import LandlockWall
from par.tools.bash._walls.seatbelt import SeatbeltWall
from par.tools.bash._walls.supervised import ExternalWall, NoWall
from par.tools.bash._walls.values import Capability, Limits, WallSpec, Wrapped

GOOD = {"root": 3, "workspace": "/w/ws", "access": "write", "home": "/w/home", "tmp": "/w/tmp"}


def test_a_plain_spec_is_accepted():
    assert WallSpec(**GOOD).environment() == {"HOME": "/w/home", "TMPDIR": "/w/tmp"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"access": "all"}, "access"),
        ({"git": "yes"}, "git"),
        ({"git": "write", "access": "read"}, "git='write'"),
        ({"workspace": "ws"}, "workspace"),
        ({"workspace": "/w/../ws"}, "workspace"),
        ({"workspace": "/w/ws/"}, "workspace"),
        ({"workspace": "/"}, "workspace"),
        ({"workspace": "/usr/src"}, "workspace"),
        ({"workspace": "/etc"}, "workspace"),
        ({"home": "/w/ws/home"}, "home"),
        ({"home": "/w/tmp/home"}, "home"),
        ({"tmp": "/w/ws"}, "tmp"),
        ({"tmp": "/w", "home": "/h"}, "workspace may not lie in tmp"),
        ({"read_only": ("/",)}, "read_only"),
        ({"read_only": ("/w/ws/.venv",)}, "read_only"),
        ({"read_only": ("/w/tmp/x",)}, "read_only"),
        ({"read_only": ("venv",)}, "read_only"),
        ({"read_only": "/venv"}, "list of texts"),
        ({"cwd": "/etc"}, "cwd"),
        ({"cwd": "src/../.."}, "cwd"),
        ({"protected": ("a/b",)}, "protected"),
        ({"protected": ("..",)}, "protected"),
        ({"env": {"A=B": "1"}}, "env"),
        ({"env": {"A": "1\0"}}, "env"),
    ],
)
def test_a_spec_that_no_wall_can_keep_is_refused(changes, field):
    with pytest.raises(UsageError, match=field):
        WallSpec(**{**GOOD, **changes})


def test_a_folder_that_holds_the_workspace_may_be_read():
    assert WallSpec(**{**GOOD, "read_only": ["/w"]}).read_only == ("/w",)


@pytest.mark.parametrize("field", ["cpu_s", "file_bytes", "files", "data_bytes", "processes"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5])
def test_a_limit_is_a_whole_number_above_zero(field, value):
    with pytest.raises(UsageError, match=field):
        Limits(**{field: value})


@pytest.mark.parametrize("kind", [BwrapWall, LandlockWall, NoWall, SeatbeltWall])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True])
def test_the_time_for_a_probe_is_finite_and_above_zero(kind, value):
    with pytest.raises(UsageError, match="probe_s"):
        kind(probe_s=value)


def test_a_declared_wall_needs_a_name():
    with pytest.raises(UsageError, match="name"):
        ExternalWall(" ")


@pytest.mark.parametrize(
    ("shell", "returncode", "expected"),
    [(False, 0, (0, None)), (False, 137, (137, None)), (False, -9, (None, 9)), (True, 3, (3, None)),
     (True, 137, (None, 9)), (True, 255, (255, None)), (True, -15, (None, 15))],
)  # fmt: skip
def test_how_a_command_ended_is_told_apart(shell, returncode, expected):
    assert Wrapped(argv=(), env={}, codes_are_shells=shell).ended(returncode) == expected


class Told:
    def __init__(self, name, *, available):
        self.name = name
        self.known = Capability(wall=name, available=available)

    async def probe(self):
        return self.known


@pytest.mark.anyio
async def test_the_first_wall_that_holds_is_chosen():
    walls = [Told("a", available=False), Told("b", available=True), Told("c", available=True)]

    assert (await best_wall(walls)).name == "b"
    assert await best_wall(walls[:1]) is None
