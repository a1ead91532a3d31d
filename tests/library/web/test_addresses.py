from __future__ import annotations

import ipaddress
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfstudy.errors import RecipeError
from selfstudy.library.web.addresses import AllowedHosts, addresses_of, system_addresses, why_closed
from selfstudy.library.web.fetched import RefusedError
from selfstudy.library.web.web_url import WebURL

CLOSED = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::"),
    *("2001:0:7f00:1::", "2001:db8::1", "2001:10::1", "3fff::1", "fec0::1", "100::1", "5f00::1", "", "x"),
]
OPEN = [
    "8.8.8.8",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", CLOSED)
def test_closed(address: str) -> None:
    assert why_closed(address)


@pytest.mark.parametrize("address", OPEN)
def test_open(address: str) -> None:
    assert why_closed(address) is None


@given(st.integers(0, 2**32 - 1))
def test_no_address_of_ipv4_is_open_that_python_calls_private(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    inside = why_closed(str(address)) is not None
    assert inside or (address.is_global and not address.is_multicast)
    for form in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert (why_closed(form) is not None) == inside


def at(*found: str) -> list[str]:
    return addresses_of(WebURL.of("http://a.test/"), lambda host, port: found, 5, trusted=False)


def test_each_address_of_a_name_counts() -> None:
    assert at("8.8.8.8", "8.8.8.8", "1.1.1.1") == ["8.8.8.8", "1.1.1.1"]
    with pytest.raises(RefusedError, match=r"127\.0\.0\.1") as error:
        at("8.8.8.8", "127.0.0.1")
    assert error.value.why == "address"
    with pytest.raises(RefusedError) as error:
        at()
    assert error.value.why == "connection"


def test_a_trusted_host_lies_anywhere_and_a_literal_is_not_resolved() -> None:
    def never(host: str, port: int) -> list[str]:
        raise AssertionError

    assert addresses_of(WebURL.of("http://10.0.0.1:22/"), never, 5, trusted=True) == ["10.0.0.1"]
    with pytest.raises(RefusedError, match="port 22"):
        addresses_of(WebURL.of("http://8.8.8.8:22/"), never, 5, trusted=False)


def test_a_resolver_that_fails_or_hangs() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(RefusedError, match="no such name") as error:
        addresses_of(WebURL.of("http://a.test/"), fails, 5, trusted=False)
    assert error.value.why == "connection"
    awake = threading.Event()
    start = time.monotonic()
    with pytest.raises(RefusedError) as error:
        addresses_of(WebURL.of("http://a.test/"), lambda *_: [str(awake.wait(20))], 0.1, trusted=False)
    awake.set()
    assert error.value.why == "time"
    assert time.monotonic() - start < 5


def test_hosts_that_a_user_allows() -> None:
    allowed = AllowedHosts(["Wiki.Test", "10.0.0.7:8080", "[::1]", "bücher.test"])
    for url in (
        "http://wiki.test:99/",
        "http://10.0.0.7:8080/",
        "http://[::1]:5/",
        "http://xn--bcher-kva.test/",
    ):
        assert allowed.has(WebURL.of(url))
    for url in ("http://10.0.0.7/", "http://a.wiki.test/", "http://wiki.test.evil.test/"):
        assert not allowed.has(WebURL.of(url))
    for entry in ("", "http://a.test", "a.test/x", "a b", "127.1", "*"):
        with pytest.raises(RecipeError):
            AllowedHosts([entry])


def test_the_system_knows_itself() -> None:
    assert {"127.0.0.1", "::1"} & set(system_addresses("localhost", 80))
