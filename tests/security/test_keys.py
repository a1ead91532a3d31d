"""Keys go where the user lets them go, and are found nowhere after, whatever a recipe or a server tries."""

from __future__ import annotations

import base64
import html
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from selfstudy import Run, Study, load_lm, load_recipe
from selfstudy.errors import ModelError, RecipeError
from selfstudy.models.base import GREEDY, chat
from selfstudy.models.remote import permissions, retries
from selfstudy.models.remote.lm import RemoteLM
from selfstudy.recipe import RemoteModel
from selfstudy.recipe.file import parse_recipe
from selfstudy.records import Answer, Failure

from ..models.remote.faulty_server import FaultyServer, Reaction, Request, choice, reply, usual
from ..stories.small import cli, refusal

KEY = "sk-planted-0123456789abcdef"
SHORT = "k3y-9"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user with a key for somebody else, who has allowed nothing."""
    monkeypatch.setattr(retries, "BACKOFF", 0.001)
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    for name in (permissions.KEYS, permissions.HTTP, "OPENAI_API_KEY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as server:
        yield server


def host(server: FaultyServer) -> str:
    return server.url.removeprefix("http://").removesuffix("/v1")


def keys(server: FaultyServer) -> set[str | None]:
    return {request.headers.get("authorization") for request in server.requests}


def recipe(folder: Path, server: FaultyServer, **block: Any) -> Path:
    (folder / "topics.txt").write_text("Fiji\nComets\nOwls\nTides\n")
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "a.md").write_text("# Fiji\n\nSuva is the capital of Fiji.\n")
    content = {
        "model": {"type": "remote", "model": "m", "base_url": server.url, "deadline": 20, **block},
        "library": "docs",
        "smoke": "skip",
        "probe": {
            "ask": [{"method": "external", "source": "topics.txt", "count": 4}],
            "samples": 3,
            "scorer": "agreement",
        },
    }
    (folder / "my.yaml").write_text(yaml.safe_dump(content))
    return folder / "my.yaml"


# where a key goes


def received_run(path: Path, *done: str) -> Path:
    """A run that somebody has sent, with these stages done."""
    with Run.create_or_resume(path.parent / "received", load_recipe(path)) as run:
        for stage in done:
            run.round(1).finish(stage)
        return run.path


def with_judge(path: Path) -> Path:
    """The same with a model that can be taught; the server judges."""
    content = yaml.safe_load(path.read_text())
    content |= {"judge": content["model"], "model": {"path": "atlas"}}
    path.write_text(yaml.safe_dump(content))
    return path


VERBS: dict[str, Callable[[Path], list[str | Path]]] = {
    "probe": lambda path: ["probe", path],
    "learn": lambda path: ["learn", with_judge(path)],
    "dry run": lambda path: ["learn", path, "--dry-run"],
    "estimate": lambda path: ["estimate", path, "--seconds", "0.1"],
    "chat": lambda path: ["chat", received_run(path)],
    "gather": lambda path: ["gather", received_run(path, "probe")],
    "verify": lambda path: ["verify", received_run(with_judge(path), "probe", "gather", "teach")],
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("source", ["variable", "file"])
def test_a_recipe_alone_sends_no_key(verb: str, source: str, tmp_path: Path, server: FaultyServer) -> None:
    """Nor is the file opened: it need not even be there."""
    secret = tmp_path / "id_rsa"
    named = (
        {"api_key_env": "AWS_SECRET_ACCESS_KEY"} if source == "variable" else {"api_key_file": str(secret)}
    )
    message = refusal(cli(*VERBS[verb](recipe(tmp_path, server, **named))))
    name = "AWS_SECRET_ACCESS_KEY" if source == "variable" else str(secret)
    assert name in message
    assert f"--allow-key {name}={host(server)}" in message
    assert not server.requests
    assert KEY not in message


def test_nor_does_doctor_or_score_or_python(tmp_path: Path, server: FaultyServer) -> None:
    path = recipe(tmp_path, server, api_key_env="AWS_SECRET_ACCESS_KEY")
    code, shown, _ = cli("doctor", path)
    assert code == 1
    assert f"--allow-key AWS_SECRET_ACCESS_KEY={host(server)}" in shown
    (tmp_path / "a.jsonl").write_text('{"question": "q", "passage": "p", "samples": ["s"]}\n')
    block = f"{{type: remote, model: m, base_url: '{server.url}', api_key_env: AWS_SECRET_ACCESS_KEY}}"
    said = refusal(cli("score", "a.jsonl", "--scorer", "selfcheck-llm", "--set", f"model={block}"))
    assert "was not sent" in said
    with pytest.raises(ModelError, match="was not sent"):
        load_lm(load_recipe(path).model)
    with (
        Run.create_or_resume(tmp_path / "run", load_recipe(path)) as run,
        Study(run) as study,
        pytest.raises(ModelError, match="was not sent"),
    ):
        study.probe()
    assert not server.requests


def test_a_judge_is_refused_before_the_model_is_asked(tmp_path: Path, server: FaultyServer) -> None:
    path = recipe(tmp_path, server)
    content = yaml.safe_load(path.read_text())
    content["judge"] = {**content["model"], "api_key_env": "AWS_SECRET_ACCESS_KEY"}
    path.write_text(yaml.safe_dump(content))
    assert "was not sent" in refusal(cli("probe", path))
    assert not server.requests


def test_the_default_key_goes_to_openai_alone(
    tmp_path: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Secret: {KEY}")
    code, _, said = cli("probe", recipe(tmp_path, server))
    assert code == 0, said
    assert server.requests
    assert keys(server) == {None}
    assert KEY not in str([request.headers for request in server.requests])
    for url in (
        "http://api.openai.com/v1",
        "https://api.openai.com:444/v1",
        "https://api.openai.com.evil.example/v1",
    ):
        assert permissions.KeySource.of(RemoteModel(model="m", base_url=url)) is None
    for url in ("https://api.openai.com/v1", "https://API.OpenAI.com:443/v1/"):
        assert str(permissions.KeySource.of(RemoteModel(model="m", base_url=url))) == "$OPENAI_API_KEY"
    explicit = RemoteModel(model="m", base_url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY")
    assert RemoteLM(explicit).key_use == "the key in $OPENAI_API_KEY goes to api.openai.com"


@pytest.mark.parametrize("how", ["option", "environment", "data folder", "python"])
def test_what_the_user_allows_is_said_and_done(
    how: str, tmp_path: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    path = recipe(tmp_path, server, api_key_env="MY_KEY")
    pair = f"MY_KEY={host(server)}"
    if how == "python":
        with permissions.allowed([pair], None):
            assert load_lm(load_recipe(path).model).generate([chat("q")], GREEDY)[0][0].error is None
    else:
        options: list[str] = []
        if how == "option":
            options = ["--allow-key", pair]
        elif how == "environment":
            monkeypatch.setenv(permissions.KEYS, f"OTHER=example.org, {pair}")
        else:
            (tmp_path / "home").mkdir()
            (tmp_path / "home" / permissions.FILE).write_text(f"{pair}\n")
        code, _, said = cli("probe", path, *options)
        assert code == 0, said
        assert f"the key in $MY_KEY goes to {host(server)}" in said
    assert keys(server) == {f"Bearer {KEY}"}
    if how == "option":  # it holds for its command
        assert "was not sent" in refusal(cli("probe", path, "--run", "b", "--allow-key", "X=y"))


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        ("MY_KEY=127.0.0.1", True),
        ("$MY_KEY=127.0.0.1:PORT", True),
        ("MY_KEY=127.0.0.1:1", False),
        ("MY_KEY=localhost", False),
        ("MY_KEY=127.0.0.1.example.org", False),
        ("MY_KEY=*", False),
        ("KEY=127.0.0.1", False),
        ("127.0.0.1", False),
        ("", False),
    ],
)
def test_what_an_entry_allows(
    entry: str, fits: bool, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv(
        permissions.KEYS, entry.replace("PORT", server.url.rpartition(":")[2].removesuffix("/v1"))
    )
    block = RemoteModel(model="m", base_url=server.url, api_key_env="MY_KEY")
    if fits:
        RemoteLM(block)
    else:
        with pytest.raises(ModelError, match="was not sent"):
            RemoteLM(block)


def test_a_file_that_others_can_write_allows_nothing(
    tmp_path: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    file = tmp_path / "home" / permissions.FILE
    file.parent.mkdir()
    file.write_text(f"MY_KEY={host(server)}\n")
    file.chmod(0o666)
    with pytest.raises(ModelError, match="was not sent"):
        RemoteLM(RemoteModel(model="m", base_url=server.url, api_key_env="MY_KEY"))


def test_an_allowed_key_file_is_the_file_itself(tmp_path: Path, server: FaultyServer) -> None:
    """A link in a stranger's folder is the file that it leads to."""
    (tmp_path / "mine").write_text(KEY)
    (tmp_path / "mine").chmod(0o600)
    (tmp_path / "received").mkdir()
    (tmp_path / "received" / "key").symlink_to(tmp_path / "mine")
    block = RemoteModel(model="m", base_url=server.url, api_key_file=tmp_path / "received" / "key")
    with pytest.raises(ModelError, match=str(tmp_path / "mine")):
        RemoteLM(block)
    with permissions.allowed([f"{tmp_path}/mine={host(server)}"], None):
        RemoteLM(block).generate([chat("q")], GREEDY)
    assert keys(server) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("option", ["MY_KEY=", "=host", "a b=c d", "http://host/v1", "MY_KEY=host/v1"])
