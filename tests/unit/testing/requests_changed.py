"""What the tests of the server's rules share: small changes of a good request, and why it is refused then."""

from par.testing._server.issued import Issued
from par.testing._server.refused import Misshapen, Refused


def at(value, *path):
    for step in path[:-1]:
        value = value[step]
    return value, path[-1]


def put(value, *path):
    def change(body):
        holder, last = at(body, *path)
        holder[last] = value

    return change


def drop(*path):
    def change(body):
        holder, last = at(body, *path)
        del holder[last]

    return change


def refusal(dialect, body, headers=None, issued=None):
    try:
        dialect.check(body, headers or {}, issued or Issued())
    except Misshapen as wrong:
        return dialect.worded(wrong).message
    except Refused as refused:
        return refused.message
    return None
