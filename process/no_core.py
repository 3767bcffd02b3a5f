"""No core file: it would hold the master key, and what callers said."""

import ctypes
import resource

PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_core_dumps() -> None:
    """Have the kernel dump no core of this process. Called before any secret is read.

    Both are needed: children inherit the limit only, and a core that is piped to a program (systemd-coredump)
    is not subject to it. A process that cannot be dumped cannot be traced by others of its user either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