def test_what_allows_nothing_is_refused(option: str, tmp_path: Path, server: FaultyServer) -> None:
    message = refusal(cli("probe", recipe(tmp_path, server), "--allow-key", option))
    assert "--allow-key MY_KEY=api.example.com" in message


def test_plain_http_stays_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listening proxy would see what is sent: nothing."""
    with FaultyServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        path = recipe(tmp_path, proxy, base_url="http://gpu-box.invalid:8000/v1")
        assert "--allow-http gpu-box.invalid:8000" in refusal(cli("probe", path))
        monkeypatch.setenv("MY_KEY", KEY)
        keyed = recipe(tmp_path, proxy, base_url="http://gpu-box.invalid/v1", api_key_env="MY_KEY")
        assert "plain http" in refusal(
            cli("probe", keyed, "--run", "a", "--allow-key", "MY_KEY=gpu-box.invalid")
        )
        assert "was not sent" in refusal(cli("probe", keyed, "--run", "b", "--allow-http", "gpu-box.invalid"))
        assert not proxy.requests
        both = ("--allow-http", "gpu-box.invalid", "--allow-key", "MY_KEY=gpu-box.invalid")
        assert cli("probe", keyed, "--run", "allowed", *both)[0] == 0
        assert keys(proxy) == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.0.0.2/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://localhost.example/v1", False),
        ("http://127.0.0.1.example/v1", False),
        ("http://0x7f000001/v1", False),
        ("http://192.168.0.1/v1", False),
        ("http://[::ffff:10.0.0.1]/v1", False),
    ],
)
def test_what_is_this_machine(url: str, here: bool) -> None:
    assert permissions.Destination.of(url).is_here is here


ASKING = """
import sys
from selfstudy.cli.session import session
from selfstudy.models.remote.permissions import check
from selfstudy.recipe import RemoteModel
from selfstudy.recipe.file import parse_recipe
with session():
    check(RemoteModel(model="m", base_url=sys.argv[1], api_key_env="MY_KEY"))
    print("allowed")
