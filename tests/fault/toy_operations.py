"""Operations on one small file, right and wrong, with which the machinery itself is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault.trial import Acknowledge, Aftermath, Operation
from qed import durable


@dataclass(frozen=True, slots=True)
class CarefulWrite:
    """Replaces a file as `durable` does: at every instant the old content or the new one."""

    name: str = "careful"

    def prepare(self, directory: Path) -> None:
        (directory / "file").write_bytes(b"old")

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            self.write(directory / "file")
            acknowledge("written")

        return act

    def write(self, path: Path) -> None:
        durable.write_file(path, b"new")

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        content = (directory / "file").read_bytes()
        assert content == b"new" if aftermath.acknowledged else content in (b"old", b"new")


@dataclass(frozen=True, slots=True)
class CarelessWrite(CarefulWrite):
    """Truncates the file before it has the new content, and lets the system's error through."""

    name: str = "careless"

    def write(self, path: Path) -> None:
        path.write_bytes(b"new")


OPERATIONS: dict[str, Operation] = {
    operation.name: operation for operation in (CarefulWrite(), CarelessWrite())
}
