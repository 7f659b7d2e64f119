"""Tools that remember: facts from one conversation to the next, and what was said before."""

from par.tools._memory.tools import MemoryScope, memory_tools

__all__ = ["MemoryScope", "memory_tools"]
