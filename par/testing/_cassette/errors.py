"""What goes wrong with tapes."""

from par.errors import ParError

__all__ = ["CassetteMissing", "CassetteUnreadable", "RequestNotRecorded"]


class CassetteMissing(ParError):
    """There is no file to replay."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f'there is no cassette at {path}: record it with mode="record"')


class CassetteUnreadable(ParError):
    """The file is no cassette, or was damaged."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"the cassette at {path} cannot be read: {why}")


class RequestNotRecorded(ParError):
    """A request was made that is not on the cassette, or more often than it is there.

    ``nearest`` names the recorded request that is most like it, ``differences`` says what is different, one line each;
    both are empty where nothing was recorded for its address.
    """

    def __init__(self, request: str, nearest: str, differences: tuple[str, ...]) -> None:
        self.request = request
        self.nearest = nearest
        self.differences = differences
        told = [f"{request} is not on the cassette"]
        if nearest:
            told.append(f"; the nearest is {nearest}:")
        super().__init__("".join(told) + "".join([f"\n  {line}" for line in differences]))
