"""`python -m qed.cli.dev_child PARENT WORDS...`: `qed WORDS...`, which does not outlive PARENT.

A `qed dev` that is killed cannot stop what it started. The system does it: the child asks to be
told when its parent dies. Linux only, as all of `qed dev`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from qed.cli.main import main

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> bool:
    """Have SIGTERM sent to this process when its parent ends; False when it has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return os.getppid() == parent


if __name__ == "__main__":
    if not die_with(int(sys.argv.pop(1))):
        sys.exit(0)
    main()
