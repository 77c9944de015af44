"""Programs that know nothing of Weir: only the environment's base URLs point to it, and Weir itself has no config file."""

import subprocess
import sys
import textwrap

import httpx
import pytest
from harness import ANTHROPIC_CREDENTIAL, OPENAI_CREDENTIAL, Mock, Weir, config, environment, weir_command

OPENAI_PROGRAM = """
    from openai import OpenAI
    client = OpenAI()
    print(client.chat.completions.create(model="gpt-5.2", messages=[{"role": "user", "content": "echo unmodified"}]).choices[0].message.content)
    stream = client.chat.completions.create(model="gpt-5.2", messages=[{"role": "user", "content": "echo streamed"}], stream=True)
    print("".join(chunk.choices[0].delta.content or "" for chunk in stream))
"""
ANTHROPIC_PROGRAM = """
    from anthropic import Anthropic
    client = Anthropic()
    messages = [{"role": "user", "content": "echo unmodified"}]
    print(client.messages.create(model="claude-sonnet-5.5", max_tokens=50, messages=messages).content[0].text)
    with client.messages.stream(model="claude-sonnet-5.5", max_tokens=50, messages=[{"role": "user", "content": "echo streamed"}]) as stream:
        print(stream.get_final_text())
"""


@pytest.fixture(scope="module")
def keyless(tmp_path_factory):
    """Weir from the environment alone, on its default address unless that is taken, and its two mocks."""
    home = tmp_path_factory.mktemp("keyless")
    with Mock(home, "--api-key", OPENAI_CREDENTIAL) as o, Mock(home, "--api-key", ANTHROPIC_CREDENTIAL) as a:
        file = home / "weir.toml"
        file.write_text(config(o.url, a.url, keys=False))
        with Weir(home, file) as weir:
            yield weir, o, a


def run(program, home, **env):
    child = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(child, env=environment(home, **env), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_unmodified_programs_work_by_their_base_url_alone(tmp_path):
    with Mock(tmp_path, "--api-key", OPENAI_CREDENTIAL) as o, Mock(tmp_path, "--api-key", ANTHROPIC_CREDENTIAL) as a:
        env = {
            "OPENAI_API_KEY": OPENAI_CREDENTIAL,
            "OPENAI_BASE_URL": f"{o.url}/v1",
            "ANTHROPIC_API_KEY": ANTHROPIC_CREDENTIAL,
            "ANTHROPIC_BASE_URL": a.url,
            "WEIR_ADMIN_KEY": None,
        }
        # Without a file it listens where it always does: only there can this be tried, so the address must be free.
        with Weir(tmp_path, env=env) as weir:
            assert weir.port == 4141
            got = run(OPENAI_PROGRAM, tmp_path, OPENAI_API_KEY="anything", OPENAI_BASE_URL=f"{weir.url}/v1")
            assert got == ["unmodified", "streamed"]
            got = run(ANTHROPIC_PROGRAM, tmp_path, ANTHROPIC_API_KEY="anything", ANTHROPIC_BASE_URL=weir.url)
            assert got == ["unmodified", "streamed"]
            assert o.stats()["requests"] == 2 and a.stats()["requests"] == 2
            assert (tmp_path / "state" / "weir" / "weir.db").exists(), "the ledger lies in the state folder"
            assert "claude-" in httpx.get(f"{weir.url}/v1/models", trust_env=False).text


def test_with_no_key_at_all_the_built_in_mock_answers(tmp_path):
    with Weir(tmp_path, env={"WEIR_ADMIN_KEY": None}) as weir:
        body = {"model": "mock/fast", "messages": [{"role": "user", "content": "echo hello there"}]}
        answer = httpx.post(f"{weir.url}/v1/chat/completions", json=body, trust_env=False)
        assert answer.json()["choices"][0]["message"]["content"] == "hello there"
        with httpx.stream("POST", f"{weir.url}/v1/chat/completions", json={**body, "stream": True}, trust_env=False) as stream:
            lines = list(stream.iter_lines())
        assert lines[-2:] == ["data: [DONE]", ""] or lines[-1] == "data: [DONE]"


def test_check_without_a_file_reads_the_environment(tmp_path):
    done = weir_command(tmp_path, "check", OPENAI_API_KEY="sk-x", WEIR_ADMIN_KEY=None)
    assert done.returncode == 0 and "1 provider" in done.stdout


CHAT = {"model": "smart", "messages": [{"role": "user", "content": "echo hi"}]}


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 200),
        ({"host": "localhost:1234"}, 200),
        ({"host": "weir.example"}, 401),
        ({"host": "localhost.evil.example"}, 401),
        ({"origin": "https://evil.example"}, 401),
        ({"origin": "null"}, 401),
        ({"x-forwarded-for": "10.0.0.1"}, 401),
        ({"forwarded": "for=10.0.0.1"}, 401),
        ({"via": "1.1 proxy"}, 401),
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "application/json; charset=utf-8"}, 200),
    ],
    ids=str,
)
def test_without_keys_only_programs_on_this_machine_are_served(keyless, headers, status):
    weir, o, _ = keyless
    before = o.stats()["requests"]
    answer = httpx.post(f"{weir.url}/v1/chat/completions", json=CHAT, headers=headers, trust_env=False)
    assert answer.status_code == status, answer.text
    assert o.stats()["requests"] == before + (status == 200)
    if "content-type" not in headers:
        assert httpx.get(f"{weir.url}/admin/v1/requests", headers=headers, trust_env=False).status_code == status
        assert httpx.get(f"{weir.url}/metrics", headers=headers, trust_env=False).status_code == status
        assert httpx.get(f"{weir.url}/v1/models", headers=headers, trust_env=False).status_code == status
    assert httpx.get(f"{weir.url}/health/live", headers=headers, trust_env=False).status_code == 200


def test_a_page_of_the_same_origin_is_served(keyless):
    weir, *_ = keyless
    answer = httpx.post(f"{weir.url}/v1/chat/completions", json=CHAT, headers={"origin": weir.url}, trust_env=False)
    assert answer.status_code == 200


def test_an_address_that_others_reach_needs_keys(tmp_path):
    file = tmp_path / "weir.toml"
    file.write_text(config("http://127.0.0.1:9", "http://127.0.0.1:9", listen="0.0.0.0:0", keys=False))
    done = weir_command(tmp_path, "serve", "--config", str(file))
    assert done.returncode == 2 and "keys" in done.stderr and "admin-key" in done.stderr
