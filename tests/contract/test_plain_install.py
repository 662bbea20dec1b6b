"""What a plain install has is enough to call, to verify and to read saved proofs."""

import subprocess
import sys

import pytest

import qed
from qed import errors

# Whatever is not needed is made impossible to import.
BLOCKER = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        rooms = ("database", "engine", "backup", "web", "server", "cli")
        absent = ("rocksdict", "uvicorn", "uvloop", "httptools", "structlog", "google_crc32c")
        absent += ("prometheus_client", "click", "rich")
        if name.split(".")[0] in absent or name in [f"qed.{room}" for room in rooms]:
            raise ModuleNotFoundError(f"blocked: {name}")

sys.meta_path.insert(0, Blocked())
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKER + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def test_everything_offered_is_loaded_without_database_and_server():
    assert run("import qed\nfor name in qed.__all__: getattr(qed, name)\nprint('all')") == "all\n"


def test_the_blocker_blocks():
    code = "try:\n import qed.engine\nexcept ModuleNotFoundError as error:\n print(error)"

    assert run(code) == "blocked: qed.engine\n"


def test_nothing_is_loaded_before_it_is_asked_for():
    code = "import qed\nprint([name for name in sys.modules if name.startswith('qed.')])"

    assert run(code) == "[]\n"


def test_verifying_by_digests_loads_no_library_of_signatures():
    code = "from qed import verify_saved, verify_many\nprint('cryptography' in sys.modules)"

    assert run(code) == "False\n"


def test_verifying_receipts_loads_no_http_library():
    code = "from qed import verify_receipt, verify_evidence\nprint('httpx2' in sys.modules)"

    assert run(code) == "False\n"


def test_verifying_loads_no_http_library():
    code = "from qed import verify_saved, roots_needed\nprint('httpx2' in sys.modules)"

    assert run(code) == "False\n"


def test_what_is_offered_is_what_is_there():
    assert sorted(qed.__all__) == qed.__all__
    assert {*qed._HOMES, "__version__"} == set(qed.__all__)
    for name, home in qed._HOMES.items():
        assert getattr(qed, name).__module__ == home
    assert qed.__version__
    assert issubclass(qed.UnreachableError, errors.UnavailableError)


def test_what_is_not_there_is_said_as_python_says_it():
    with pytest.raises(AttributeError, match="module 'qed' has no attribute 'nothing'"):
        _ = qed.nothing
