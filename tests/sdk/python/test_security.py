"""What crosses Weir and what does not: credentials, cookies, forwarding headers, bodies that are not what they say."""

import gzip
import io
import random

import httpx
import pytest
import zstandard
from harness import ADMIN_KEY, LIMITED_KEY, MAIN_KEY, OPENAI_CREDENTIAL, Weir, config, weir_command

CHAT = b'{"model":"smart","messages":[{"role":"user","content":"echo hi"}]}'
MIB = 1 << 20


@pytest.fixture
def client(world):
    headers = {"authorization": f"Bearer {MAIN_KEY}", "content-type": "application/json"}
    with httpx.Client(base_url=world.weir.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


def chat(client, body=CHAT, **more):
    return client.post("/v1/chat/completions", content=body, **more)


def test_the_provider_sees_its_own_credential_and_nothing_of_the_clients(world, client):
    hostile = {
        "x-api-key": MAIN_KEY,
        "cookie": "session=secret",
        "x-forwarded-for": "10.1.2.3",
        "x-forwarded-host": "inside",
        "forwarded": "for=10.1.2.3",
        "proxy-authorization": "Basic c2VjcmV0",
        "origin": "https://example.com",
        "referer": "https://example.com/secret",
        "baggage": "tenant=secret",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "openai-organization": "org-client",
        "openai-project": "proj-client",
        "x-weir-run": "run-1",
        "x-weir-tags": "team=secret",
        "connection": "keep-alive, x-hop",
        "x-hop": "1",
        "te": "trailers",
        "accept-encoding": "gzip, zstd",
        "idempotency-key": "once",
        "openai-beta": "tides=v2",
    }
    assert chat(client, headers=hostile, params={"api_key": MAIN_KEY, "key": MAIN_KEY, "beta": "true"}).status_code == 200
    seen = world.openai.last()
    assert MAIN_KEY not in str(seen) and "secret" not in str(seen["headers"])
    assert seen["path"] == "/v1/chat/completions?beta=true"
    allowed = {"accept", "accept-encoding", "authorization", "content-length", "content-type", "host", "idempotency-key"}
    assert set(seen["headers"]) <= allowed | {"openai-beta", "user-agent", "x-team", "traceparent"}
    assert seen["headers"]["traceparent"] == hostile["traceparent"], "a trace goes on to the provider"
    assert seen["headers"]["accept-encoding"] == "identity" and seen["headers"]["x-team"] == "river"


def test_bodies_may_come_compressed(client):
    for encoding, body in [("gzip", gzip.compress(CHAT)), ("zstd", zstandard.compress(CHAT)), ("identity", CHAT)]:
        answer = chat(client, body, headers={"content-encoding": encoding})
        assert answer.status_code == 200 and "hi" in answer.text, encoding


def test_other_encodings_are_refused_and_broken_ones_too(client):
    assert chat(client, headers={"content-encoding": "br"}).status_code == 415
    for encoding in ("gzip", "zstd"):
        answer = chat(client, b"\x00not compressed", headers={"content-encoding": encoding})
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_request_error"


def test_a_compressed_bomb_is_refused_without_being_unpacked(world, client):
    before = world.weir.resident_kb()
    zeros = b"0" * MIB
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(300):
            file.write(zeros)
    for encoding, body in [("gzip", packed.getvalue()), ("zstd", zstandard.compress(zeros * 300))]:
        assert chat(client, body, headers={"content-encoding": encoding}).status_code == 413
    assert world.weir.resident_kb() - before < 120 * 1024


def test_a_body_larger_than_the_limit_is_a_413_announced_or_not(client):
    large = b'{"model":"smart","messages":[{"role":"user","content":"' + b"x" * (33 * MIB) + b'"}]}'
    announced = chat(client, large)
    assert announced.status_code == 413 and announced.json()["error"]["code"] == "invalid_request_error"
    pieces = (large[n : n + MIB] for n in range(0, len(large), MIB))
    try:
        assert chat(client, pieces).status_code == 413
    except (httpx.WriteError, httpx.ReadError):
        pass  # Refused while it was still being sent: the socket may close before the answer is read.
    assert chat(client).status_code == 200


def test_a_large_body_within_the_limit_reaches_the_provider_whole(world, client):
    text = b"echo " + b"y" * (8 * MIB)
    answer = chat(client, b'{"model":"smart","max_tokens":3,"messages":[{"role":"user","content":"' + text + b'"}]}')
    assert answer.status_code == 200
    assert len(world.openai.last()["body"]) > 8 * MIB


def test_json_ten_thousand_deep_is_answered_and_harms_nothing(client):
    deep = b"[" * 10_000 + b"]" * 10_000
    for body in (deep, CHAT[:-1] + b',"deep":' + deep + b"}", b'{"model":"smart","messages":' + deep + b"}"):
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"):
            answer = client.post(path, content=body)
            assert answer.status_code in (200, 400), (path, answer.status_code, answer.text)
    assert chat(client).status_code == 200


def test_garbage_is_a_clean_400(client):
    random.seed(7)
    bodies = [b"", b"null", b"7", b'"text"', b"[]", b"{}", CHAT[:-1], CHAT + b"}", b"\xff\xfe" + CHAT, CHAT.replace(b"echo", b"\xff\xff")]
    bodies += [random.randbytes(random.randrange(1, 2000)) for _ in range(60)]
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/embeddings"):
        for body in bodies:
            answer = client.post(path, content=body)
            assert answer.status_code == 400, (path, body[:40], answer.text)
            assert answer.json()["error"]["message"] and answer.headers["x-weir-request"]


@pytest.mark.parametrize("field, value", [("model", 7), ("model", None), ("messages", "hi"), ("stream", "yes"), ("max_tokens", "many")])
def test_wrong_types_of_what_weir_acts_on_are_400s_that_name_the_field(client, field, value):
    body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}], field: value}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400 and field in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "twice", [b'"model":"openai/fast"', rb'"m\u006fdel":"openai/fast"', b'"stream":true,"stream":false', b'"messages":[]'], ids=repr
)
def test_a_key_that_weir_acts_on_and_that_comes_twice_is_refused(client, twice):
    answer = chat(client, CHAT[:-1] + b"," + twice + b"}")
    assert answer.status_code == 400, answer.text
    assert chat(client, CHAT[:-1] + b',"other":1,"other":2}').status_code == 200, "what it does not act on is not its business"


