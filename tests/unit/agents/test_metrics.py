"""The numbers of an agent, as a scrape shows them."""

import asyncio

from qed.agents.alerts import KINDS, Alert, Alerts
from qed.agents.metrics import AgentMetrics, Progress
from qed.version import VERSION
from qed.web.messages import Request


def scrape(metrics):
    [route] = metrics.routes()
    answer = asyncio.run(route.handler(Request("GET", "/metrics", b"", (), b"")))
    assert answer.status == 200
    assert answer.content_type.startswith(b"text/plain")
    return answer.body.decode().splitlines()


def build(progress, alerts=None, waiting=0, now_s=1000.0):
    alerts = alerts or Alerts([])
    return AgentMetrics("publisher", "p0", progress, alerts, lambda: waiting, clock=lambda: now_s)


def test_how_each_work_stands():
    one = Progress("server", position=7, head=10, steps=3, last_success_s=990.0)
    one.failures["unreachable"] = 2
    lines = scrape(build([one, Progress("store")]))

    assert 'qed_agent_position{work="server"} 7.0' in lines
    assert 'qed_agent_lag_versions{work="server"} 3.0' in lines
    assert 'qed_agent_steps{work="server"} 3.0' in lines
    assert 'qed_agent_last_success_age_seconds{work="server"} 10.0' in lines
    assert 'qed_agent_failures{kind="unreachable",work="server"} 2.0' in lines
    assert 'qed_agent_position{work="store"} 0.0' in lines


def test_what_never_worked_has_no_age():
    lines = scrape(build([Progress("store")]))
    assert [line for line in lines if line.startswith("qed_agent_last_success")] == []


def test_one_that_is_ahead_of_what_is_known_has_no_lag():
    assert Progress("store", position=9, head=4).lag == 0


def test_a_clock_that_was_set_back_shows_no_negative_age():
    lines = scrape(build([Progress("store", last_success_s=2000.0)]))
    assert 'qed_agent_last_success_age_seconds{work="store"} 0.0' in lines


def test_each_kind_of_alert_is_there_from_the_start():
    lines = scrape(build([]))
    for kind in KINDS:
        assert f'qed_agent_alerts{{kind="{kind}"}} 0.0' in lines
        assert f'qed_agent_alerts_held_back{{kind="{kind}"}} 0.0' in lines


def test_alerts_are_counted_also_those_held_back():
    alerts = Alerts([])
    alerts.tell(Alert("lag", "store", "behind"))
    alerts.tell(Alert("lag", "store", "behind"))
    lines = scrape(build([], alerts, waiting=5))

    assert 'qed_agent_alerts{kind="lag"} 2.0' in lines
    assert 'qed_agent_alerts_held_back{kind="lag"} 1.0' in lines
    assert "qed_agent_alerts_waiting 5.0" in lines


def test_the_program_says_what_it_is():
    [line] = [line for line in scrape(build([])) if line.startswith("qed_agent_build_info{")]
    assert 'role="publisher"' in line
    assert 'node="p0"' in line
    assert f'version="{VERSION}"' in line
