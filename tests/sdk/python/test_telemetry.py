"""Traces and metrics as a receiver with the official protobuf definitions sees them: one story for each thing that happens."""

import socket
import threading

import httpx
import openai
import pytest
from harness import (
    ANTHROPIC_CREDENTIAL, LIMITED_KEY, MAIN_KEY, OPENAI_CREDENTIAL, Mock, Weir, config, eventually, weir_command,
)
from otlp import CLIENT, ERROR, SERVER, Receiver

AUTH = {"authorization": f"Bearer {MAIN_KEY}"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["accept", "admit", "route", "call", "settle"]

MORE = """
[telemetry]
endpoint = "{receiver}"
service-name = "edge"
resource = {{ "deployment.environment.name" = "test" }}
headers = {{ "x-scope" = {{ env = "SCOPE" }} }}
interval = "200ms"
{telemetry}

[providers.openai.models."fast".price]
input = 2.5
cached-input = 0.25
output = 10.0

[providers.anthropic.models."fast".price]
input = 3.0
output = 15.0

[providers.narrow]
kind = "openai"
base-url = "{openai}/v1"
api-key = {{ env = "UPSTREAM_OPENAI" }}
limits = {{ concurrent-requests = 1 }}

[routes.dear]
deployments = ["openai/fast"]

[routes.short]
deployments = ["openai/fast"]
runs = {{ max-requests = 1 }}

[keys.limited.limits]
requests-per-minute = 1

[budgets.pennies]
limit = "0.000001"
mode = "strict"
tag = "purse=empty"
"""


class World:
    def __init__(self, home, telemetry="", receiver=None):
        self.receiver = receiver or Receiver()
        self.openai, self.anthropic = Mock(home, "--api-key", OPENAI_CREDENTIAL), Mock(home, "--api-key", ANTHROPIC_CREDENTIAL)
        self.file = home / "weir.toml"
        more = MORE.format(receiver=self.receiver.url, openai=self.openai.url, telemetry=telemetry)
        self.file.write_text(
            config(self.openai.url, self.anthropic.url, more=more)
            .replace("[providers.openai.models.fast]\n", "").replace("[providers.anthropic.models.fast]\n", "")
        )
        self.weir = Weir(home, self.file, env={"SCOPE": "s3cret"})
        self.http = httpx.Client(base_url=self.weir.url, headers=AUTH, trust_env=False, timeout=30)

    def ask(self, model="smart", text="hi", headers=None, **more):
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return self.http.post("/v1/chat/completions", json=body, headers=headers or {})

    def traced(self, answer):
        return self.receiver.trace(answer.headers["x-weir-request"])

    def metric(self, name):
        """All lines of one metric on Weir's own page: labels and value."""
        lines = [line for line in self.weir.admin("/metrics").text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return [(line.rsplit(" ", 1)[0], float(line.rsplit(" ", 1)[1])) for line in lines]

    def close(self):
        self.http.close()
        self.weir.stop()
        self.openai.stop()
        self.anthropic.stop()
        self.receiver.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("telemetry"))
    yield world
    world.close()


@pytest.fixture
def alone(tmp_path, request):
    """A world of its own, for what would disturb others."""
    world = World(tmp_path, getattr(request, "param", ""))
    yield world
    world.close()


def test_an_answer_is_a_span_with_its_stages_and_its_call_and_all_of_one_trace(world):
    answer = world.ask(headers={"x-weir-tags": "team=ml", "x-weir-step": "draft"})
    assert answer.status_code == 200
    trace, usage = world.traced(answer), answer.json()["usage"]
    request, (attempt,) = trace.request, trace.attempts
    assert (request.name, request.kind, request.parent, request.status) == ("POST /v1/chat/completions", SERVER, "", 0)
    assert sorted(trace.stages) == sorted(STAGES)
    assert {span.trace for span in trace.spans} == {request.trace}
    assert {stage.parent for stage in trace.stages.values()} == {request.id}
    assert attempt.parent == trace.stages["call"].id
    begins = [trace.stages[name].begin for name in STAGES]
    assert begins == sorted(begins) and request.begin == begins[0] and request.end >= trace.stages["settle"].begin
    record = world.weir.record(answer.headers["x-weir-request"])
    a = request.attributes
    for name, expected in {
        "http.response.status_code": 200, "gen_ai.operation.name": "chat", "gen_ai.request.model": "smart",
        "gen_ai.usage.input_tokens": usage["prompt_tokens"], "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "weir.outcome": "answered", "weir.route": "smart", "weir.key": "main", "weir.tenant": "team-a", "weir.attempts": 1,
        "weir.priority": "interactive", "weir.step": "draft", "weir.tag.team": "ml", "weir.queued_ms": 0,
        "weir.run": record["run"],
    }.items():
        assert a[name] == expected, name
    assert "error.type" not in a
    assert a["weir.cost_nano_usd"] == round(float(record["cost_usd"]) * 1e9) > 0
    assert a["weir.cost_usd"] == pytest.approx(float(record["cost_usd"]))
    b = attempt.attributes
    for name, expected in {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "fast",
        "gen_ai.response.model": "fast", "gen_ai.response.finish_reasons": ["stop"], "server.address": "127.0.0.1",
        "server.port": int(world.openai.url.rsplit(":", 1)[1]), "http.response.status_code": 200,
        "weir.deployment": "openai/fast", "weir.attempt": 1, "weir.why": "first",
        "weir.cost_nano_usd": a["weir.cost_nano_usd"], "gen_ai.usage.output_tokens": usage["completion_tokens"],
    }.items():
        assert b[name] == expected, name
    assert (attempt.name, attempt.kind, attempt.status) == ("chat fast", CLIENT, 0)
    resource = request.resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("edge", "test")
    assert record["trace"]["id"] == request.trace
    path, headers = world.receiver.seen[0]
    assert headers["x-scope"] == "s3cret"


def test_a_clients_trace_goes_on_to_the_provider(world):
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1", "baggage": "user=alice"}
    answer = world.ask(headers=headers)
    trace = world.traced(answer)
    assert (trace.request.trace, trace.request.parent) == (TRACE, PARENT)
    assert trace.request.flags & 0x3FF == 0x301 and trace.request.state == "vendor=1"
    seen = dict(world.openai.last()["headers"])
    assert seen["traceparent"] == f"00-{TRACE}-{trace.attempts[0].id}-01"
    assert seen["tracestate"] == "vendor=1" and "baggage" not in seen
    shown = weir_command(world.file.parent, "trace", answer.headers["x-weir-request"], "--config", str(world.file), SCOPE="s")
    assert TRACE in shown.stdout, shown.stdout + shown.stderr


def test_a_traceparent_that_is_none_begins_a_new_trace(world):
    for wrong in (f"00-{TRACE}-{PARENT}", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01"):
        trace = world.traced(world.ask(headers={"traceparent": wrong, "tracestate": "vendor=1"}))
        assert trace.request.parent == "" and trace.request.trace != TRACE and trace.request.state == ""
        seen = dict(world.openai.last()["headers"])
        assert seen["traceparent"][3:35] == trace.request.trace and "tracestate" not in seen


def test_a_stream_tells_when_its_first_piece_came_and_how_long_it_was_relayed(world):
    with openai.OpenAI(base_url=f"{world.weir.url}/v1", api_key=MAIN_KEY) as client:
        stream = client.chat.completions.with_raw_response.create(
            model="smart", messages=[{"role": "user", "content": "words=30"}], stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream.parse())
    trace = world.receiver.trace(stream.headers["x-weir-request"])
    assert "stream" in trace.stages and trace.request.attributes["gen_ai.request.stream"] is True
    (attempt,) = trace.attempts
    assert attempt.attributes["gen_ai.response.time_to_first_chunk"] >= 0
    assert attempt.attributes["gen_ai.usage.output_tokens"] == chunks[-1].usage.completion_tokens
    assert attempt.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert trace.stages["stream"].end <= trace.request.end


def test_a_retry_is_two_calls_and_a_wait(world):
    world.openai.post("order", fault="500", next=1)
    answer = world.ask("openai/fast")
    assert answer.status_code == 200
    trace = world.traced(answer)
    first, second = trace.attempts
    assert (first.status, first.attributes["error.type"], first.attributes["http.response.status_code"]) == (ERROR, "server_error", 500)
    assert first.message and second.status == 0 and second.attributes["weir.why"] == "retry"
    assert trace.event("Waited")["weir.why"] == "retry" or trace.event("Waited")["weir.words"]
    assert trace.request.status == 0


def test_a_failover_says_from_where_to_where(world):
    world.openai.post("order", fault="401", next=1)
    answer = world.ask()
    world.openai.post("clear")
    trace = world.traced(answer)
    assert [a.attributes["weir.deployment"] for a in trace.attempts] == ["openai/fast", "anthropic/fast"]
    moved = trace.event("FailedOver")
    assert (moved["weir.from"], moved["weir.to"]) == ("openai/fast", "anthropic/fast")
    assert trace.event("CredentialBenched")["weir.provider"] == "openai", "what it changed for others is its own event, too"
    assert trace.attempts[1].attributes["gen_ai.provider.name"] == "anthropic"
    facts = lambda: [s for s in world.receiver.everything() if s.name == "CredentialBenched" and s.kind not in (SERVER, CLIENT)]
    assert eventually(facts, "the fact of the system")[0].attributes["weir.provider"] == "openai"


def test_the_last_failure_is_the_spans_own_error(world):
    answer = world.ask("anthropic/broken!500")
    assert answer.status_code == 502
    trace = world.traced(answer)
    assert (trace.request.status, trace.request.attributes["error.type"]) == (ERROR, "upstream_error")
    assert trace.request.attributes["weir.refused_by"] == "anthropic" and trace.request.message
    assert len(trace.attempts) == trace.request.attributes["weir.attempts"] > 1
    assert all(attempt.status == ERROR for attempt in trace.attempts)
    refused = trace.event("Refused")
    assert (refused["weir.status"], refused["weir.by"]) == (502, "anthropic")


def test_a_breaker_that_a_request_opens_is_its_event(world):
    answers = [world.ask("anthropic/sick!500", headers={"x-weir-deadline": "10s"}) for _ in range(3)]
    traces = [world.traced(answer) for answer in answers]
    changed = [e.attributes for trace in traces for e in trace.request.events if e.name == "BreakerChanged"]
    assert changed[0]["weir.to"] == "open" and "anthropic/sick!500" in changed[0]["weir.scope"]


def test_a_wait_in_line_is_a_span(world):
    slow = threading.Thread(target=lambda: world.ask("narrow/slow!late:700"))
    slow.start()
    eventually(lambda: world.openai.stats()["in_flight"] > 0, "the first is at its provider")
    answer = world.ask("narrow/slow!late:700", headers={"x-weir-deadline": "15s"})
    slow.join()
    assert answer.status_code == 200
    trace = world.traced(answer)
    queue = trace.stages["queue"]
    assert queue.end > queue.begin and trace.request.attributes["weir.queued_ms"] > 0
    queued = trace.event("Queued")
    assert queued["weir.limit"] == "concurrent-requests" and queued["weir.pool"]


def test_a_halted_runs_request_is_refused_with_the_evidence(world):
    assert world.ask("short", headers={"x-weir-run": "endless"}).status_code == 200
    answer = world.ask("short", text="go on", headers={"x-weir-run": "endless"})
    assert answer.status_code == 422
    trace = world.traced(answer)
    a = trace.request.attributes
    assert (a["weir.run"], a["gen_ai.conversation.id"], a["error.type"], a["weir.refused_by"]) == ("endless", "endless", "run_halted", "weir")
    halted = trace.event("RunHalted")
    assert halted["weir.detector"] and "endless" in halted["weir.words"]
    assert trace.attempts == [] and trace.request.status == 0, "a 4xx is no failure of the server"


def test_a_budget_that_does_not_pay_says_so(world):
    answer = world.ask("dear", headers={"x-weir-tags": "purse=empty"})
    assert answer.status_code == 402
    trace = world.traced(answer)
    a = trace.request.attributes
    assert (a["weir.code"], a["weir.cost_nano_usd"], a["weir.attempts"]) == ("budget_exhausted", 0, 0)
    assert any("pennies" in event.attributes["weir.words"] for event in trace.request.events)


def test_a_client_that_leaves_is_told_as_such(world):
    body = {"model": "openai/fast", "stream": True, "messages": [{"role": "user", "content": "words=20000"}], "max_tokens": 90_000}
    with httpx.Client(base_url=world.weir.url, headers=AUTH, trust_env=False) as client:
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_raw())
            request = answer.headers["x-weir-request"]
    trace = world.receiver.trace(request)
    a = trace.request.attributes
    assert (a["weir.outcome"], a["http.response.status_code"], a["error.type"]) == ("cancelled", 499, "cancelled")
    assert "ClientLeft" in trace.events()
    assert trace.attempts[0].attributes["error.type"] == "cancelled"


def test_tries_of_one_call_by_its_sdk_are_linked_to_the_first(world):
    seen = []
    with openai.OpenAI(
        base_url=f"{world.weir.url}/v1", api_key=MAIN_KEY, max_retries=2,
        http_client=httpx.Client(trust_env=False, event_hooks={"response": [lambda r: seen.append(r.headers["x-weir-request"])]}),
    ) as client:
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="openai/busy!503", messages=[{"role": "user", "content": "try"}])
    assert len(seen) == 3, "the SDK tried three times"
    first, second, third = (world.receiver.trace(request) for request in seen)
    assert first.request.links == []
    for trace, count in ((second, 1), (third, 2)):
        (link,) = trace.request.links
        assert (link.trace, link.id, link.attributes["weir.request"]) == (first.request.trace, first.request.id, seen[0])
        retried = trace.event("ClientRetried")
        assert (retried["weir.of"], retried["weir.count"], retried["weir.by"]) == (seen[0], count, "sdk")
    shown = weir_command(world.file.parent, "trace", seen[2], "--config", str(world.file), SCOPE="s")
    assert f"third try of the same call by its SDK; the first was {seen[0]}" in shown.stdout


