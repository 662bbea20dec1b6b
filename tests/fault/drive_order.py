"""Many threads add to one log and write a line as each event is acknowledged.

python -m fault.drive_order DIRECTORY THREADS EVENTS
"""

from __future__ import annotations

import os
import sys
import threading
from hashlib import sha256
from pathlib import Path

from qed.engine.log import Log


def main(path: Path, threads: int, events: int) -> None:
    """Add `events` events from each of the threads; `acknowledged <hex>` goes to `<path>.said`."""
    said = os.open(path.with_suffix(".said"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Log.create(path) as log:

        def add(number: int) -> None:
            for event in range(events):
                digest = sha256(f"event {number} {event}".encode()).digest()
                log.append([digest])
                os.write(said, f"acknowledged {digest.hex()}\n".encode())

        adding = [threading.Thread(target=add, args=(number,)) for number in range(threads)]
        for thread in adding:
            thread.start()
        for thread in adding:
            thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
