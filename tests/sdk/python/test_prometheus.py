"""A real Prometheus scrapes Weir while much goes wrong: rules and panels show it, and its totals are the ledger's."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from harness import ANTHROPIC_CREDENTIAL, MAIN_KEY, OPENAI_CREDENTIAL, ROOT, Mock, Weir, config, eventually
from prometheus import DEPLOY, RULES, RULE_TESTS, Prometheus, metrics_in, panels, promtool

AUTH = {"authorization": f"Bearer {MAIN_KEY}"}

MORE = """
[providers.openai.models.fast.price]
input = 2.5
output = 10.0

[providers.anthropic.models.fast.price]
input = 3.0
output = 15.0

[providers.narrow]
kind = "openai"
base-url = "{openai}/v1"
api-key = {{ env = "UPSTREAM_OPENAI" }}
limits = {{ concurrent-requests = 1, requests-per-minute = 1000 }}
[providers.narrow.models.fast]

[providers.locked]
kind = "openai"
base-url = "{openai}/v1"
api-key = {{ env = "MAIN_KEY" }}
[providers.locked.models.fast]

[routes.line]
deployments = ["narrow/fast"]

[routes.short]
deployments = ["openai/fast"]
runs = {{ max-requests = 1 }}

[routes.falls]
deployments = ["openai/faulty!503", "anthropic/fast"]

[budgets.plenty]
limit = "100"
period = "day"
tag = "purse=full"

