"""Access to object storage: who may get the user's keys, how long is waited, and what an error means.

Keys come from the environment alone (AWS_ACCESS_KEY_ID and its kind), and LanceDB's client takes them from
there: none is in a recipe, a run directory or an argument.  They go to AWS, or to the endpoint that the
environment names; without TLS to this machine only.  Knows nothing of what is stored.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from selfstudy import secrets
from selfstudy.errors import RunError
from selfstudy.text import shortened

BRIEF = {
    **{"connect_timeout": "4s", "timeout": "4s", "client_max_retries": "0", "client_retry_timeout": "4"},
    **{"download_retry_count": "1", "lance_aimd_max_retries": "0"},
}
"""For the first request, which LanceDB gives six times: who does not answer is told within 30 seconds."""
PATIENT = {
    **{"connect_timeout": "5s", "timeout": "60s", "client_max_retries": "4", "client_retry_timeout": "60"},
    **{"download_retry_count": "2", "lance_aimd_max_retries": "2"},
}
"""For work, in which megabytes go over a slow line."""
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_ALSO_ENDPOINTS = frozenset({"endpoint", "endpoint_url", *map(str.lower, _ENDPOINTS)})
"""In small letters, all variables that LanceDB's client takes for one, however they are written."""
_PROXIES = frozenset({"http_proxy", "all_proxy"})
_OWN_PROXIES = frozenset({"proxy_url", "aws_proxy_url"})
"""In small letters, variables that send it to a proxy; what NO_PROXY says is nothing to the latter."""
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_ELSEWHERE = (
    *("AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
"""Variables that say where keys are got, if they are not in the environment themselves."""


def access(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Options of LanceDB's client: where it asks, and whether TLS may be missing; no key is among them.

    Raises:
        RunError: there are no credentials, or they would go where they must not.
    """
    if not all(environment.get(name) for name in _KEYS) and not any(map(environment.get, _ELSEWHERE)):
        raise RunError(
            "library.index: there are no credentials for object storage",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE); for a server that is not "
            "AWS's also AWS_ENDPOINT_URL",
        )
    for name in (*_KEYS, "AWS_SESSION_TOKEN"):
        secrets.keep(environment.get(name, ""))
    variable = next((name for name in _ENDPOINTS if environment.get(name)), None)
    if variable is None:
        if stranger := _one_of(_ALSO_ENDPOINTS, environment):
            raise RunError(
                f"library.index: requests would go to the address in ${stranger}, perhaps of something else",
                f"unset {stranger}; a server that is not AWS's is named in AWS_ENDPOINT_URL",
            )
        return {"allow_http": "false"}
    endpoint = environment[variable].strip().rstrip("/")
    plain = _check_endpoint(variable, endpoint, environment)
    options = {"aws_endpoint": endpoint, "allow_http": "true" if plain else "false"}
    if not any(map(environment.get, _REGIONS)):
        options["aws_region"] = "us-east-1"  # servers that are not AWS's seldom have another
    return options


def _one_of(names: frozenset[str], environment: Mapping[str, str]) -> str:
    """A variable of one of these names that is set; empty: there is none."""
    return next((name for name, value in environment.items() if value and name.lower() in names), "")


def _check_endpoint(variable: str, endpoint: str, environment: Mapping[str, str]) -> bool:
    """Whether an endpoint is reached without TLS.

    Raises:
        RunError: it is none, or keys would go over the network in plain text.
    """
    try:
        where = urlsplit(endpoint)
        host = where.hostname if where.port != 0 else None
    except ValueError:  # no port, no IPv6 address
        host = None
    strange = any(char <= " " or char in "\\@?#\x7f" for char in endpoint)
    if not host or strange or where.scheme not in ("http", "https"):
        raise RunError(
            f"${variable} is no address of a server",
            "give it as https://HOST or https://HOST:PORT, without a user, a password or a query",
        )
    if where.scheme == "https":
        return False
    if not _is_this_machine(host):
        raise RunError(
            f"${variable}: requests to {host} would go over the network without TLS",
            "use https://, or a tunnel to this machine (http://127.0.0.1:PORT)",
        )
    if proxy := _one_of(_OWN_PROXIES, environment):
        raise RunError(
            f"${variable}: requests to {host} would go to the proxy of ${proxy} without TLS", f"unset {proxy}"
        )
    # as the client reads it: the name in capitals comes first, and no pattern is meant for an address
    excluded = environment.get("NO_PROXY", environment.get("no_proxy", ""))
    proxy = _one_of(_PROXIES, environment)
    if proxy and host not in {entry.strip() for entry in excluded.split(",")}:
        raise RunError(
            f"${variable}: requests to {host} would go to the proxy of ${proxy} without TLS",
            f"add {host} to $NO_PROXY",
        )
    return True


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Says what is wrong when LanceDB's client fails, and what to do; no key and no address is repeated.

    Raises:
        RunError: instead of its errors.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        said = str(error)
        for pattern, what, hint in _MEANINGS:
            if pattern.search(said):
                raise RunError(f"library.index {url}: {what}", hint) from None
        raise RunError(
            f"library.index {url} cannot be used: {_briefly(said)}",
            "nothing else is lost: give the same command again once it can",
        ) from None


_MEANINGS = [
    (re.compile(pattern), what, hint)
    for pattern, what, hint in (
        (
            "NoSuchBucket",
            "there is no such bucket",
            "make the bucket, or correct the name (and AWS_ENDPOINT_URL and AWS_REGION, which say where)",
        ),
        (
            "InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|TokenRefreshRequired",
            "the server does not accept these credentials",
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (which expires)",
        ),
        (
            r"AccessDenied|lacked the necessary privileges|403 Forbidden|status: 403",
            "these credentials may not do that there",
            "allow them s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject "
            "below the prefix",
        ),
        (
            r"CredentialsNotLoaded|Failed to get AWS credentials|CredentialsError",
            "the credentials cannot be loaded",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or check what AWS_PROFILE names",
        ),
        (
            r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|301 Moved",
            "the bucket lies in another region",
            "set AWS_REGION to that of the bucket",
        ),
        (
            r"kind: (?:Connect|Timeout)|tcp connect error|dns error|timed out|client error",
            "the server does not answer",
            "check AWS_ENDPOINT_URL, AWS_REGION and the network; nothing else is lost: then give the same "
            "command again",
        ),
        (
            "NoSuchKey|[Nn]ot found: ",
            "a part of the index is gone: somebody has deleted it",
            "give the same command again; the index is built again",
        ),
    )
]
"""What the client says, what that means, what to do; the first that fits."""
_WHERE = re.compile(r"https?://\S+|, /\S+\.rs:\d+:\d+|Location \{[^}]*\}")


def _briefly(said: str) -> str:
    """One line of an error, without keys, addresses and places in its source."""
    return shortened(secrets.without_secrets(_WHERE.sub("", " ".join(said.split()))), 300)
