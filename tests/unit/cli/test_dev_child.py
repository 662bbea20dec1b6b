"""A companion ends with its parent, however that ended."""

import os
import select
import signal
import subprocess
import sys

LIMIT_S = 20.0

# A parent that starts a child which would run for long, says its number, and is killed.
PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''
import sys, threading
from qed.cli.dev_child import die_with
assert die_with(%d)
print("asked", flush=True)
threading.Event().wait(60)
''' % os.getpid()], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def test_it_is_told_when_its_parent_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        assert not select.select([child], [], [], 0)[0], "it ended before its parent"
        try:
            parent.send_signal(signal.SIGKILL)
            poll = select.poll()
            poll.register(child, select.POLLIN)

            assert poll.poll(LIMIT_S * 1000)
        finally:
            os.close(child)


def test_one_whose_parent_has_ended_already_says_so():
    # In a process of its own: the wish stays for its life.
    code = "from qed.cli.dev_child import die_with; import sys; sys.exit(die_with(1) is True)"

    assert (
        subprocess.run([sys.executable, "-c", code], check=False, timeout=LIMIT_S).returncode == 0
    )
