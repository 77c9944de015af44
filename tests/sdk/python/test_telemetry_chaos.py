"""An hour of trouble in small: whatever goes wrong, traces, metrics, ledger and the provider's own count say the same numbers."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from harness import MAIN_KEY, eventually
from otlp import ERROR, Trace
from test_telemetry import World

REQUESTS = 400
FAULTS = [
    "500", "502", "503", "529", "429", "429:1", "reset", "cut:3", "error-in-stream:2", "malformed:2", "no-done", "empty", "garbage",
    "wrong-type", "filter", "late:50",
]


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    """What was asked and answered, in a world whose providers fail in every way."""
    world, draw = World(tmp_path_factory.mktemp("chaos")), random.Random(20261127)
    answers = []

    def one(plan):
        model, stream, leaves, text = plan
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}], "max_tokens": 500}
        headers = {"authorization": f"Bearer {MAIN_KEY}", "x-weir-deadline": "20s"}
        with httpx.Client(base_url=world.weir.url, headers=headers, trust_env=False, timeout=60) as client:
            with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                answers.append((answer.headers["x-weir-request"], answer.status_code))
                try:
                    for _ in answer.iter_raw():
                        if leaves:
                            break
                except httpx.HTTPError:
                    pass

    def plan(n):
        fault = draw.choice(FAULTS) if draw.random() < 0.5 else None
        model = draw.choice(["smart", "claude"]) if fault is None else draw.choice(["openai/c", "anthropic/c"]) + f"{n % 7}!{fault}"
        return model, draw.random() < 0.5, draw.random() < 0.1, f"words={draw.randint(1, 60)} of {n}"

    with ThreadPoolExecutor(16) as pool:
        world.openai.post("order", fault="500", share=0.1)
        world.anthropic.post("order", fault="529", share=0.1)
        list(pool.map(one, [plan(n) for n in range(REQUESTS)]))
    for mock in (world.openai, world.anthropic):
        eventually(lambda: mock.stats()["in_flight"] == 0, "all calls have ended")
    wanted = {request for request, _ in answers}
    assert len(wanted) == REQUESTS
    eventually(lambda: wanted <= set(world.receiver.requests()), "a trace of each request")
    total = lambda: world.receiver.total("weir.requests")
    eventually(lambda: total() == REQUESTS, "metrics of all of them")
    # The next export has whatever was counted by now.
    exports = len(world.receiver.seen)
    eventually(lambda: sum(path.endswith("metrics") for path, _ in world.receiver.seen[exports:]) >= 2, "newer metrics")
    records = {request: world.weir.record(request) for request in wanted}
    traces = {}
    spans = world.receiver.everything()
    by_parent = {}
    for span in spans:
        by_parent.setdefault(span.parent, []).append(span)
    for request, own in world.receiver.requests().items():
        stages = by_parent.get(own.id, [])
        calls = [span for stage in stages for span in by_parent.get(stage.id, [])]
        traces[request] = Trace([own, *stages, *calls])
    yield world, answers, records, traces
    world.close()


def nano(dollars):
    return None if dollars is None else round(float(dollars) * 1e9)


def test_every_request_has_one_trace_that_says_what_its_record_says(hour):
    _, answers, records, traces = hour
    assert set(traces) == set(records)
    assert len({r["outcome"] for r in records.values()}) >= 3, "much went wrong, and in several ways"
    for request, status in answers:
        record, trace = records[request], traces[request]
        a = trace.request.attributes
        assert a["weir.outcome"] == record["outcome"] and a["http.response.status_code"] == record["status"]
        assert a.get("weir.code") == record["code"] and a.get("weir.refused_by") == record["refused_by"]
        assert a.get("weir.cost_nano_usd") == nano(record["cost_usd"])
        assert a["weir.queued_ms"] == record["queued_ms"]
        assert status in (record["status"], 200)
        assert len(trace.attempts) == len(record["attempts"]) == a["weir.attempts"]
        for attempt, span in zip(record["attempts"], trace.attempts):
            b = span.attributes
            assert b["weir.deployment"] == attempt["deployment"]
            assert b.get("http.response.status_code") == attempt["status"]
            assert b.get("weir.cost_nano_usd") == nano(attempt["cost_usd"])
            assert b.get("weir.upstream_id") == attempt["upstream_id"]
            if attempt["class"]:
                assert (b["error.type"], span.status) == (attempt["class"], ERROR) and span.message
            used = attempt["usage"] or {}
            assert (b.get("gen_ai.usage.input_tokens"), b.get("gen_ai.usage.output_tokens")) == (used.get("input"), used.get("output"))


def test_the_trace_alone_explains_a_failure(hour):
    """Who said no, with what, after which attempts; between them no step is missing."""
    _, _, records, traces = hour
    failed = [traces[request] for request, record in records.items() if record["outcome"] in ("failed", "refused")]
    assert len(failed) > 20
    for trace in failed:
        a = trace.request.attributes
        assert a["error.type"] == a["weir.code"] and a["weir.refused_by"]
        assert trace.events().count("Refused") == 1
        for before, after in zip(trace.attempts, trace.attempts[1:]):
            moved = before.attributes["weir.deployment"] != after.attributes["weir.deployment"]
            between = [e.name for e in trace.request.events if before.end <= e.at <= after.begin + 1_000_000]
            assert ("FailedOver" in between) == moved, (between, before.attributes, after.attributes)
        if a["weir.attempts"] == 0:
            assert trace.events() != ["Refused"] or a["weir.code"] in ("no_deployment_available", "model_not_found", "capacity_exhausted")


def test_spans_metrics_ledger_page_and_provider_count_the_same(hour):
    world, _, records, traces = hour
    attempts = [attempt for record in records.values() for attempt in record["attempts"]]
    spans = [span for trace in traces.values() for span in trace.attempts]
    receiver = world.receiver
    # Calls.
    arrived = world.openai.stats()["requests"] + world.anthropic.stats()["requests"]
    on_page = sum(count for _, count in world.metric("weir_attempts_total"))
    operations = receiver.total("gen_ai.client.operation.duration")
    assert len(attempts) == len(spans) == arrived == on_page == receiver.total("weir.attempts") == operations
    # What came of them.
    kind = lambda attempt: attempt["class"] or ("ok" if attempt["status"] else "cancelled")
    by_class = Counter(kind(attempt) for attempt in attempts)
    assert by_class == Counter(span.attributes.get("error.type", "ok") for span in spans)
    for name, count in by_class.items():
        assert receiver.total("weir.attempts", weir__class=name) == count
        wanted = {"error__type": None if name == "ok" else name}
        assert receiver.total("gen_ai.client.operation.duration", **wanted) == count, name
    # The statuses that providers sent.
    sent = Counter()
    for mock in (world.openai, world.anthropic):
        sent.update({int(status): count for status, count in mock.stats()["by_status"].items()})
    for status in (429, 500, 503, 529):
        in_spans = sum(span.attributes.get("http.response.status_code") == status for span in spans)
        assert in_spans == sent[status] > 0, status
    # Requests.
    outcomes = Counter(record["outcome"] for record in records.values())
    for outcome, count in outcomes.items():
        assert receiver.total("weir.requests", weir__outcome=outcome) == count
        page = sum(n for labels, n in world.metric("weir_requests_total") if f'outcome="{outcome}"' in labels)
        assert page == count
    # Tokens.
    for kind, name in (("input", "gen_ai.usage.input_tokens"), ("output", "gen_ai.usage.output_tokens")):
        in_ledger = sum((attempt["usage"] or {}).get(kind, 0) for attempt in attempts)
        in_spans = sum(span.attributes.get(name, 0) for span in spans)
        in_histogram = sum(p.sum for p in receiver.points("gen_ai.client.token.usage", gen_ai__token__type=kind))
        on_page = sum(n for labels, n in world.metric("weir_tokens_total") if f'type="{kind}"' in labels)
        assert in_ledger == in_spans == in_histogram == on_page == receiver.total("weir.tokens", gen_ai__token__type=kind) > 0
    # Money, to the nano-dollar.
    in_ledger = sum(nano(attempt["cost_usd"]) or 0 for attempt in attempts)
    in_spans = sum(span.attributes.get("weir.cost_nano_usd", 0) for span in spans)
    of_requests = sum(nano(record["cost_usd"]) or 0 for record in records.values() if record["cost_usd"] is not None)
    on_page = sum(round(n * 1e9) for _, n in world.metric("weir_cost_usd_total"))
    assert in_ledger == in_spans == on_page == receiver.total("weir.cost.nano_usd") > 0
    assert of_requests == sum(trace.request.attributes.get("weir.cost_nano_usd", 0) for trace in traces.values())
    # What pages are made of.
    total = world.weir.admin("/admin/v1/series").json()["all"]["total"]
    assert (total["requests"], total["calls"]["attempts"]) == (REQUESTS, len(spans))
    assert total["calls"]["status_429"] == sent[429]
    assert {name: total[name] for name in outcomes} == dict(outcomes)
    assert nano(total["cost_usd"]) == in_ledger
    # And nothing of it was dropped.
    told = dict(world.metric("weir_telemetry_requests_total"))
    assert told['weir_telemetry_requests_total{result="dropped"}'] == 0
    taken = dict(world.metric("weir_telemetry_spans_total"))['weir_telemetry_spans_total{result="taken"}']
    assert taken == len(receiver.everything())
