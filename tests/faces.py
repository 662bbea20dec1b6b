"""Both faces of the client behind one: what a test asks of one it asks of the other."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Self

from qed.client.async_client import AsyncClient
from qed.client.config import ClientConfig
from qed.client.sync_client import Client


class SyncFace:
    """The blocking client."""

    def __init__(self, config: ClientConfig) -> None:
        self.client = Client(config)

    def __enter__(self) -> Self:
        assert self.client.__enter__() is self.client
        return self

    def __exit__(self, *exit_: object) -> None:
        self.client.__exit__(None, None, None)

    def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        return getattr(self.client, name)(*arguments, **options)


class AsyncFace:
    """The asyncio client, on an event loop of its own."""

    def __init__(self, config: ClientConfig) -> None:
        self.runner = asyncio.Runner()
        self.client = AsyncClient(config)

    def __enter__(self) -> Self:
        self.runner.__enter__()
        assert self.runner.run(self.client.__aenter__()) is self.client
        return self

    def __exit__(self, *exit_: object) -> None:
        self.runner.run(self.client.__aexit__(None, None, None))
        self.runner.__exit__(None, None, None)

    def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        return self.runner.run(getattr(self.client, name)(*arguments, **options))


FACES = {"sync": SyncFace, "async": AsyncFace}


def public_methods(kind: type) -> dict[str, str]:
    """Return the public methods of a class in their order, each with its signature."""
    return {
        name: str(inspect.signature(value))
        for name, value in vars(kind).items()
        if callable(value) and not name.startswith("_")
    }