"""


def at_terminal(code: str, *arguments: str, answer: str) -> str:
    """What a process at a terminal of its own shows, whose question is answered."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-c", code, *arguments])
    shown, answered, until = b"", False, time.monotonic() + 60
    while time.monotonic() < until and select.select([terminal], [], [], 60)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # it has ended
            break
        if b"[y/N]" in shown and not answered:
            os.write(terminal, answer.encode())
            answered = True
    os.waitpid(process, 0)
    os.close(terminal)
    return shown.decode()


def test_a_person_is_asked_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    url = "https://api.example.com/v1"
    no = at_terminal(ASKING, url, answer="\n")
    assert "The recipe sends the key in $MY_KEY to api.example.com." in no
    assert "was not sent" in no
    assert "allowed\r\n" in at_terminal(ASKING, url, answer="y\n")
    file = tmp_path / "home" / permissions.FILE
    assert file.read_text() == "MY_KEY=api.example.com\n"
    assert file.stat().st_mode & 0o777 == 0o600
    piped = subprocess.run(
        [sys.executable, "-c", ASKING, url], input="y\n", capture_output=True, text=True, timeout=60
    )
    assert piped.stdout == "allowed\n"  # not asked again
    other = subprocess.run(
        [sys.executable, "-c", ASKING, "https://evil.example/v1"],
        input="y\ny\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "was not sent" in other.stderr  # nobody is there to be asked, whatever stdin holds


# what a server repeats


def spellings(key: str) -> list[str]:
    """A key as a server may repeat it."""
    raw = key.encode()
    return [
        key,
        key.upper(),
        quote(key, safe=""),
        "".join(f"%{byte:02X}" for byte in raw),
        quote("".join(f"%{byte:02x}" for byte in raw), safe=""),
        base64.b64encode(raw).decode(),
        base64.b64encode(f"user:{key}".encode()).decode(),
        base64.urlsafe_b64encode(f"ab:{key}".encode()).decode(),
        base64.b64encode(f"Bearer {key}".encode()).decode(),
        raw.hex(),
        raw.hex().upper(),
        "".join(f"\\u{ord(char):04x}" for char in key),
        json.dumps("".join(f"\\u{ord(char):04x}" for char in key)),
        html.escape(key).replace("-", "&#45;"),
        "".join(f"&#x{ord(char):x};" for char in key),
        key.swapcase(),
        f"{key[: len(key) // 2]}\n{key[len(key) // 2 :]}",
        "\r\n  ".join(key),
        json.dumps("\n".join(key)),
        base64.encodebytes(f"{key} of you, and {key} again, {key}, {key}".encode()).decode(),
    ]


def is_in(text: str, key: str) -> bool:
    text = text.lower()
    return any(one.lower().strip('"') in text for one in spellings(key) if len(one) >= len(key))


@pytest.mark.parametrize("key", [KEY, SHORT, "hunter2", "A/b+c==9"])
@pytest.mark.parametrize("where", ["answer", "refusal", "error", "text", "success", "name", "escaped"])
def test_no_spelling_of_the_key_comes_back(key: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", key)
    said = spellings(key)

    def react(request: Request) -> Reaction:
        echo = f"you sent {said[int(request.question)]} to me"
        escaped = "".join(f"\\u{ord(char):04x}" for char in echo)
        raw = f'{{"choices": [{{"message": {{"content": "{escaped}"}}}}]}}'
        return {
            "answer": Reaction(body=reply(choice(echo))),
            "refusal": Reaction(body=reply(choice(None, refusal=echo))),
            "error": Reaction(400, {"error": {"message": echo, "param": echo}}),
            "text": Reaction(400, echo.encode()),
            "success": Reaction(body={"error": {"message": echo}}),
            "name": Reaction(400, {echo: {echo: echo}}),
            "escaped": Reaction(body=raw.encode()),
        }[where]

    with FaultyServer(react) as server, permissions.allowed([f"MY_KEY={host(server)}"], None):
        lm = load_lm(RemoteModel(model="m", base_url=server.url, api_key_env="MY_KEY"), cache=False)
        rows = []
        for number in range(len(said)):
            try:
                rows += lm.generate([chat(str(number))], GREEDY)[0]
            except ModelError as error:
                assert not is_in(str(error), key)  # noqa: PT017
        assert keys(server) == {f"Bearer {key}"}
    for one in rows:
        assert not is_in(f"{one.text} {one.error}", key), one
        assert "[key]" in f"{one.text} {one.error}"


def test_words_that_are_no_keys_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for word, text in (("none", "none of them"), ("EMPTY", "an empty box"), ("owls", "bowls and knowls")):
        monkeypatch.setenv("MY_KEY", word)
        with (
            FaultyServer(lambda r, text=text: Reaction(body=reply(choice(text)))) as server,  # type: ignore[misc]
            permissions.allowed([f"MY_KEY={host(server)}"], None),
        ):
            lm = RemoteLM(RemoteModel(model="m", base_url=server.url, api_key_env="MY_KEY"))
            assert lm.generate([chat("q")], GREEDY)[0][0].text == text


# what a recipe holds

PASTED: dict[str, Any] = {
    "api_key_env": {"api_key_env": KEY},
    "a variable in capitals": {"api_key_env": "A1B2C3D4E5F6G7H8"},
    "api_key": {"api_key": "hunter2"},
    "extra": {"extra": {"headers": {"X": KEY}}},
    "a name in extra": {"extra": {KEY: 1}},
    "authorization": {"extra": {"extra_headers": {"Authorization": "hunter2"}}},
    "random in extra": {"extra": {"user": "Zq7RtLw9XvB2nMk4PsYd8c"}},
    "model": {"model": KEY},
    "revision": {"revision": KEY},
    "price": {"prices": {"prompt": "hunter2", "completion": 1}},
    "currency": {"prices": {"prompt": 1, "completion": 1, "currency": KEY}},
    "path": {"base_url": f"https://host/{KEY}/v1"},
    "an escaped path": {"base_url": f"https://host/{quote(KEY.replace('-', '%2D'), safe='%')}/v1"},
    "query": {"base_url": "https://host/v1?key=hunter2"},
    "user": {"base_url": "https://me:hunter2@host/v1"},
    "fragment": {"base_url": "https://host/v1#hunter2"},
    "key file": {"api_key_file": KEY},
    "args": {"type": "server", "engine": "vllm", "args": {"api-key": "hunter2"}},
    "list in args": {
        "type": "server",
        "engine": "vllm",
        "args": {"x": ["Authorization: Bearer hunter22hunter"]},
    },
    "a key of the recipe": {KEY: 1},
    "what the environment calls a key": {"model": "plain-words-as-a-key"},
}


@pytest.mark.parametrize("place", PASTED)
def test_a_key_in_a_recipe_is_refused_and_not_repeated(
    place: str, tmp_path: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "plain-words-as-a-key")
    block = PASTED[place]
    base = {"type": "server", "model": "m"} if "args" in block else {"type": "remote", "model": "m"}
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump({"library": "atlas", "model": base | block}))
    said = ["".join(map(str, cli(*verb, path))) for verb in (["probe"], ["doctor"], ["estimate"])]
    flat = json.dumps(base | block)
    said += ["".join(map(str, cli("probe", tmp_path / "good.yaml", "--set", f"model={flat}")))]
    (tmp_path / "good.yaml").write_text("library: atlas\n")
    said += ["".join(map(str, cli("probe", tmp_path / "good.yaml", "--set", f"model={flat}")))]
    secrets = (KEY, "hunter2", "A1B2C3D4", "Zq7RtLw9", "plain-words", "planted")
    for shown in said:
        assert not any(secret in shown for secret in secrets), shown
        assert "Traceback" not in shown
    assert "2" in said[0][:1], said[0]
    written = [file for file in tmp_path.rglob("*") if file.is_file() and file.parent != tmp_path]
    assert not [file for file in written if any(one.encode() in file.read_bytes() for one in secrets)]


@pytest.mark.parametrize(
    "text", [f"model: {{extra: {{k: '{KEY}}}", f"a: &x [*x, {KEY}", f"!{KEY} x", f"{KEY}"]
)
def test_a_recipe_that_is_no_yaml_is_not_quoted(text: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(text)
    assert "planted" not in refusal(cli("probe", tmp_path / "my.yaml"))


@pytest.mark.parametrize(
    "secret",
    [
        *(KEY, "a8FkZ02LmQ9xYt7RwE4uVb1N", "9f86d081884c7d659a2feaa0c55ad015"),
        *("plain-words-as-a-key", "long-words " * 30 + "5", 'quo"ted\\key-5'),
    ],
)
def test_what_may_be_a_secret_is_no_key_of_a_message(
    secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", secret)
    for data in (
        *({secret: 1}, {"probe": {secret: 1}}, {"probe": {"samples": secret}}, {"model": {"type": secret}}),
        *(
            {"probe": {"ask": [{"method": secret}]}},
            {"nli": secret},
            {"probe": {"samples": {"password": "xy"}}},
        ),
        {"model": {"type": "server", "engine": "vllm", "model": "m", "args": {secret: 1}}},
        {"model": {"type": "remote", "model": "m", "prices": {secret: 1}}},
    ):
        with pytest.raises(RecipeError) as caught:
            parse_recipe(data, "the recipe")
        assert secret[:9] not in str(caught.value)
        assert '"xy"' not in str(caught.value)
    overrides = (
        "{}=1",
        "probe.{}=1",
        "probe.samples={}",
        "probe.ask.{}=1",
        "seed.{}.x=1",
        "{}",
        "x=*{}",
    )
    for override in (*overrides, "probe.api_key.={}"):
        with pytest.raises(RecipeError) as caught:
            load_recipe(None, [override.format(secret)])
        assert secret[:9] not in str(caught.value), override


def test_python_is_not_told_it_either(tmp_path: Path) -> None:
    for block in PASTED.values():
        if "args" not in block and KEY not in block:
            with pytest.raises(ValueError) as caught:
                RemoteModel(
                    **{"model": "plain", **block} if block.get("model") != "plain-words-as-a-key" else {}
                )
            assert not any(word in str(caught.value) for word in ("planted", "hunter2"))


# after all verbs


def echoing(request: Request) -> Reaction:
    """Repeats the key wherever it can, in all spellings; every third answer is a good one."""
    sent = request.headers.get("authorization", "")
    number = request.number
    if request.path.endswith("/models"):
        return Reaction(body={"data": [{"id": sent}, {"id": "m"}]}, headers={"x-echo": sent})
    said = spellings(sent.removeprefix("Bearer "))
    spelled = said[number % len(said)]
    count = request.body.get("n", 1)
    kinds = [
        Reaction(body=reply(*(choice(f"{sent} and {spelled} say {number}", i) for i in range(count)))),
        Reaction(body=usual(request), headers={"x-echo": sent, "set-cookie": f"k={sent}"}),
        Reaction(429, {"error": {"message": f"{sent} {spelled}"}}, {"retry-after": "0.01"}),
        Reaction(400, {"error": {"message": f"bad request of {spelled}"}}),
        Reaction(body=usual(request)),
        Reaction(body=reply(choice(None, refusal=f"{sent} {spelled}"))),
        Reaction(body=usual(request)),
    ]
    return kinds[number % len(kinds)]


VERBOSE = """
import logging, sys
from selfstudy.cli import app
logging.basicConfig(level=1)
for line in sys.argv[1:]:
    app(line.split(), standalone_mode=False)
"""
CRASH = """
from selfstudy import load_lm, load_recipe
from selfstudy.models.base import GREEDY, chat
lm = load_lm(load_recipe("my.yaml").model, cache=False)
print(lm, vars(lm), vars(lm._http_client))
lm.generate([chat(str(i)) for i in range(30)], GREEDY, lambda n: 1 / 0)
"""


def run(*verbs: str, code: str = VERBOSE, until: Callable[[], bool] | None = None) -> bytes:
    """All that a process says, at the highest verbosity of every library; `until` then kills it."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *verbs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OPENAI_LOG": "debug", "HTTPX_LOG_LEVEL": "trace"},
    )
    if until is not None:
        end = time.monotonic() + 60
        while not until() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    return process.communicate(b"Fiji?\nOwls?\n" * 4, timeout=300)[0]


def found_in(folder: Path, said: list[bytes], key: str) -> list[str]:
    """Files of a folder and outputs in which there is any spelling of a key."""
    files = [file for sub in folder.iterdir() for file in sub.rglob("*") if file.is_file()]
    assert {"report.html", "responses.sqlite"} <= {file.name for file in files}
    texts = [*((str(file), file.read_bytes()) for file in files), *(("a terminal", text) for text in said)]
    return [name for name, content in texts if is_in(content.decode("utf-8", "replace"), key)]


@pytest.mark.story
def test_a_planted_key_is_found_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, and in whatever a server says about it; after every verb, a crash and a kill -9."""
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "qa.jsonl").write_text('{"question": "What is the capital of Fiji?", "answer": "Suva"}\n')
    said: list[bytes] = []
    with FaultyServer(echoing) as server:
        monkeypatch.setenv(permissions.KEYS, f"MY_KEY={host(server)}")
        path = recipe(tmp_path, server, api_key_env="MY_KEY")
        verbs = ("probe my.yaml --run one", "report one", "chat one", "estimate my.yaml --seconds 0.2")
        imports = ("import qa.jsonl --run three", "report three")
        said.append(run(*verbs, *imports, "learn my.yaml --run two", code=VERBOSE))
        assert b"cannot be taught" in said[-1]  # the last that was done
        said.append("".join(map(str, cli("doctor", path))).encode())
        asked = len(server.requests)
        said.append(
            run("probe my.yaml --run killed --no-cache", until=lambda: len(server.requests) > asked + 5)
        )
        said.append(run(code=CRASH))
        assert b"ZeroDivisionError" in said[-1]
        assert keys(server) == {f"Bearer {KEY}"}
    with Run.open(tmp_path / "one", write=False) as opened:
        kept = f"{opened.round(1).read(Answer)} {opened.round(1).read(Failure)}"
        assert "[key]" in kept  # it came back, and was hidden
    assert found_in(tmp_path, said, KEY) == []


def test_nor_is_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SHORT)
    with FaultyServer(echoing) as server:
        monkeypatch.setenv(permissions.KEYS, f"MY_KEY={host(server)}")
        path = recipe(tmp_path, server, api_key_env="MY_KEY")
        verbs: list[list[str | Path]] = [["probe", path, "--run", "one"], ["report", "one"], ["doctor", path]]
        said = ["".join(map(str, cli(*verb))).encode() for verb in verbs]
        assert keys(server) == {f"Bearer {SHORT}"}
    with FaultyServer(lambda r: Reaction(401, {"error": {"message": r.headers["authorization"]}})) as server:
        monkeypatch.setenv(permissions.KEYS, f"MY_KEY={host(server)}")
        wrong = cli("probe", recipe(tmp_path, server, api_key_env="MY_KEY"), "--run", "two")
        assert "check the key in $MY_KEY" in wrong[2]
    assert found_in(tmp_path, [*said, "".join(map(str, wrong)).encode()], SHORT) == []
