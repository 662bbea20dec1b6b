"""`qed generate`: keys and certificates, where they were asked for, never over others."""

import stat

import pytest

from qed.signing import keys


def test_signer_keys(run, tmp_path):
    done = run("generate", "signerkeys", "--path", str(tmp_path))

    key = keys.read_private_key(tmp_path / "qed_ed25519")
    assert done.code == 0
    assert done.text == (
        f"New signer keys generated at:\n{tmp_path}/qed_ed25519.pub\n{tmp_path}/qed_ed25519\n"
    )
    assert done.err == f"public key: {key.public.hex()}\n"
    assert stat.S_IMODE((tmp_path / "qed_ed25519").stat().st_mode) == 0o600


def test_the_secret_is_printed_nowhere(run, tmp_path):
    done = run("generate", "signerkeys", "--path", str(tmp_path), "--log", "trace", "--json")

    seed = (tmp_path / "qed_ed25519").read_bytes()[:32]
    assert seed not in done.out
    assert seed.hex() not in done.text + done.err
    assert done.document["Public"] == (tmp_path / "qed_ed25519.pub").read_bytes().hex()


@pytest.mark.parametrize("what", ["signerkeys", "self-signed-cert", "csr"])
def test_nothing_is_overwritten(run, tmp_path, what):
    assert run("generate", "--path", str(tmp_path), what).code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    assert run("generate", "--path", str(tmp_path), what).code == 14
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("what", "label", "name"),
    [
        ("self-signed-cert", "self-signed certificate", "qed_cert.pem"),
        ("csr", "certificate signing request", "qed_csr.pem"),
    ],
)
def test_certificates(run, tmp_path, what, label, name):
    done = run("generate", what, "--path", str(tmp_path), "--host", "a.example,::1")

    assert done.text == (
        f"New {label} and private key generated at:\n{tmp_path}/{name}\n{tmp_path}/qed_key.pem\n"
    )
    assert stat.S_IMODE((tmp_path / "qed_key.pem").stat().st_mode) == 0o600


def test_a_host_with_scheme_is_refused(run, tmp_path):
    done = run("generate", "csr", "--path", str(tmp_path), "--host", "http://a")

    assert (done.code, list(tmp_path.iterdir())) == (11, [])


def test_the_default_directory_is_qeds(run):
    assert "/var/tmp" in run("generate", "--help").text
