"""Tools that come with par, and the workspace that they work in."""

from par.tools._workspace import Workspace

__all__ = ["Workspace"]
