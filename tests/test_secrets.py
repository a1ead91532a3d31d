"""What looks like a secret, and what does not; how fast that is found."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest

from selfstudy import secrets
from tests import growth

SECRETS = [
    "sk-planted-0123456789abcdef",
    "sk-proj-Ab12Cd34Ef56Gh78",
    "sk_live_0123456789abcdef",
    "hf_abcdefghijABCDEFGHIJ12345678901234",
    "ghp_abcdefghijABCDEFGHIJ1234567890123456",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA-0123456789abcdefghijklmnopqrstu",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
    "Authorization: Bearer abc12345678",
    "basic dXNlcjpwYXNzd29yZDE=",
    "https://me:hunter2@host/v1",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
]
PLAIN = [
    "Qwen/Qwen3-0.6B",
    "hf-internal-testing/tiny-random-Llama2",
    "accounts/fireworks/models/llama-v3p1-8b-instruct",
    "ft:gpt-4o-mini-2024-07-18:org::9abcDEFg",
    "https://api.cloudflare.com/client/v4/accounts/0123456789abcdef0123456789abcdef/ai/v1",
    "models--Qwen--Qwen3/snapshots/0123456789abcdef0123456789abcdef01234567",
    "Basic arithmetic",
    "the bearer of bad news",
    "disk-1234567890123/task-2024-results-for-all",
    "docs/sk-wikipedia-2023",
    "http://me.example/@user",
]


def test_what_looks_like_a_secret() -> None:
    assert [text for text in SECRETS if not secrets.looks_secret(text)] == []
    assert [text for text in PLAIN if secrets.looks_secret(text) or secrets.looks_random(text)] == []
    assert secrets.looks_random("https://host/Zq7RtLw9XvB2nMk4PsYd8c/v1")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *(
            (name, True)
            for name in ("api_key", "X-API-Key", "Authorization", "hf-token", "token", "password")
        ),
        *(
            (name, False)
            for name in ("max_tokens", "eos_token", "stop_token_ids", "keys", "api_key_env", "monkey")
        ),
    ],
)
def test_which_fields_hold_one(name: str, secret: bool) -> None:
    assert secrets.names_secret(name) is secret


def test_what_the_environment_calls_a_key() -> None:
    named = {
        "MY_API_KEY": "plain-words",
        "GITHUB_TOKEN": "other-words",
        "DB_PASSWORD": "short",
        "SSH_KEY": "/home/me/.ssh/id",
        "SELFSTUDY_ALLOW_KEYS": "MY_KEY=example.org",
        "TOKENIZERS_PARALLELISM": "false-or-true",
        "VLLM_API_KEY": "not-needed",
        "SHOP_PASSWORD": " five words, and a 5\n",
        "RESERVED_KEY": "words that any text may hold",
    }
    assert secrets.in_environment(named) == ["five words, and a 5", "plain-words", "other-words"]


def test_what_is_hidden_and_what_is_not() -> None:
    for none in ("", "abc", "none", "EMPTY", "not-needed"):
        assert secrets.secret(none) is None
    word = secrets.secret("owls")
    assert word is not None
    assert word.hide("Bearer owls, bowls and Owls!") == "Bearer [key], bowls and [key]!"
    assert "owls" not in repr(word)
    assert secrets.without_secrets("a sk-proj-8sT4nowhereElse0912 b") == "a (not shown) b"


def test_a_key_that_is_broken_over_lines() -> None:
    found = secrets.secret("sk-planted-0123456789abcdef")
    assert found is not None
    key = "sk-planted-0123456789abcdef"
    broken = f"{key[:9]}\r\n    {key[9:]}"
    wrapped = base64.encodebytes(b"organisation:" * 4 + key.encode()).decode()
    assert wrapped.count("\n") == 2
    for text in (
        broken,
        json.dumps(broken),
        json.dumps(json.dumps(broken)),
        "\n".join(key),
        "\n".join(key.upper()),
    ):
        assert found.hide(text).strip('\\"') == "[key]"
    assert found.hide(wrapped).startswith(wrapped[:60])
    assert found.hide(wrapped).partition("[key]")[2] == "g==\n"
    assert found.hide("\n".join(key.encode().hex())) == "[key]"
    assert found.hide(f"an sk-\nplanted {key[9:]}") == f"an sk-\nplanted {key[9:]}"
    word = secrets.secret("owls")
    assert word is not None
    assert word.hide("the bow\nls") == "the bow\nls"


@pytest.mark.parametrize(
    "part",
    ["word ", "s", "\\", "sk-", "&#0", "%25", "a", "Bearer ", "://x", "eyJ.", "-----BEGIN ", "s \n", "\\n"],
)
def test_twice_the_text_takes_at_most_thrice_as_long(part: str) -> None:
    found = secrets.secret("sk-planted-0123456789abcdef")
    assert found is not None

    def seconds(size: int) -> float:
        text = part * (size // len(part)) + " sk-planted-0123456789abcdef"
        return growth.seconds(
            lambda: (found.hide(text), secrets.looks_secret(text[:-30]), secrets.without_secrets(text))
        )

    assert not growth.faster_than_linear(seconds, 2**16, nothing=0.05)


@pytest.mark.parametrize("key", ["ab%41c+d9x/77qq", "pass\\word&#065;0912", "planted key 0123"])
def test_a_key_of_odd_characters_in_every_spelling(key: str) -> None:
    found = secrets.secret(key)
    assert found is not None
    spellings = [
        key,
        quote(key, safe=""),
        quote(quote(key, safe=""), safe=""),
        json.dumps(key)[1:-1],
        json.dumps(json.dumps(key))[3:-3],
        "".join(f"\\u{ord(char):04x}" for char in key),
        "".join(f"&#x{ord(char):x};" for char in key),
        quote(base64.b64encode(key.encode()).decode(), safe=""),
    ]
    for text in spellings:
        hidden = found.hide(f"<{text}>\nnext")
        assert hidden.startswith("<")
        assert "[key]" in hidden
        assert hidden.endswith(">\nnext")
        assert len(hidden) <= len("<[key]>\nnext") + 8
    blank = secrets.secret("\\" * 8)
    assert blank is not None
    assert blank.hide("a b") == "a b"
    assert found.hide(f"<{key[:5]}\r\n  {key[5:]}>\nnext") == "<[key]>\nnext"


def test_a_long_key_takes_no_long_time() -> None:
    key = "eyJ" + "Ab1-Cd2_" * 500
    began = time.process_time()
    found = secrets.Secret(key)
    for text in (
        key,
        "\n".join(key),
        "".join(map("&#{};".format, key.encode())),
        key.encode().hex("\n"),
    ):
        assert found.hide(text) == "[key]"
    assert time.process_time() - began < 2
