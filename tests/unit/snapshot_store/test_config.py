"""Flags that contradict each other are refused."""

from pathlib import Path

import pytest

from qed.errors import MalformedError
from qed.snapshot_store.config import StoreConfig

HERE = Path("here")


def test_the_defaults_are_those_of_the_manual():
    config = StoreConfig(HERE)
    assert (config.http_addr, config.metrics_addr) == ("127.0.0.1:8888", "127.0.0.1:8889")


def test_tls_needs_both_files_and_files_need_tls():
    with pytest.raises(MalformedError, match="needs a certificate"):
        StoreConfig(HERE, enable_tls=True, tls_cert_path=HERE)
    with pytest.raises(MalformedError, match="TLS is not enabled"):
        StoreConfig(HERE, tls_cert_path=HERE)
    StoreConfig(HERE, enable_tls=True, tls_cert_path=HERE, tls_key_path=HERE)