[budgets.pennies]
limit = "0.000001"
mode = "strict"
tag = "purse=empty"
"""


class World:
    """A gateway before two providers, a Prometheus, and what was asked."""

    def __init__(self, home):
        self.openai, self.anthropic = Mock(home, "--api-key", OPENAI_CREDENTIAL), Mock(home, "--api-key", ANTHROPIC_CREDENTIAL)
        file = home / "weir.toml"
        file.write_text(config(self.openai.url, self.anthropic.url, more=MORE.format(openai=self.openai.url)))
        self.weir = Weir(home, file)
        self.prometheus = Prometheus(home, self.weir)
        self.asked = set()

    def ask(self, model, text, stream=False, leave=False, headers=None, **more):
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}], **more}
        with httpx.Client(base_url=self.weir.url, headers=AUTH, trust_env=False, timeout=60) as client:
            with client.stream("POST", "/v1/chat/completions", json=body, headers=headers or {}) as answer:
                self.asked.add(answer.headers["x-weir-request"])
                for _ in answer.iter_raw():
                    if leave:
                        break
                return answer.status_code

    def load(self, nth):
        """Something of everything that metrics tell, until Prometheus has seen all of it."""
        for mock in (self.openai, self.anthropic):
            mock.post("order", fault="503", next=3)
        plans = [(model, f"words={n} a {nth}", n % 2 == 0) for n in range(4, 24) for model in ("smart", "claude")]
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda plan: self.ask(plan[0], plan[1], stream=plan[2], headers={"x-weir-tags": "purse=full"}), plans))
            assert statuses.count(200) > 30
            # One at a time goes: the others wait in line.
            slow = [pool.submit(self.ask, "line", f"words=3 slow {nth} {n}") for n in range(4)]
            assert all(future.result() == 200 for future in slow)
        for fault in ("429", "429", "500", "reset", "filter"):
            self.ask(f"openai/faulty!{fault}", f"{fault} {nth}")
        self.ask("locked/fast", f"who {nth}")
        # The faults ordered above may all end with a second try of the same deployment. This one goes on to the next, both times:
        # nothing else fails there, so that no breaker is open.
        assert self.ask("falls", f"words=3 falls {nth}") == 200
        self.ask("smart", f"words=400 leaves {nth}", stream=True, leave=True)
        # The same twice, as clients' SDKs do, and as those that forget do.
        for headers in ({}, {"x-stainless-retry-count": "1"}, {}):
            assert self.ask("openai/fast", f"words=5 again {nth}", headers=headers) == 200
        for text in ("one", "two"):
            self.ask("short", text, headers={"x-weir-run": f"endless-{nth}"})
        assert self.ask("openai/fast", f"broke {nth}", headers={"x-weir-tags": "purse=empty"}) == 402
        assert self.ask("no-such-model", "where") == 404
        for mock in (self.openai, self.anthropic):
            eventually(lambda: mock.stats()["in_flight"] == 0, "all calls have ended")
        ended = lambda: self.prometheus.number("sum(weir_requests_total)") == len(self.asked)
        eventually(ended, f"Prometheus has seen the {len(self.asked)} requests")

    def close(self):
        for process in (self.prometheus, self.weir, self.openai, self.anthropic):
            process.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("prometheus"))
    # What is counted for the first time begins with it; only then it rises.
    world.load(1)
    world.load(2)
    yield world
    world.close()


def test_the_rules_are_well_formed_and_do_as_their_tests_say():
    promtool("check", "rules", *RULES)
    promtool("test", "rules", *RULE_TESTS)


def test_each_rule_has_a_test():
    tested = "".join(path.read_text() for path in RULE_TESTS)
    alerts = re.findall(r"- alert: (\w+)", RULES[1].read_text())
    assert len(alerts) > 20 and [name for name in alerts if name not in tested] == []


def test_the_page_is_as_prometheus_wants_it(world):
    page = world.weir.admin("/metrics").text
    assert promtool("check", "metrics", given=page) == ""


def test_every_metric_is_in_the_reference_and_no_other(world):
    on_page = set(re.findall(r"^# TYPE (\w+) ", world.weir.admin("/metrics").text, re.M))
    reference = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    rows = [line.split("|")[1] for line in reference.splitlines() if line.startswith("| `weir_")]
    assert {name for row in rows for name in metrics_in(row)} == on_page
    # What rules, panels and the pages beside them ask for is there, too.
    for path in [*RULES, DEPLOY / "grafana" / "weir.json", ROOT / "docs" / "guide" / "prometheus.md", ROOT / "README.md"]:
        assert metrics_in(path.read_text()) <= on_page, path.name
    assert metrics_in(reference) <= on_page


@pytest.mark.parametrize("title, expression", panels())
def test_each_panel_shows_what_happened(world, title, expression):
    assert eventually(lambda: world.prometheus.query(expression), f"{title}: {expression}")


def test_the_panels_show_true_values(world):
    shown = {}
    for title, expression in panels():
        shown.setdefault(title, []).extend(world.prometheus.query(expression))
    share = shown["Availability"][0][1]
    assert 0.5 < share < 1
    assert 0 < shown["429s of providers"][0][1] < 0.5
    assert {labels["class"] for labels, _ in shown["Faults by class"]} >= {"rate_limited", "server_error", "overloaded", "unauthorized"}
    refused = {(labels["by"], labels["code"]) for labels, _ in shown["Who refuses, and why"]}
    assert refused >= {("openai", "rate_limit_exceeded"), ("weir", "budget_exhausted"), ("weir", "run_halted"), ("weir", "model_not_found")}
    assert {labels["why"] for labels, value in shown["Dollars that served nobody"] if value > 0} >= {"abandoned", "duplicate"}
    assert any(labels.get("from") for labels, _ in shown["Retries and fallbacks"])
    assert any(labels.get("deployment") for labels, _ in shown["Retries and fallbacks"])
    assert [labels["change"] for labels, _ in shown["Runs warned, slowed, halted"]] == ["halted"]
    assert ("locked/fast", "credential") in {(l["deployment"], l.get("what")) for l, _ in shown["Calls under way, and benched"]}


def test_every_rule_runs_on_real_data(world):
    prometheus = world.prometheus
    for rule in prometheus.rules():
        eventually(lambda: all(r["health"] != "unknown" for r in prometheus.rules()), "all rules have run")
        assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule["name"]
        if rule["type"] == "recording":
            assert eventually(lambda: prometheus.query(rule["name"]), rule["name"])
        else:
            prometheus.query(rule["query"])
    firing = lambda: {labels["alertname"] for labels, _ in prometheus.query('ALERTS{alertstate=~"firing|pending"}')}
    expected = {"WeirErrorsBurnFast", "WeirDeploymentThrottled", "WeirCredentialRefused", "WeirRunHalted", "WeirBudgetRefuses"}
    eventually(lambda: expected <= firing(), f"{expected} of {firing()}")
    assert not firing() & {"WeirDown", "WeirLedgerFailing", "WeirLedgerLoses", "WeirConfigRefused", "WeirBudgetSpent"}


def nano(dollars):
    return None if dollars is None else round(float(dollars) * 1e9)


def test_totals_are_those_of_the_ledger(world):
    prometheus = world.prometheus
    records = [world.weir.record(request) for request in sorted(world.asked)]
    attempts = [(record, attempt) for record in records for attempt in record["attempts"]]
    sums = lambda metric, *by: {tuple(l[name] for name in by): n for l, n in prometheus.query(f"sum by ({','.join(by)}) ({metric})") if n}

    requests = sums("weir_requests_total", "outcome", "status")
    assert requests == Counter((record["outcome"], str(record["status"])) for record in records)
    refused = Counter((record["refused_by"], record["code"]) for record in records if record["code"])
    assert sums("weir_refused_total", "by", "code") == refused
    keys = Counter((record["key"] or "none", record["outcome"]) for record in records)
    assert sums("weir_key_requests_total", "key", "outcome") == keys

    kind = lambda attempt: attempt["class"] or ("ok" if attempt["status"] else "cancelled")
    assert sums("weir_attempts_total", "class") == Counter((kind(attempt),) for _, attempt in attempts)
    arrived = sum(mock.stats()["requests"] for mock in (world.openai, world.anthropic))
    assert len(attempts) == arrived == prometheus.number("sum(weir_attempt_duration_seconds_count)")
    steps = [(a["deployment"], b["deployment"]) for r in records for a, b in zip(r["attempts"], r["attempts"][1:])]
    assert prometheus.number("sum(weir_retries_total)") == sum(a == b for a, b in steps) > 0
    assert prometheus.number("sum(weir_fallbacks_total)") == sum(a != b for a, b in steps) > 0

    for kind in ("input", "output"):
        used = sum((attempt["usage"] or {}).get(kind, 0) for _, attempt in attempts)
        for metric in ("weir_tokens_total", "weir_key_tokens_total"):
            assert prometheus.number(f'sum({metric}{{type="{kind}"}})') == used > 0
    cost = sum(nano(attempt["cost_usd"]) or 0 for _, attempt in attempts)
    for metric in ("weir_cost_usd_total", "weir_key_cost_usd_total"):
        assert nano(prometheus.number(f"sum({metric})")) == cost > 0
    unknown = sum(attempt["cost_usd"] is None for _, attempt in attempts)
    assert prometheus.number("sum(weir_cost_unknown_total)") == prometheus.number("sum(weir_key_cost_unknown_total)") == unknown

    facts = [event for record in records for event in record["events"]]
    wasted = Counter()
    for fact in facts:
        if fact["fact"] == "Wasted":
            wasted[(fact["why"],)] += fact["input"] + fact["output"]
    assert sums("weir_wasted_tokens_total", "why") == wasted and wasted
    retried = Counter((fact["by"],) for fact in facts if fact["fact"] == "ClientRetried")
    assert sums("weir_client_retries_total", "by") == retried and retried

    streamed = [record for record in records if record["stream"] and record["first_content_ms"] is not None]
    assert prometheus.number("sum(weir_first_token_seconds_count)") == len(streamed) > 0
    admitted = [record for record in records if record["route"]]
    assert prometheus.number("sum(weir_queue_wait_seconds_count)") == len(admitted)
    waited = sum(record["queued_ms"] for record in admitted)
    assert round(prometheus.number("sum(weir_queue_wait_seconds_sum)") * 1_000) == waited
    overhead = sum(record["overhead_us"] or 0 for record in records)
    assert round(prometheus.number("sum(weir_overhead_seconds_sum)") * 1e6) == overhead > 0
