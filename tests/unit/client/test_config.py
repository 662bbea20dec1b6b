"""Settings and endpoints: what cannot be meant is refused before anything is sent."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.client.config import ClientConfig, create_tls_context, parse_endpoint
from qed.errors import MalformedError


def test_the_defaults_are_the_flags_defaults_of_spec_8():
    config = ClientConfig()

    assert config.endpoints == ("http://127.0.0.1:8800",)
    assert config.management_endpoint == "http://127.0.0.1:8700"
    assert config.snapshot_store_url == "http://127.0.0.1:8888"
    assert (config.key, config.pin) == ("", "")
    assert (config.timeout_s, config.dial_timeout_s, config.handshake_timeout_s) == (10, 5, 5)
    assert (config.max_retries, config.insecure, config.api_key) == (0, False, "")
    assert (config.enable_topology_discovery, config.enable_health_checks) == (True, True)
    assert (config.health_check_interval_s, config.health_check_timeout_s) == (60, 2)
    assert not config.attempt_to_revive_endpoints


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("http://127.0.0.1:8800", "http://127.0.0.1:8800"),
        ("http://127.0.0.1:8800/", "http://127.0.0.1:8800"),
        ("HTTP://EXAMPLE.com", "http://example.com"),
        ("https://qed_server_0:8800", "https://qed_server_0:8800"),
        ("https://log.example./some/path//", "https://log.example./some/path"),
        ("http://[::1]:8800", "http://[::1]:8800"),
        ("http://[0:0:0::1]", "http://[::1]"),
    ],
)
def test_an_endpoint_has_one_form(text, endpoint):
    assert endpoint == parse_endpoint(text)
    assert endpoint == parse_endpoint(endpoint)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:8800", "localhost:8800", "localhost", "", "ftp://x", "http:x"]
)
def test_an_endpoint_without_scheme_is_refused_with_how_to_write_it(text):
    with pytest.raises(MalformedError) as caught:
        parse_endpoint(text)

    assert "http" in caught.value.hint or "host" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http://",
        "http:///path",
        "http://a b",
        "http://x\n",
        "http://\tx",
        "http://x:99999",
        "http://x:-1",
        "http://x:y",
        "http://user:secret@x",
        "http://@x",
        "http://x?query",
        "http://x#fragment",
        "http://x?",
        "http://x/a b",
        "http://x/%2e",
        "http://a..b",
        "http://-a",
        "http://" + "a" * 64,
        "http://" + "a." * 200,
        "http://[::1",
        "http://[::1%lo]",
        "http://[zz]",
        "http://é.example",
        "http://x" + "/a" * 2000,
    ],
)
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(MalformedError, match="endpoint"):
        parse_endpoint(text)


@given(st.text(max_size=30).map(lambda rest: "http://" + rest) | st.text(max_size=30))
def test_any_text_is_an_endpoint_in_its_one_form_or_malformed(text):
    try:
        endpoint = parse_endpoint(text)
    except MalformedError:
        return
    assert endpoint == parse_endpoint(endpoint)


def test_endpoints_are_put_into_their_form():
    config = ClientConfig(endpoints=["http://A/", "http://b"], management_endpoint="http://C/")

    assert config.endpoints == ("http://a", "http://b")
    assert config.management_endpoint == "http://c"


def test_a_name_that_nobody_can_resolve_is_kept_until_it_is_needed():
    assert (
        "snapshotstore"
        in ClientConfig(snapshot_store_url="http://snapshotstore:8888").snapshot_store_url
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoints": []},
        {"endpoints": "http://a"},
        {"endpoints": ["a"]},
        {"management_endpoint": "a"},
        {"snapshot_store_url": "a"},
        {"timeout_s": -1},
        {"timeout_s": float("nan")},
        {"dial_timeout_s": float("inf")},
        {"handshake_timeout_s": -0.1},
        {"health_check_interval_s": -1},
        {"health_check_timeout_s": -1},
        {"max_retries": -1},
        {"api_key": "a\nb"},
        {"api_key": "é"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields):
    with pytest.raises(MalformedError):
        ClientConfig(**fields)


def test_certificates_are_checked_unless_told_otherwise():
    checked = create_tls_context(insecure=False, scheme="https")
    unchecked = create_tls_context(insecure=True, scheme="https")

    assert checked.verify_mode == ssl.CERT_REQUIRED
    assert checked.check_hostname
    assert unchecked.verify_mode == ssl.CERT_NONE
    assert not unchecked.check_hostname


def test_a_context_for_http_trusts_nobody():
    """Should a call ever leave for https through it, it fails instead of passing unchecked."""
    context = create_tls_context(insecure=False, scheme="http")

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509_ca"] == 0