def test_a_try_that_was_refused_before_anything_else_is_linked_too(world):
    ask = lambda: world.ask("smart", text="once a minute", headers={"authorization": f"Bearer {LIMITED_KEY}"})
    assert ask().status_code == 200
    first, second = ask(), ask()
    assert (first.status_code, second.status_code) == (429, 429)
    trace = world.traced(second)
    assert trace.event("ClientRetried")["weir.of"] == first.headers["x-weir-request"]
    assert trace.event("ClientRetried")["weir.by"] == "client"
    assert trace.request.links[0].id == world.traced(first).request.id


def test_what_is_hostile_or_secret_is_in_no_span(world):
    name = "x\u202e\u001b[2J" + "ü" * 110
    answer = world.ask(name, text="the secret of the prompt", user="nobody")
    assert answer.status_code == 404, answer.text
    trace = world.traced(answer)
    model = trace.request.attributes["gen_ai.request.model"]
    assert "\u001b" not in model and "\u202e" not in model and len(model.encode()) <= 300
    world.ask(text="the secret of the prompt")
    whole = repr(world.receiver.everything())
    assert "secret of the prompt" not in whole
    for secret in (MAIN_KEY, LIMITED_KEY, OPENAI_CREDENTIAL, ANTHROPIC_CREDENTIAL, "s3cret"):
        assert secret not in whole


