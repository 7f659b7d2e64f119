"""Find the addresses of a host and check every one of them."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import anyio

from par.errors import ToolFailed
from par.tools._web.addresses import Address, read_address, why_not
from par.tools._web.hosts import Host

__all__ = ["Resolve", "checked_addresses", "system_addresses"]

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Takes a host name and a port, and returns addresses as text."""

_MOST_TRIED = 3


async def system_addresses(name: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, in a thread that a cancelled call leaves behind."""
    found = await anyio.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [sockaddr[0] for _, _, _, _, sockaddr in found]


async def checked_addresses(host: Host, port: int, resolve: Resolve, *, allow_private: bool) -> tuple[Address, ...]:
    """Return the addresses that may be connected to, at most three.

    One bad address among good ones is enough to refuse the host: an honest host has none, and a name that answers
    with both is made to slip past a check.

    Raises:
        ToolFailed: if there is no address, or one that must not be connected to.
    """
    addresses = [host.address] if host.address is not None else await _looked_up(host.name, port, resolve)
    if not addresses:
        raise ToolFailed(f"The host {host.name} has no address.")
    for address in addresses:
        reason = why_not(address, allow_private=allow_private)
        if reason is not None:
            raise ToolFailed(f"The host {host.name} is refused: its address {address} is not public ({reason}).")
    return tuple(dict.fromkeys(addresses))[:_MOST_TRIED]


async def _looked_up(name: str, port: int, resolve: Resolve) -> list[Address]:
    try:
        return [read_address(text) for text in await resolve(name, port)]
    except socket.gaierror as error:
        again = error.errno == socket.EAI_AGAIN
        said = "could not be looked up now" if again else "is not known"
        raise ToolFailed(f"The host {name} {said}. Check the spelling.", retryable=again) from None
    except OSError:
        raise ToolFailed(f"The host {name} could not be looked up now.", retryable=True) from None
    except ValueError:  # what the resolver returned, or a name that it cannot encode
        raise ToolFailed(f"The host {name} has an address that cannot be read.") from None
