"""`python -m qed` is `qed`."""

from qed.cli.main import main

main()
