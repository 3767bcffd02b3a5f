"""Forbid core dumps: one would contain the master key and callers' audio."""

import ctypes
import resource

PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_core_dumps() -> None:
    """Keep the kernel from dumping this process's core. Call it before any secret is read.

    Both calls are needed: children inherit only the limit, and the limit does not apply to a core that is
    piped to a program (systemd-coredump). Nor can another process of the same user trace such a process.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
