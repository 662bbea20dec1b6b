"""The version is said once."""

from importlib import metadata

from qed.version import VERSION


def test_the_package_has_the_version_that_the_program_prints() -> None:
    assert metadata.version("qed") == VERSION
