"""The process as its operator knows it: check, trace, drain, reload, kill, restart."""

import json
import os
import signal
import threading

import httpx
import openai
import pytest
from harness import MAIN_KEY, Mock, Weir, config, eventually, weir_command

HI = [{"role": "user", "content": "echo hi"}]


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    home = tmp_path_factory.mktemp("mocks")
    with Mock(home) as o, Mock(home) as a:
        yield o, a


@pytest.fixture
def file(tmp_path, mocks):
    file = tmp_path / "weir.toml"
    file.write_text(config(mocks[0].url, mocks[1].url))
    return file


def client_of(weir, **more):
    return openai.OpenAI(base_url=f"{weir.url}/v1", api_key=MAIN_KEY, max_retries=0, **more)


def chat(weir, **more):
    with client_of(weir) as client:
        return client.chat.completions.with_raw_response.create(**{"model": "smart", "messages": HI, **more})


def ready(weir):
    return httpx.get(f"{weir.url}/health/ready", trust_env=False)


class Slow:
    """A stream that takes a while, read to its end in a thread of its own."""

    def __init__(self, weir, words=60):
        self.words, self.text, self.finish, self.error = words, "", None, None
        self.begun = threading.Event()
        self.thread = threading.Thread(target=self._read, args=(weir,))
        self.thread.start()
        assert self.begun.wait(20), self.error

    def _read(self, weir):
        try:
            messages = [{"role": "user", "content": f"words={self.words}"}]
            with client_of(weir) as client:
                for chunk in client.chat.completions.create(model="openai/fast", messages=messages, stream=True):
                    self.text += chunk.choices[0].delta.content or ""
                    self.finish = chunk.choices[0].finish_reason or self.finish
                    if self.text:
                        self.begun.set()
        except Exception as error:
            self.error = error
        self.begun.set()

    def end(self):
        self.thread.join(30)
        return self


@pytest.fixture
def slowly(mocks):
    """The OpenAI mock takes its time: 60 words are a second and a half."""
    mocks[0].post("profile", tokens_per_second=40)
    yield
    mocks[0].post("profile", tokens_per_second=0)


def test_check_says_yes_and_prints_what_there_is(tmp_path, file):
    done = weir_command(tmp_path, "check", "--config", str(file))
    assert done.returncode == 0 and "ok: 2 providers, 2 routes, 2 keys" in done.stdout
    assert "error:" not in done.stderr, "warnings are called warnings"


def test_check_prints_every_fault_at_once_with_its_place_and_a_hint(tmp_path, file):
    text = file.read_text().replace('["openai/fast", "anthropic/fast"]', '["opnai/fast"]')
    file.write_text(text.replace('base = "5ms"', 'base = "soon"\natempts = 2'))
    done = weir_command(tmp_path, "check", "--config", str(file))
    assert done.returncode == 1 and "3 faults" in done.stdout
    for words in ("opnai", "`soon`", "atempts", "attempts", f"{file.name}:"):
        assert words in done.stderr, done.stderr
    machine = json.loads(weir_command(tmp_path, "check", "--json", "--config", str(file)).stdout)
    assert len(machine["faults"]) == 3 and all(f["line"] for f in machine["faults"])
    assert weir_command(tmp_path, "serve", "--config", str(file)).returncode == 2


def test_check_warns_of_a_critical_route_without_a_second_provider(tmp_path, file):
    file.write_text(file.read_text() + '\n[routes.alone]\ndeployments = ["openai/fast"]\ncritical = true\n')
    done = weir_command(tmp_path, "check", "--config", str(file))
    assert done.returncode == 0 and "alone" in done.stderr


