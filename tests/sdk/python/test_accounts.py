"""Whatever happens to a request, it ends in exactly one ledger entry, and nothing of it stays behind."""

import asyncio
import collections
import random
import re

import httpx
from harness import MAIN_KEY, Mock, Weir, config, eventually

REQUESTS = 300
FAULTS = [None] * 8 + ["500", "503", "429", "429:9", "reset", "slow:50", "cut:3", "stall:3", "malformed:2", "no-done"]
FAULTS += ["error-in-stream:2", "silence", "empty", "garbage", "wrong-type", "context", "filter", "401", "404"]


def metric(weir, name):
    [value] = re.findall(rf"^{name} (\S+)$", weir.admin("/metrics").text, re.MULTILINE)
    return float(value)


def test_every_request_ends_in_one_entry_whatever_happened(tmp_path):
    chance = random.Random(11)
    with Mock(tmp_path) as o, Mock(tmp_path) as a:
        file = tmp_path / "weir.toml"
        file.write_text(config(o.url, a.url))
        with Weir(tmp_path, file) as weir:
            kinds = asyncio.run(storm(weir, chance))
            assert len(kinds) > 2, kinds
            eventually(lambda: weir.admin("/health/ready").json()["in_flight"] == 0, "nothing runs on at Weir")
            assert metric(weir, "weir_in_flight_requests") == 0 and metric(weir, "weir_buffered_bytes") == 0
            for mock in (o, a):
                eventually(lambda: mock.stats()["in_flight"] == 0, "nothing runs on at a provider")
            entries = lambda: weir.admin(f"/admin/v1/requests?limit={2 * REQUESTS}").json()["requests"]
            records = eventually(lambda: (all(e["status"] for e in entries()) and entries()), "all are settled")
            # One that left at once may never have arrived.
            assert kinds["whole"] + kinds["no"] <= len(records) <= REQUESTS, "one entry each, none twice, none lost"
            assert len({record["id"] for record in records}) == len(records)
            outcomes = collections.Counter(record["outcome"] for record in records)
            assert outcomes["answered"] >= kinds["whole"], (outcomes, kinds)
            assert 0 < outcomes["cancelled"] <= kinds["left"], (outcomes, kinds)
            for record in records:
                assert len(record["attempts"]) <= 5, record
                assert record["ended_at"] and record["outcome"] in ("answered", "cancelled", "failed", "refused", "broken"), record
                assert all(attempt["ended_at"] for attempt in record["attempts"]), record
            asked = sum(len(record["attempts"]) for record in records)
            seen = o.stats()["requests"] + a.stats()["requests"]
            # An attempt whose client left may end before its request reached the provider.
            assert asked - outcomes["cancelled"] <= seen <= asked
            body = {"model": "openai/fresh", "messages": [{"role": "user", "content": "echo hi"}]}
            headers = {"authorization": f"Bearer {MAIN_KEY}"}
            answer = httpx.post(f"{weir.url}/v1/chat/completions", json=body, headers=headers, trust_env=False)
            assert answer.status_code == 200, "and no fault costs the next request anything"


async def storm(weir, chance):
    """Sends requests of every kind, some with a fault, some that leave; counts what became of them."""
    kinds = collections.Counter()
    at_once = asyncio.Semaphore(40)
    headers = {"authorization": f"Bearer {MAIN_KEY}"}
    async with httpx.AsyncClient(base_url=weir.url, headers=headers, timeout=60, trust_env=False) as client:

        async def one(n, fault, path, provider, stream, patience):
            model = f"{provider}/m{n}" + (f"!{fault}" if fault else "")
            body = {"model": model, "max_tokens": 60, "stream": stream, "messages": [{"role": "user", "content": f"words=40 {n}"}]}
            more = {"x-weir-deadline": "2s"}
            try:
                async with at_once, asyncio.timeout(patience):
                    answer = await client.post(path, json=body, headers=more)
                    kinds["whole" if answer.status_code == 200 and not broken(answer.text) else "no"] += 1
            except TimeoutError:
                kinds["left"] += 1

        tasks = []
        for n in range(REQUESTS):
            path = chance.choice(["/v1/chat/completions", "/v1/messages"])
            provider, stream = chance.choice(["openai", "anthropic"]), chance.random() < 0.6
            patience = chance.uniform(0.005, 0.3) if chance.random() < 0.3 else 30
            tasks.append(one(n, chance.choice(FAULTS), path, provider, stream, patience))
        await asyncio.gather(*tasks)
    return kinds


def broken(text):
    return '"error"' in text
