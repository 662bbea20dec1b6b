"""Make a signing key, and rebuild what is derived: what each promises whatever fails."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault.judges import fill, judge_log
from fault.trial import Acknowledge, Aftermath
from qed.engine.check import check
from qed.signing.keys import open_private_key


@dataclass(frozen=True, slots=True)
class MakeKey:
    """A key is there as a whole or can be made; one that was shown is never another one later."""

    name: str = "make-key"

    def prepare(self, directory: Path) -> None:
        pass

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            acknowledge(open_private_key(directory / "db.keys" / "key").key.public.hex())

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db.keys" / "key"
        if aftermath.acknowledged:
            assert path.exists(), "the key that was shown is gone"
        shown = open_private_key(path).key.public.hex()
        assert aftermath.acknowledged in ((), (shown,)), "another key than the one that was shown"
        assert open_private_key(path).key.public.hex() == shown
        for file in path.parent.iterdir():
            secret = file.read_bytes()[:32] == path.read_bytes()[:32]
            assert not secret or stat.S_IMODE(file.stat().st_mode) == 0o600, f"{file} is readable"


@dataclass(frozen=True, slots=True)
class RebuildIndex:
    """Rebuilding what is derived changes nothing that is not."""

    name: str = "rebuild-index"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [1, 5, 3])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            check(directory / "db", rebuild_index=True)
            acknowledge("rebuilt")

        return act

    def judge(self, directory: Path, _aftermath: Aftermath) -> None:
        judge_log(directory / "db", 9, at_most=9)
        assert check(directory / "db", rebuild_index=True).size == 10
        judge_log(directory / "db", 10, at_most=10)