def test_check_live_calls_each_deployment_and_says_no_if_one_fails(tmp_path, file):
    done = weir_command(tmp_path, "check", "--live", "--config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    for deployment in ("openai/fast", "anthropic/fast"):
        [line] = [line for line in done.stdout.splitlines() if deployment in line]
        assert line.startswith("ok") and "streams" in line and "usage" in line
    file.write_text(file.read_text().replace("[providers.openai.models.embed]", '[providers.openai.models."fast!401"]'))
    done = weir_command(tmp_path, "check", "--live", "--config", str(file))
    assert done.returncode == 1 and "X  openai/fast!401" in done.stdout and "401" in done.stdout


def test_a_missing_config_is_wrong_usage(tmp_path):
    done = weir_command(tmp_path, "serve", "--config", "nowhere.toml")
    assert done.returncode == 2 and "nowhere.toml" in done.stderr
    assert weir_command(tmp_path, "serve", "--what").returncode == 2


def test_trace_tells_the_newest_request_as_a_timeline(tmp_path, file, mocks):
    with Weir(tmp_path, file) as weir:
        mocks[0].post("order", fault="500", next=1)
        answer = chat(weir)
        weir.record(answer.headers["x-weir-request"])
        last = weir_command(tmp_path, "trace", "last", "--config", str(file))
        named = weir_command(tmp_path, "trace", answer.headers["x-weir-request"], "--config", str(file))
    assert last.returncode == 0 and last.stdout == named.stdout
    for words in ("200 answered by", "smart", "main", "team-a", "2 attempts", "500", "usage", answer.headers["x-weir-request"]):
        assert words in last.stdout, last.stdout
    assert weir_command(tmp_path, "trace", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", "--config", str(file)).returncode == 1
    # It may be a provider's id, so it is no wrong usage.
    assert weir_command(tmp_path, "trace", "nonsense", "--config", str(file)).returncode == 1
    assert weir_command(tmp_path, "trace", "--at", "nonsense", "--config", str(file)).returncode == 2
    record = json.loads(weir_command(tmp_path, "trace", "last", "--json", "--config", str(file)).stdout)
    assert [a["status"] for a in record["attempts"]] == [500, 200]


def test_an_idle_process_ends_at_once_on_a_signal(tmp_path, file):
    for number, code in [(signal.SIGTERM, 0), (signal.SIGINT, 130)]:
        weir = Weir(tmp_path, file)
        chat(weir)
        weir.send(number)
        assert weir.child.wait(3) == code


def test_a_drain_lets_a_running_stream_end_whole_and_takes_no_more(tmp_path, file, slowly):
    weir = Weir(tmp_path, file)
    slow = Slow(weir)
    weir.send(signal.SIGTERM)
    eventually(lambda: ready(weir).status_code == 503, "readiness turns 503")
    assert httpx.get(f"{weir.url}/health/live", trust_env=False).status_code == 200
    with pytest.raises(openai.InternalServerError) as refused:
        chat(weir)
    assert refused.value.status_code == 503 and refused.value.response.headers["retry-after"]
    slow.end()
    assert slow.error is None and slow.finish == "stop" and len(slow.text.split()) == slow.words
    assert weir.wait() == 0


def test_a_second_signal_ends_the_process_at_once(tmp_path, file, mocks, slowly):
    weir = Weir(tmp_path, file)
    slow = Slow(weir, words=2000)
    weir.send(signal.SIGTERM)
    eventually(lambda: ready(weir).status_code == 503, "readiness turns 503")
    weir.send(signal.SIGTERM)
    weir.child.wait(3)
    assert slow.end().error is not None
    eventually(lambda: mocks[0].stats()["in_flight"] == 0, "the call upstream is cancelled")


def test_a_reload_changes_routes_without_dropping_a_stream(tmp_path, file, slowly):
    with Weir(tmp_path, file) as weir:
        slow = Slow(weir)
        text = file.read_text()
        file.write_text(text + '\n[routes.fresh]\ndeployments = ["anthropic/fast"]\n')
        weir.send(signal.SIGHUP)
        weir.wait_for("the configuration was reloaded")
        assert chat(weir, model="fresh").headers["x-weir-deployment"] == "anthropic/fast"
        slow.end()
        assert slow.error is None and slow.finish == "stop" and len(slow.text.split()) == slow.words


def test_a_changed_file_is_seen_without_a_signal(tmp_path, file):
    with Weir(tmp_path, file) as weir:
        fresh = file.with_suffix(".new")
        fresh.write_text(file.read_text() + '\n[routes.fresh]\ndeployments = ["anthropic/fast"]\n')
        os.replace(fresh, file)
        weir.wait_for("the configuration was reloaded")
        assert chat(weir, model="fresh").status_code == 200


def test_a_reload_that_does_not_check_is_refused_whole_and_said(tmp_path, file):
    with Weir(tmp_path, file) as weir:
        good = file.read_text()
        file.write_text(good.replace("[routes.claude]", "[routes.other]").replace("anthropic/fast", "nobody/fast"))
        weir.send(signal.SIGHUP)
        weir.wait_for("the new configuration is refused")
        answer = ready(weir)
        assert answer.status_code == 200 and "nobody" in answer.json()["config_refused"]
        assert chat(weir, model="claude").status_code == 200, "the old one stays in force"
        file.write_text(good)
        weir.send(signal.SIGHUP)
        eventually(lambda: ready(weir).json()["config_refused"] is None, "the refusal is over")


def test_a_killed_process_leaves_its_request_as_lost(tmp_path, file, slowly):
    weir = Weir(tmp_path, file)
    slow = Slow(weir, words=2000)
    # An intent is committed within 50 ms of admission, which the admin can see.
    [running] = eventually(lambda: weir.admin("/admin/v1/requests").json()["requests"], "the intent is on record")
    weir.stop(signal.SIGKILL)
    slow.end()
    with Weir(tmp_path, file) as again:
        record = again.admin(f"/admin/v1/requests/{running['id']}").json()
        assert record["outcome"] == "lost"
        assert chat(again).status_code == 200
    assert "lost" in weir_command(tmp_path, "trace", running["id"], "--config", str(file)).stdout


def test_a_second_process_on_the_same_ledger_is_refused(tmp_path, file):
    with Weir(tmp_path, file) as weir:
        second = weir_command(tmp_path, "serve", "--config", str(file))
        assert second.returncode == 4 and "ledger" in second.stderr
        assert chat(weir).status_code == 200
    with Weir(tmp_path, file) as again:
        assert chat(again).status_code == 200


def test_an_address_in_use_is_said(tmp_path, file, mocks):
    with Weir(tmp_path, file) as weir:
        other = tmp_path / "other.toml"
        address = f"127.0.0.1:{weir.port}"
        other.write_text(config(mocks[0].url, mocks[1].url, listen=address).replace("weir.db", "other.db"))
        done = weir_command(tmp_path, "serve", "--config", str(other))
        assert done.returncode == 4 and address in done.stderr
