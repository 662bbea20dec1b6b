"""Flags on both sides of a sub-command, and booleans that eat nothing."""

import click
import pytest
from click.testing import CliRunner

from qed.cli import values
from qed.cli.groups import (
    Command,
    Group,
    flag,
    inherited,
    meaningless_flags,
    shared,
)


@pytest.fixture(name="call")
def call_a_small_tree():
    seen = {}
    root = Group("qed", root=True)
    group = Group(
        "group",
        flags=[
            shared("--place", type=values.TEXT, default="here"),
            shared("--items", type=values.ListOf(values.TEXT), multiple=True, default=["a"]),
            shared("--loud", type=values.BOOL, default=False),
            shared("--on", type=values.BOOL, default=True),
            shared("--old", type=values.DURATION, default=0.0, accepted=True),
        ],
    )

    @click.command("do", cls=Command)
    @flag("--event", type=values.TEXT)
    @flag("--verify", type=values.BOOL, default=False)
    @click.argument("rest", nargs=-1)
    @click.pass_context
    def do(ctx, event, verify, rest):
        seen.update(inherited(ctx), event=event, verify=verify, rest=rest)
        seen["meaningless"] = meaningless_flags(ctx)

    group.add_command(do)
    root.add_command(group)

    def call(*words, **env):
        seen.clear()
        done = CliRunner().invoke(root, words, env=env, auto_envvar_prefix="QED")
        return seen if done.exit_code == 0 else done.output

    return call


def test_a_flag_of_the_group_is_taken_on_both_sides(call):
    assert call("group", "--place", "x", "do")["place"] == "x"
    assert call("group", "do", "--place", "x")["place"] == "x"
    assert call("group", "do")["place"] == "here"


def test_the_later_one_wins(call):
    assert call("group", "--place", "x", "do", "--place=y")["place"] == "y"
    assert call("group", "--on=false", "do", "--on")["on"] is True


def test_a_list_grows_and_replaces_its_default(call):
    assert call("group", "do")["items"] == ("a",)
    assert call("group", "--items", "b,c", "do", "--items=d", "--items", "e")["items"] == (
        "b",
        "c",
        "d",
        "e",
    )


def test_a_bare_boolean_leaves_the_next_word_alone(call):
    seen = call("group", "--loud", "do", "--verify", "rest")

    assert (seen["loud"], seen["verify"], seen["rest"]) == (True, True, ("rest",))


def test_a_boolean_is_said_with_an_equals_sign(call):
    seen = call("group", "--on=false", "do", "--verify=t", "--loud=0")

    assert (seen["on"], seen["verify"], seen["loud"]) == (False, True, False)


@pytest.mark.parametrize("value", ["--loud", "--", "-x", "", "do", "--event"])
def test_the_value_of_a_flag_may_look_like_anything(call, value):
    assert call("group", "do", "--event", value)["event"] == value
    assert call("group", "do", f"--event={value}")["event"] == value


def test_words_after_two_dashes_are_no_flags(call):
    assert call("group", "do", "--", "--loud")["rest"] == ("--loud",)


def test_a_flag_without_its_value_is_refused(call):
    assert "requires an argument" in call("group", "do", "--event")


def test_the_environment_stands_behind_the_command_line(call):
    env = {"QED_GROUP_PLACE": "env", "QED_GROUP_ITEMS": "x,y", "QED_GROUP_LOUD": "true"}
    seen = call("group", "do", **env)
    assert (seen["place"], seen["items"], seen["loud"]) == ("env", ("x", "y"), True)
    seen = call("group", "do", "--place", "x", "--items", "z", **env)
    assert (seen["place"], seen["items"]) == ("x", ("z",))
    assert call("group", "do", QED_GROUP_DO_EVENT="e")["event"] == "e"
    assert call("group", "do", QED_GROUP_DO_PLACE="z")["place"] == "here", "one name a flag"


def test_log_and_json_are_taken_everywhere(call):
    for words in (
        ("--log", "debug", "--json", "group", "do"),
        ("group", "--log", "debug", "--json", "do"),
        ("group", "do", "--log", "debug", "--json"),
    ):
        seen = call(*words)
        assert (seen["log"], seen["json"]) == ("debug", True)
    assert "is not one of" in call("group", "do", "--log", "loudly")


def test_a_flag_without_meaning_is_named_when_it_is_written(call):
    assert call("group", "do")["meaningless"] == []
    assert call("group", "--old=5s", "do")["meaningless"] == ["--old"]
    assert call("group", "do", "--old", "5s", "--place", "x")["meaningless"] == ["--old"]


def test_the_help_of_a_command_shows_the_flags_it_shares():
    group = Group("group", flags=[shared("--wait", type=values.DURATION, default=60.0, help="W.")])
    group.add_command(Command("do", help="Do it."))

    text = CliRunner().invoke(group, ["do", "--help"]).output

    assert "Shared flags" in text
    assert "--wait" in text
    assert "1m0s" in text
    assert "--json" in text


def test_flags_with_a_heading_stand_below_it_in_the_order_of_their_declaration():
    group = Group(
        "group",
        flags=[
            shared("--plain", type=values.TEXT, default="x"),
            shared("--most", type=values.Size(1, 2**30), default=2**20, heading="Limits"),
            shared("--old", type=values.TEXT, accepted=True),
            shared("--long", type=values.DURATION, default=1.0, heading="Limits"),
        ],
    )
    group.add_command(Command("do", help="Do it."))

    for words in (["do", "--help"], ["--help"]):
        text = CliRunner().invoke(group, words).output

        places = [text.index(f"--{name}") for name in ("plain", "most", "long", "old")]
        assert places == sorted(places)
        assert places[0] < text.index("Limits:") < places[1]
        assert places[2] < text.index("Accepted as in QED") < places[3]
        assert "1MiB" in text
