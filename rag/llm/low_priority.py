"""Low priority: a thread that gives way to whatever else wants the processor. Knows no model."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

_NICEST = 19
"""The lowest priority of ordinary threads on Linux, a seventieth of the usual share of a processor. Not SCHED_IDLE:
such a thread can wait for seconds, and all of Python with it while it holds the interpreter's lock."""
_DARWIN_THREAD, _DARWIN_BACKGROUND = 3, 0x1000
"""PRIO_DARWIN_THREAD and PRIO_DARWIN_BG of macOS' sys/resource.h: efficiency cores, and little of them."""
_WINDOWS_IDLE = -15
"""THREAD_PRIORITY_IDLE of Windows' winbase.h."""


def lower_priority() -> None:
    """Lower the priority of the thread that calls this, for good: only an administrator may raise it again. Threads
    that it starts have its priority. Where the system does not do this for a single thread, nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICEST)
        elif sys.platform == "darwin":
            os.setpriority(_DARWIN_THREAD, 0, _DARWIN_BACKGROUND)
        elif sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _WINDOWS_IDLE)
