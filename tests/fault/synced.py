"""Replays a recorded run and says what a loss of power would take back.

The rules are the strict ones: bytes last after an fsync of their file, a name (made, moved or
removed) after an fsync of its directory. Nothing may be owed when something is acknowledged, nor
when a name that decides is given: `meta/<id>` makes a backup, `COMMIT` a restore.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fault.order import Step

_WRITES = {"write", "pwrite64", "writev", "pwritev", "copy_file_range", "sendfile"}
_SYNCS = {"fsync", "fdatasync"}
_NAME = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"')

# Nothing is lost with these: RocksDB's diary, its lock, and what can be made again.
_OWED_NOTHING = re.compile(
    r"/(LOG|LOG\.old\.\d+|LOCK|rocksdict-config\.json)$"
    r"|/qed-index(/|$)|/qed-checkpoints(/|$)"
)
# Numbers that RocksDB does not use again: it removes such a file anew when it comes back.
_MAY_COME_BACK = re.compile(r"/(\d+\.(log|sst)|MANIFEST-\d+|OPTIONS-\d+)$")


class Disk:
    """What of a directory is not on disk yet, step by step. Times are lines of the trace."""

    def __init__(self, root: Path, there: Iterable[Path]) -> None:
        self._root = root
        self._there = {str(path) for path in there} | {str(root)}
        self._bytes: dict[str, int] = {}  # file -> when it was written last
        self._names: dict[str, int] = {}  # name -> when it was made, moved or removed last

    def owed(self) -> list[str]:
        """Return what would be lost, a sentence each."""
        unsynced = [f"bytes of {path}" for path in self._bytes if not _OWED_NOTHING.search(path)]
        names = [path for path in self._names if not _OWED_NOTHING.search(path)]
        return unsynced + [f"name {path}" for path in names if self._lasts(path)]

    def _lasts(self, path: str) -> bool:
        """Tell whether the directory is still there: with it, its names may go as they like."""
        return str(Path(path).parent) in self._there

    def step(self, step: Step) -> None:
        """Take one call into account."""
        if step.call in _SYNCS:
            self._sync(step)
        elif step.call in _WRITES and self._is_ours(step.file):
            self._bytes[step.file] = step.end
        elif step.call == "openat":
            self._open(step)
        else:
            self._name(step)

    def _is_ours(self, path: str) -> bool:
        return Path(path).is_relative_to(self._root)

    def _sync(self, step: Step) -> None:
        """Take off what was done before the sync began; a sync of a directory is for its names."""
        if self._bytes.get(step.file, step.begin) < step.begin:
            del self._bytes[step.file]
        for name, when in list(self._names.items()):
            if str(Path(name).parent) == step.file and when < step.begin:
                del self._names[name]

    def _open(self, step: Step) -> None:
        (path, *_) = paths_of(step.arguments)
        if not self._is_ours(path):
            return
        if "O_CREAT" in step.arguments and path not in self._there:
            self._there.add(path)
            self._names[path] = step.end
        elif "O_TRUNC" in step.arguments:
            self._bytes[path] = step.end

    def _name(self, step: Step) -> None:
        paths = [path for path in paths_of(step.arguments) if self._is_ours(path)]
        if step.call.startswith("rename"):
            self._move(*paths, when=step.end)
        elif step.call.startswith("mkdir"):
            self._there.add(paths[0])
            self._names[paths[0]] = step.end
        elif step.call.startswith("link"):
            self._there.add(paths[-1])
            self._names[paths[-1]] = step.end
        elif step.call in ("unlink", "unlinkat", "rmdir"):
            self._forget(paths[0])
            self._names.pop(paths[0], None)
            if not _MAY_COME_BACK.search(paths[0]):
                self._names[paths[0]] = step.end

    def _move(self, source: str, target: str, *, when: int) -> None:
        """Carry over what is owed of a file to its new name; both directories owe a sync."""
        unsynced = self._bytes.pop(source, None)
        self._forget(target)
        self._there.discard(source)
        self._there.add(target)
        if unsynced is not None:
            self._bytes[target] = unsynced
        self._names[source] = self._names[target] = when

    def _forget(self, path: str) -> None:
        """Owe nothing for what is gone."""
        self._there.discard(path)
        self._bytes.pop(path, None)


def paths_of(arguments: str) -> list[str]:
    """Return the paths among a call's arguments, relative ones below their directory."""
    found = []
    for directory, name in _NAME.findall(arguments.rpartition(" = ")[0]):
        found.append(name if name.startswith("/") else f"{directory}/{name}")
    return found


def _decides(step: Step) -> bool:
    """Tell whether a call gives a name that decides something."""
    if not step.call.startswith("rename"):
        return False
    target = Path(paths_of(step.arguments)[-1])
    return target.name == "COMMIT" or target.parent.name == "meta"


def owed_at_decisions(
    steps: Sequence[Step], root: Path, there: Iterable[Path]
) -> Iterator[tuple[str, list[str]]]:
    """Yield each moment at which nothing may be owed, and what is owed all the same."""
    disk = Disk(root, there)
    for step in sorted(steps, key=lambda step: step.end):
        if _decides(step):
            source, target = paths_of(step.arguments)
            owed = [text for text in disk.owed() if text != f"name {source}"]
            yield f"rename to {Path(target).name}", owed
        elif step.call == "sendto" and '"acknowledged' in step.arguments:
            yield step.arguments.partition('"')[2].partition('"')[0], disk.owed()
        if step.call != "sendto":
            disk.step(step)
