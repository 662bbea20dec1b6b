"""What `make up` and `make test` say when something is missing, tried with stand-ins for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from house.tree import ROOT

# A Debian python3 without python3-venv: everything but ensurepip.
WITHOUT_ENSUREPIP = f"""#!/bin/sh
exec {sys.executable} -c '
import sys
sys.modules["ensurepip"] = None
code = sys.argv[2]
sys.argv[:] = ["-c"]
exec(code)
' "$@"
"""
OLD_PYTHON = """#!/bin/sh
[ "$1" = --version ] && echo "Python 3.10.12" && exit
exit 1
"""
# Everything is installed but strace.
DPKG_QUERY = """#!/bin/sh
for last; do :; done
[ "$last" = strace ] || printf installed
"""


def stand_in(folder: Path, name: str, text: str) -> None:
    """Put a program of that name first in the path."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "PATH": path, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_up_names_pythons_venv_when_it_is_missing(tmp_path: Path) -> None:
    stand_in(tmp_path, "python3", WITHOUT_ENSUREPIP)
    done = run(tmp_path, "make/up", str(tmp_path / "venv"))
    assert done.returncode == 2
    assert "apt-get install python3-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_make_up_names_python_when_it_is_missing_or_too_old(tmp_path: Path) -> None:
    done = run(tmp_path, "make/up", str(tmp_path / "venv"), PYTHON=str(tmp_path / "none"))
    assert (done.returncode, "is missing" in done.stderr) == (2, True)
    stand_in(tmp_path, "python3", OLD_PYTHON)
    done = run(tmp_path, "make/up", str(tmp_path / "venv"), PYTHON="python3")
    assert done.returncode == 2
    assert "Python 3.10.12" in done.stderr
    assert "3.11 or later" in done.stderr


def test_make_down_where_nothing_was_set_up_is_fine(tmp_path: Path) -> None:
    done = run(tmp_path, "make/down", str(tmp_path / "venv"))
    assert (done.returncode, done.stdout) == (0, "nothing was set up here\n")


@pytest.fixture(name="apt")
def a_machine_without_strace(tmp_path: Path) -> Path:
    stand_in(tmp_path, "dpkg-query", DPKG_QUERY)
    stand_in(tmp_path, "apt-get", f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\nexit $APT_EXIT\n')
    stand_in(tmp_path, "id", "#!/bin/sh\necho $FAKE_UID\n")
    stand_in(tmp_path, "sudo", '#!/bin/sh\n[ "$SUDO" = yes ] && shift && exec "$@"\nexit 1\n')
    return tmp_path


def test_who_may_not_install_is_told_the_one_command(apt: Path) -> None:
    done = run(apt, "make/packages", FAKE_UID="1000", SUDO="no", APT_EXIT="0")
    assert done.returncode == 2
    assert "apt-get install -y --no-install-recommends strace\n" in done.stderr
    assert not (apt / "calls").exists()


@pytest.mark.parametrize(("uid", "sudo"), [("0", "no"), ("1000", "yes")])
def test_who_may_install_need_not_do_anything(apt: Path, uid: str, sudo: str) -> None:
    done = run(apt, "make/packages", FAKE_UID=uid, SUDO=sudo, APT_EXIT="0")
    assert done.returncode == 0
    assert (apt / "calls").read_text().splitlines() == [
        "update",
        "install -y --no-install-recommends strace",
    ]


def test_an_installation_that_fails_is_shown(apt: Path) -> None:
    done = run(apt, "make/packages", FAKE_UID="0", SUDO="no", APT_EXIT="100")
    assert done.returncode == 2
