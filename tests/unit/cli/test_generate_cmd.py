"""`qed generate`: keys and certificates, where they were asked for, never over others."""

import stat

import pytest

from qed.signing import keys, note
from vector_files import load


def test_signer_keys(run, tmp_path):
    done = run("generate", "signerkeys", "--path", str(tmp_path))

    key = keys.read_private_key(tmp_path / "qed_ed25519")
    assert done.code == 0
    assert done.text == (
        f"New signer keys generated at:\n{tmp_path}/qed_ed25519.pub\n{tmp_path}/qed_ed25519\n"
    )
    assert done.err.startswith(f"public key: {key.public.hex()}\nverifier key: it carries")
    assert "--origin" in done.err
    assert stat.S_IMODE((tmp_path / "qed_ed25519").stat().st_mode) == 0o600


def test_the_secret_is_printed_nowhere(run, tmp_path):
    done = run("generate", "signerkeys", "--path", str(tmp_path), "--log", "trace", "--json")

    seed = (tmp_path / "qed_ed25519").read_bytes()[:32]
    assert seed not in done.out
    assert seed.hex() not in done.text + done.err
    assert done.document["Public"] == (tmp_path / "qed_ed25519.pub").read_bytes().hex()


@pytest.mark.parametrize(
    "what", [["signerkeys"], ["self-signed-cert"], ["csr"], ["cosignerkey", "--name", "a/pq"]]
)
def test_nothing_is_overwritten(run, tmp_path, what):
    assert run("generate", "--path", str(tmp_path), *what).code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    assert run("generate", "--path", str(tmp_path), *what).code == 14
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


def test_the_verifier_key_of_a_named_log_is_printed_with_its_keys(run, tmp_path):
    done = run("generate", "signerkeys", "--path", str(tmp_path), "--origin", "log.example/a")

    key = keys.read_private_key(tmp_path / "qed_ed25519")
    shown = note.format_verifier_key(note.NoteSigner(key, "log.example/a").verifier_key)
    assert done.err == f"public key: {key.public.hex()}\nverifier key: {shown}\n"

    again = run(
        *("generate", "verifierkey", "--origin", "log.example/a"),
        *("--private-key-path", str(tmp_path / "qed_ed25519")),
    )
    assert (again.code, again.text, again.err) == (0, f"{shown}\n", "")


def test_documents_have_the_verifier_key(run, tmp_path):
    named = run("generate", "signerkeys", "--path", f"{tmp_path}/a", "--origin", "a", "--json")
    assert note.parse_verifier_key(named.document["VerifierKey"]).name == "a"
    nameless = run("generate", "signerkeys", "--path", f"{tmp_path}/b", "--json")
    assert nameless.document["VerifierKey"] is None
    cosigner = run("generate", "cosignerkey", "--path", str(tmp_path), "--name", "b", "--json")
    read = ("generate", "verifierkey", "--origin", "b", "--json", "--cosigner-key-path")
    assert run(*read, cosigner.document["PrivateKey"]).document == {
        "VerifierKey": cosigner.document["VerifierKey"]
    }


@pytest.mark.parametrize("origin", ["qed/x", "a b", "a/e1", "a+b", "", "x" * 241])
def test_no_key_is_made_for_what_is_no_origin(run, tmp_path, origin):
    done = run("generate", "signerkeys", "--path", str(tmp_path), "--origin", origin)
    assert (done.code, list(tmp_path.iterdir())) == (11, [])


def test_a_note_key_brings_its_name(run, tmp_path):
    path = tmp_path / "key"
    path.write_text(load("c2sp/signed-note.json")["key_files"][0]["private"])
    done = run("generate", "verifierkey", "--private-key-path", str(path))
    assert done.text == load("c2sp/signed-note.json")["key_files"][0]["verifier"] + "\n"


def test_a_cosigners_key(run, tmp_path):
    done = run("generate", "cosignerkey", "--path", str(tmp_path), "--name", "a.example/pq")

    path = tmp_path / "qed_ml_dsa_44"
    shown = done.err.removeprefix("verifier key: ").strip()
    assert done.text == f"New cosigner key generated at:\n{path}\n"
    assert note.parse_verifier_key(shown).name == "a.example/pq"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    refused = run("generate", "cosignerkey", "--path", f"{tmp_path}/other", "--name", "a b")
    assert (refused.code, (tmp_path / "other").exists()) == (11, False)


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--private-key-path", "a", "--cosigner-key-path", "b", "--origin", "c"],
        ["--private-key-path", "{key}"],
        ["--cosigner-key-path", "{cosigner}"],
        ["--private-key-path", "{key}", "--origin", "a b"],
        ["--private-key-path", "{key}", "--origin", "qed/epoch/v1"],
    ],
)
def test_a_verifier_key_needs_one_key_and_a_name(run, tmp_path, flags):
    run("generate", "signerkeys", "--path", str(tmp_path))
    run("generate", "cosignerkey", "--path", str(tmp_path), "--name", "a")
    places = {"key": f"{tmp_path}/qed_ed25519", "cosigner": f"{tmp_path}/qed_ml_dsa_44"}
    done = run("generate", "verifierkey", *(flag.format(**places) for flag in flags))
    assert (done.code, done.text) == (11, "")


def test_a_verifier_key_of_no_file_makes_none(run, tmp_path):
    path = str(tmp_path / "key")
    done = run("generate", "verifierkey", "--private-key-path", path, "--origin", "a")
    assert (done.code, list(tmp_path.iterdir())) == (13, [])
