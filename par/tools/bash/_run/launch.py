"""Sets limits and the working folder, then becomes the program: for systems without prlimit.

Run as ``python -I -S launch.py FOLDER_FD CPU FSIZE NOFILE DATA PROGRAM ARGUMENTS...``; it imports nothing of par.
"""

import os
import resource
import sys


def main(arguments: list[str]) -> None:
    """Apply the limits to this process and replace it by the program."""
    folder, cpu, fsize, nofile, data = (int(text) for text in arguments[:5])
    limits = ((resource.RLIMIT_CPU, cpu), (resource.RLIMIT_FSIZE, fsize), (resource.RLIMIT_NOFILE, nofile))
    for kind, wanted in (*limits, (resource.RLIMIT_DATA, data), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (limit, limit))
    if folder >= 0:
        os.fchdir(folder)
        os.close(folder)
    os.execv(arguments[5], arguments[5:])  # noqa: S606 # there is no shell in it: this is the point


if __name__ == "__main__":
    main(sys.argv[1:])
