"""docs/sdk.md: its code runs as written, and it leaves nothing out."""

import dataclasses
import re
from pathlib import Path

import qed
from faces import public_methods
from log_serving import log_server

GUIDE = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text()


def test_the_code_of_the_guide_runs_as_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    with log_server(tmp_path / "db") as server:
        code = "\n".join(blocks).replace("http://127.0.0.1:8800", server.data)
        names = {}
        exec(code.replace("http://127.0.0.1:8700", server.management), names)  # noqa: S102 (the page itself)
        names["client"].close()

    assert len(blocks) == 12
    assert sorted(path.name for path in tmp_path.glob("*.json")) == [
        "event-0.proof.json",
        "growth.proof.json",
    ]


def test_every_setting_is_in_the_table_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", GUIDE, re.MULTILINE))
    config = qed.ClientConfig()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        value = value[0] if isinstance(value, tuple) else value
        shown = rows[field.name].strip("`").replace("empty", "")
        assert str(value).removesuffix(".0") == shown, field.name


def test_every_method_and_every_name_offered_is_in_the_guide():
    for name in [*qed.__all__, *public_methods(qed.Client)]:
        assert name == "__version__" or re.search(rf"\b{name}\b", GUIDE), name