def test_early_refusals_are_traces_too(world):
    answer = world.ask("nowhere", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    trace = world.traced(answer)
    assert (trace.request.trace, trace.request.parent) == (TRACE, PARENT)
    assert trace.request.attributes["error.type"] == "model_not_found" and sorted(trace.stages) == ["accept", "admit"]
    broken = world.http.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"})
    trace = world.traced(broken)
    assert trace.request.attributes["http.response.status_code"] == 400 and sorted(trace.stages) == ["accept"]


@pytest.mark.parametrize("alone", ["sample = 0\nslow = \"600ms\""], indirect=True)
def test_of_ordinary_requests_a_share_is_traced_and_of_the_others_all(alone):
    plain = [alone.ask() for _ in range(20)]
    sampled = alone.ask(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert dict(alone.openai.last()["headers"])["traceparent"].endswith("-01")
    refused = alone.ask("nowhere")
    slow = alone.ask("openai/fast!late:700")
    alone.openai.post("order", fault="500", next=1)
    retried = alone.ask("openai/fast")
    wanted = {answer.headers["x-weir-request"] for answer in (sampled, refused, slow, retried)}
    eventually(lambda: wanted <= set(alone.receiver.requests()), "those that are always traced")
    assert set(alone.receiver.requests()) == wanted
    told = dict(alone.metric("weir_telemetry_requests_total"))
    assert told['weir_telemetry_requests_total{result="unsampled"}'] == len(plain)
    assert dict(alone.openai.log()[0]["headers"])["traceparent"].endswith("-02"), "the provider is told that it is not sampled"


def test_without_telemetry_a_trace_is_passed_on_as_it_came_and_none_is_begun(tmp_path):
    with Mock(tmp_path) as mock:
        file = tmp_path / "weir.toml"
        file.write_text(config(mock.url, mock.url))
        with Weir(tmp_path, file) as weir:
            body = {"model": "openai/fast", "messages": [{"role": "user", "content": "hi"}]}
            httpx.post(f"{weir.url}/v1/chat/completions", json=body, headers=AUTH, trust_env=False)
            assert "traceparent" not in dict(mock.last()["headers"])
            given = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1", **AUTH}
            answer = httpx.post(f"{weir.url}/v1/chat/completions", json=body, headers=given, trust_env=False)
            seen = dict(mock.last()["headers"])
            assert (seen["traceparent"], seen["tracestate"]) == (given["traceparent"], "vendor=1")
            assert weir.record(answer.headers["x-weir-request"])["trace"]["id"] == TRACE


def test_a_receiver_that_is_away_costs_no_request_and_gets_all_when_it_is_back(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    class Away:
        url = f"http://127.0.0.1:{port}"
        close = staticmethod(lambda: None)

    world = World(tmp_path, receiver=Away)
    try:
        asked = {world.ask().headers["x-weir-request"] for _ in range(50)}
        health = lambda: world.http.get("/health/ready").json()["telemetry"]
        why = eventually(lambda: health()["traces_error"], "it is shown that nothing is delivered")
        assert "connect" in why.lower() and health()["dropped"] == 0
        assert world.metric("weir_telemetry_failing")[0][1] == 1
        with Receiver(port) as back:
            eventually(lambda: asked <= set(back.requests()), "all of them")
            eventually(lambda: world.metric("weir_telemetry_failing")[0][1] == 0, "it is shown that it works again")
            assert "are delivered to" in world.weir.said
    finally:
        world.close()


@pytest.mark.parametrize("alone", ['compression = "gzip"'], indirect=True)
def test_what_a_receiver_says_is_acted_on(alone):
    alone.receiver.answer(503, retry_after="0")
    alone.receiver.answer(429)
    first = alone.ask().headers["x-weir-request"]
    eventually(lambda: first in alone.receiver.requests(), "what was put off comes again")
    told = lambda: dict(alone.metric("weir_telemetry_requests_total"))
    dropped = 'weir_telemetry_requests_total{result="dropped"}'
    before = told()[dropped]
    alone.receiver.answer(400)
    second = alone.ask().headers["x-weir-request"]
    eventually(lambda: told()[dropped] == before + 1, "what is refused for good is dropped, and counted")
    assert second not in alone.receiver.requests()
    alone.receiver.reject(2, "two were too old")
    alone.ask()
    rejected = lambda: dict(alone.metric("weir_telemetry_spans_total"))['weir_telemetry_spans_total{result="rejected"}']
    eventually(lambda: rejected() == 2, "what is rejected is counted")
    assert "two were too old" in alone.http.get("/health/ready").json()["telemetry"]["traces_error"]
    assert any(headers.get("content-encoding") == "gzip" for _, headers in alone.receiver.seen)


def test_the_last_spans_are_sent_before_the_process_ends(alone):
    asked = alone.ask().headers["x-weir-request"]
    alone.weir.stop()
    assert asked in alone.receiver.requests()
    assert any(span.name == "Stopped" for span in alone.receiver.everything())
