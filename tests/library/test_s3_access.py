"""Where keys may go, what is told of an error, and that no key is told with it."""

from __future__ import annotations

import pytest

from selfstudy.errors import RunError
from selfstudy.library.s3_access import access, asking

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE123456789", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI7MDENGbPxRfiCY"}


def test_no_key_is_an_option_and_tls_is_asked_for() -> None:
    assert access(KEYS) == {"allow_http": "false"}
    at = access({**KEYS, "AWS_ENDPOINT_URL": "https://minio.example:9000/"})
    assert at == {
        "aws_endpoint": "https://minio.example:9000",
        "allow_http": "false",
        "aws_region": "us-east-1",
    }
    assert "aws_region" not in access(
        {**KEYS, "AWS_ENDPOINT_URL": "https://a.example", "AWS_REGION": "eu-west-1"}
    )
    assert access({"AWS_PROFILE": "mine"})["allow_http"] == "false"


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost:1", "[::1]:9", "127.3.2.1"])
def test_without_tls_to_this_machine_alone(host: str) -> None:
    assert access({**KEYS, "AWS_ENDPOINT_URL": f"http://{host}"})["allow_http"] == "true"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://minio.example",
        "http://10.0.0.1:9000",
        "http://127.0.0.1.example",
        "http://localhost.example:1",
    ],
)
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"])
def test_no_request_goes_over_a_network_in_plain_text(variable: str, endpoint: str) -> None:
    with pytest.raises(RunError, match="without TLS"):
        access({**KEYS, variable: endpoint, "AWS_ALLOW_HTTP": "true"})


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "excluded", [{}, {"no_proxy": "*"}, {"no_proxy": "0.0.1"}, {"no_proxy": "127.0.0.1", "NO_PROXY": "corp"}]
)
def test_nor_to_a_proxy(proxy: str, excluded: dict[str, str]) -> None:
    """All of these the client of LanceDB 0.40 sends there."""
    at = {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9000", proxy: "http://proxy.example:3128"}
    with pytest.raises(RunError, match=f"proxy of .{proxy} .*\n.*NO_PROXY"):
        access({**at, **excluded})
    assert access({**at, "no_proxy": "corp, 127.0.0.1"})["allow_http"] == "true"


@pytest.mark.parametrize("proxy", ["PROXY_URL", "AWS_PROXY_URL", "aws_proxy_url"])
def test_nor_to_the_client_s_own_proxy(proxy: str) -> None:
    at = {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9000", proxy: "http://proxy.example:3128"}
    with pytest.raises(RunError, match="without TLS"):
        access({**at, "NO_PROXY": "127.0.0.1"})
    assert access({**at, "AWS_ENDPOINT_URL": "https://a.example"})["allow_http"] == "false"


@pytest.mark.parametrize(
    "name", ["ENDPOINT", "ENDPOINT_URL", "endpoint", "Aws_Endpoint", "aws_endpoint_url_s3"]
)
def test_a_variable_that_means_something_else_gets_no_key(name: str) -> None:
    """LanceDB's client would take it for its server."""
    with pytest.raises(RunError, match=f"unset {name}"):
        access({**KEYS, name: "https://other.example"})
    at = access({**KEYS, name: "https://other.example", "AWS_ENDPOINT_URL": "https://mine.example"})
    assert at["aws_endpoint"] == "https://mine.example"


@pytest.mark.parametrize(
    "endpoint",
    [
        *("minio", "ftp://a.example", "https://:1", "https://a:b@c.example", "http://127.0.0.1:0"),
        *(
            "https://a.example?x=1",
            "https://a.example\\@b",
            "https://a b",
            "https://[::1",
            "http://127.0.0.1#@b.example",
        ),
    ],
)
def test_what_is_no_endpoint_is_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(RunError, match="no address of a server") as caught:
        access({**KEYS, "AWS_ENDPOINT_URL": endpoint})
    assert endpoint not in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"AWS_ACCESS_KEY_ID": "a"}, {**KEYS, "AWS_SECRET_ACCESS_KEY": ""}])
def test_no_credentials(given: dict[str, str]) -> None:
    with pytest.raises(RunError, match="no credentials") as caught:
        access(given)
    assert "AWS_SECRET_ACCESS_KEY" in str(caught.value)


def test_no_error_repeats_a_key_or_an_address() -> None:
    access({**KEYS, "AWS_SESSION_TOKEN": "a-token-of-a-session-1234567890"})
    said = (
        "broken at https://bucket.example/x?X-Amz-Signature=1, with "
        f"{' '.join(KEYS.values())} a-token-of-a-session-1234567890, /root/.cargo/io.rs:627:9"
    )
    with pytest.raises(RunError) as caught, asking("s3://bucket/prefix"):
        raise RuntimeError(said)
    message = str(caught.value)
    assert "s3://bucket/prefix cannot be used: broken at" in message
    assert not any(
        part in message for part in (*KEYS.values(), "a-token-of", "Signature", ".cargo", "https://")
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('Status { status: 404, body: Some("<Code>NoSuchBucket</Code>") }', "no such bucket"),
        (
            'Status { status: 403, body: Some("<Code>InvalidAccessKeyId</Code>") }',
            "not accept these credentials",
        ),
        ('Status { status: 403, body: Some("<Code>AccessDenied</Code>") }', "may not do that there"),
        ("status code: 403 Forbidden: <Error>", "may not do that there"),
        ('kind: Connect, source: ConnectError("tcp connect error")', "does not answer"),
        ("source: hyper::Error(kind: Timeout)", "does not answer"),
        ('source: "Failed to get AWS credentials: ProviderError(..)"', "credentials cannot be loaded"),
        ("<Code>PermanentRedirect</Code>", "another region"),
    ],
)
def test_what_the_client_says_is_told_with_the_next_step(said: str, told: str) -> None:
    """As LanceDB 0.40 says it of a local server; S3's own codes."""
    with pytest.raises(RunError, match=told) as caught, asking("s3://bucket/prefix"):
        raise ValueError(f"Invalid input, Failed to connect to namespace: IO {{ {said} }}")
    assert caught.value.hint
    assert said not in str(caught.value)
