"""Connections: HTTP/2, TLS, thousands that idle, some that stop in the middle."""

import datetime
import ipaddress
import os
import resource
import signal
import socket
import ssl
import time

import anthropic
import httpx
import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from harness import MAIN_KEY, Weir, config, eventually

CHAT = {"model": "smart", "messages": [{"role": "user", "content": "echo hi"}]}
AUTH = {"authorization": f"Bearer {MAIN_KEY}"}
IDLE = 5_000


def chat(client, **more):
    answer = client.post("/v1/chat/completions", json={**CHAT, **more}, headers=AUTH)
    assert answer.status_code == 200, answer.text
    return answer


def test_http_2_by_prior_knowledge(world):
    with httpx.Client(base_url=world.weir.url, http1=False, http2=True, trust_env=False) as client:
        answer = chat(client)
        assert answer.http_version == "HTTP/2" and "hi" in answer.text
        with client.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}, headers=AUTH) as stream:
            assert stream.http_version == "HTTP/2" and "data: [DONE]" in stream.read().decode()


def test_a_refusal_is_read_over_http_2_though_the_body_is_large(world):
    """The body outgrows the flow-control window, so a client only gets to the answer if what it sends is read on."""
    wrong = {"authorization": "Bearer weir_wrong_0123456789abcdef01234", "content-type": "application/json"}
    with httpx.Client(base_url=world.weir.url, http1=False, http2=True, trust_env=False) as client:
        answer = client.post("/v1/chat/completions", content=b"x" * 3_000_000, headers=wrong)
        assert answer.status_code == 401
        chat(client)