def test_hostile_names_are_repeated_harmlessly(client):
    answer = client.post("/v1/chat/completions", json={"model": "\x1b[31m\r\nx: y" + "z" * 5000, "messages": []})
    assert answer.status_code in (400, 404) and len(answer.text) < 1000 and "\\u001b" not in answer.text
    assert client.get("/v1/models/%1b%5b31m%0d%0a").status_code == 404


def test_unknown_paths_and_methods_are_refused_in_a_dialect(client):
    assert client.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert client.get("/v1/nothing", headers={"anthropic-version": "2023-06-01"}).json()["type"] == "error"
    assert client.get("/v1/chat/completions").status_code == 405
    assert client.get("/").status_code == 200 and client.head("/").status_code == 200


def test_admin_and_metrics_need_the_admin_key_and_health_needs_none(world, client):
    for path in ("/metrics", "/admin/v1/requests", "/admin/v1/deployments"):
        assert httpx.get(world.weir.url + path, trust_env=False).status_code == 401
        assert world.weir.admin(path).status_code == 200
    assert httpx.get(world.weir.url + "/health/ready", trust_env=False).status_code == 200
    assert chat(client, headers={"authorization": f"Bearer {ADMIN_KEY}"}).status_code == 401, "an admin key is no client's"


def test_ten_wrong_admin_keys_in_a_minute_are_enough(tmp_path):
    file = tmp_path / "weir.toml"
    file.write_text(config("http://127.0.0.1:9", "http://127.0.0.1:9"))
    with Weir(tmp_path, file) as weir:
        wrong = {"authorization": f"Bearer {LIMITED_KEY}"}
        statuses = [httpx.get(f"{weir.url}/metrics", headers=wrong, trust_env=False).status_code for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        blocked = weir.admin("/metrics")
        assert blocked.status_code == 429 and 1 <= int(blocked.headers["retry-after"]) <= 60


def test_secrets_are_nowhere_in_the_log_the_ledger_or_the_metrics(world, client):
    request = chat(client, CHAT.replace(b"echo hi", b"echo my-private-words")).headers["x-weir-request"]
    record = world.weir.record(request)
    ledger = b"".join(p.read_bytes() for p in sorted(world.weir_home.glob("weir.db*")))
    for place in (world.weir.said.encode(), ledger, world.weir.admin("/metrics").content, str(record).encode()):
        for secret in (MAIN_KEY, ADMIN_KEY, OPENAI_CREDENTIAL, "my-private-words"):
            assert secret.encode() not in place


def test_keys_new_makes_a_key_that_works_by_its_hash(tmp_path, world):
    done = weir_command(tmp_path, "keys", "new", "fresh")
    key = done.stdout.strip()
    assert done.returncode == 0 and key.startswith("weir_") and len(key) >= 40 and key not in done.stderr
    table = done.stderr[done.stderr.index("[keys.fresh]") :]
    file = tmp_path / "weir.toml"
    file.write_text(config(world.openai.url, world.anthropic.url, more=table))
    with Weir(tmp_path, file) as weir:
        headers = {"authorization": f"Bearer {key}"}
        answer = httpx.post(f"{weir.url}/v1/chat/completions", content=CHAT, headers=headers, trust_env=False)
        assert answer.status_code == 200
        assert weir.record(answer.headers["x-weir-request"])["key"] == "fresh"
