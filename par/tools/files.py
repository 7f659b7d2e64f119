"""Tools on the files of a workspace: read, ls, find, grep, write and edit."""

from par.tools._files.edits import Edit
from par.tools._files.listing import FileEntry, Found, Listing
from par.tools._files.reading import FileText, Matches
from par.tools._files.tools import file_tools
from par.tools._files.writing import EditedFile, WrittenFile
from par.tools._workspace import Workspace

__all__ = [
    "Edit",
    "EditedFile",
    "FileEntry",
    "FileText",
    "Found",
    "Listing",
    "Matches",
    "Workspace",
    "WrittenFile",
    "file_tools",
]