def certificate(folder, name):
    """A certificate of our own for the loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return made.public_bytes(serialization.Encoding.DER)


@pytest.fixture
def secure(tmp_path, world):
    certificate(tmp_path, "first")
    file = tmp_path / "weir.toml"
    tls = 'tls = { certificate = "cert.pem", key = "key.pem" }'
    file.write_text(config(world.openai.url, world.anthropic.url, server=tls))
    with Weir(tmp_path, file, scheme="https") as weir:
        yield weir, tmp_path


def trusting(folder):
    return ssl.create_default_context(cafile=str(folder / "cert.pem"))


def test_tls_negotiates_http_2_or_1_and_the_sdks_speak_it(secure, monkeypatch):
    weir, home = secure
    for http2, version in [(True, "HTTP/2"), (False, "HTTP/1.1")]:
        with httpx.Client(base_url=weir.url, http2=http2, verify=trusting(home), trust_env=False) as client:
            assert chat(client).http_version == version
    monkeypatch.setenv("SSL_CERT_FILE", str(home / "cert.pem"))
    with openai.OpenAI(base_url=f"{weir.url}/v1", api_key=MAIN_KEY, max_retries=0) as client:
        assert client.chat.completions.create(**CHAT).choices[0].message.content == "hi"
    with anthropic.Anthropic(base_url=weir.url, api_key=MAIN_KEY, max_retries=0) as client:
        assert client.messages.create(max_tokens=9, **CHAT).content[0].text == "hi"
    with pytest.raises(httpx.HTTPError):
        httpx.get(weir.url.replace("https", "http") + "/health/live", trust_env=False)


def test_a_new_certificate_is_taken_up_on_reload(secure):
    weir, home = secure
    second = certificate(home, "second")
    weir.send(signal.SIGHUP)
    weir.wait_for("the configuration was reloaded")
    assert ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", weir.port))) == second
    with httpx.Client(base_url=weir.url, verify=trusting(home), trust_env=False) as client:
        chat(client)


def connect(weir, sent=b""):
    peer = socket.create_connection(("127.0.0.1", weir.port))
    if sent:
        peer.sendall(sent)
    return peer


def test_five_thousand_idle_connections_cost_little_and_hinder_nobody(tmp_path, world):
    wanted = IDLE + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        assert hard >= wanted, f"the system allows {hard} open files: `ulimit -n {wanted}` is what this needs"
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    file = tmp_path / "weir.toml"
    file.write_text(config(world.openai.url, world.anthropic.url))
    with Weir(tmp_path, file) as weir, httpx.Client(base_url=weir.url, trust_env=False) as client:
        chat(client)
        before = weir.resident_kb()
        descriptors = lambda: len(os.listdir(f"/proc/{weir.child.pid}/fd"))
        few = descriptors()
        peers = [connect(weir) for _ in range(IDLE)]
        try:
            eventually(lambda: descriptors() >= few + IDLE, "all are accepted")
            began = time.monotonic()
            chat(client)
            with httpx.Client(base_url=weir.url, trust_env=False) as fresh:
                chat(fresh)
            assert time.monotonic() - began < 5
            assert (weir.resident_kb() - before) / IDLE < 20, "kB a connection"
        finally:
            for peer in peers:
                peer.close()
        eventually(lambda: descriptors() < few + 100, "their places are free again")
        chat(client)


HALF = [
    b"",
    b"P",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\ncontent-length: 500\r\n\r\n{" % MAIN_KEY.encode(),
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nauthorization: Bearer %s\r\n\r\n5\r\n{" % MAIN_KEY.encode(),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x00" * 4096,
    b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 1_000_000,
]


def test_peers_that_stop_in_the_middle_hinder_nobody(world):
    peers = []
    for sent in HALF * 20:
        try:
            peers.append(connect(world.weir, sent))
        except OSError:
            pass  # It hung up while the last ones were sent, which is an answer.
    with httpx.Client(base_url=world.weir.url, trust_env=False) as client:
        chat(client)
        # Half of them leave with a FIN that leaves their own side open, the others reset.
        for n, peer in enumerate(peers):
            try:
                peer.shutdown(socket.SHUT_WR) if n % 2 else peer.close()
            except OSError:
                pass
        chat(client)
        for peer in peers:
            peer.close()
        chat(client)
        eventually(lambda: client.get("/health/ready").json()["in_flight"] == 0, "nothing is left running")


def test_a_client_that_hangs_up_without_a_word_cancels_its_call(world):
    """Over HTTP/1.1 the end of what a client sends is all that tells that it left, so it counts as that."""
    body = b'{"model":"openai/gone!silence","messages":[{"role":"user","content":"hi"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n" % MAIN_KEY.encode()
    before = world.openai.stats()
    with connect(world.weir, head + b"content-length: %d\r\n\r\n" % len(body) + body) as peer:
        eventually(lambda: world.openai.stats()["in_flight"] == 1, "the call is at the provider")
        peer.shutdown(socket.SHUT_WR)
        eventually(lambda: world.openai.stats()["cancelled"] == before["cancelled"] + 1, "the call is cancelled")
    assert world.openai.stats()["requests"] == before["requests"] + 1, "and not made again"


def test_a_provider_over_tls_is_trusted_by_its_ca_file_alone(tmp_path, world):
    """Weir as the provider of a second Weir: the only TLS server at hand that speaks the dialect."""
    certificate(tmp_path, "provider")
    far = tmp_path / "far.toml"
    far.write_text(config(world.openai.url, world.anthropic.url, server='tls = { certificate = "cert.pem", key = "key.pem" }'))
    with Weir(tmp_path, far, scheme="https") as provider:
        for trusts, status in [('ca-file = "cert.pem"', 200), ("", 502)]:
            near = tmp_path / "near.toml"
            text = config(provider.url, provider.url, server=trusts).replace("weir.db", "near.db")
            near.write_text(text.replace('{ env = "UPSTREAM_OPENAI" }', '{ env = "MAIN_KEY" }').replace('"openai/fast"', '"openai/smart"'))
            with Weir(tmp_path, near) as weir, httpx.Client(base_url=weir.url, trust_env=False) as client:
                model = {**CHAT, "model": "openai/smart"}
                answer = client.post("/v1/chat/completions", json=model, headers=AUTH)
                assert answer.status_code == status, answer.text
