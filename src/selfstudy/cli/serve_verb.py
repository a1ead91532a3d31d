"""The verb serve: a run's model over the OpenAI API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfstudy.cli.session import INTERRUPTS, AllowOption, app, session
from selfstudy.screen import say

if TYPE_CHECKING:
    from selfstudy.serve.server import ApiServer


@app.command(short_help="Serve a run's model over the OpenAI API.")
def serve(
    place: Annotated[
        str, typer.Argument(metavar="RUN_OR_MODEL", help="A run directory, a model folder or a Hub id.")
    ],
    host: Annotated[str, typer.Option("--host", help="Where to listen; others need a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")] = 8000,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            "--api-key-env", metavar="VARIABLE", help="Environment variable with the key to ask for."
        ),
    ] = None,
    prompt: Annotated[
        Literal["answer", "plain"] | None,
        typer.Option(
            "--prompt",
            help="answer: a question by itself is put as the run taught it; plain: as it is "
            "[default: answer for a run and for atlas].",
        ),
    ] = None,
    style: Annotated[
        Literal["auto", "chat", "completion"] | None,
        typer.Option("--style", help="Of a model: by its chat template, or as plain text with examples."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Serve what the run promotes as soon as it is promoted.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Keep questions and answers there, without keys."),
    ] = None,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Requests that may wait.")] = 256,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Answers written at a time.")] = 64,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, help="Longest answer, and where a request says nothing.")
    ] = 1024,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds for a request.")] = 120.0,
    grace: Annotated[
        float, typer.Option("--grace", min=1, help="Seconds for running requests when it is stopped.")
    ] = 30.0,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Name by which a proxy asks for this host."),
    ] = None,
    allow: AllowOption = None,
) -> None:
    """Answer other programs with a run's model: any client of the OpenAI API works unchanged.

    A request names as its model `base`, `taught` or `routed` (what the run promoted), or an adapter with the
    hash of its weights; GET /v1/models lists them. Requests that come together are answered together.
    SIGTERM or Ctrl-C ends it once what runs is answered; SIGHUP loads what the run has promoted since.

    \b
    Examples:
      selfstudy serve runs/demo
      selfstudy serve runs/demo --watch --log asked.jsonl
      selfstudy serve atlas --port 0
      KEY=... selfstudy serve runs/demo --host 0.0.0.0 --api-key-env KEY
    """
    with session(allow):
        import os
        from functools import partial

        from selfstudy.errors import MissingExtraError
        from selfstudy.models.server.servers import Servers

        key = None if api_key_env is None else _key(api_key_env, os.environ.get(api_key_env, ""))
        note = partial(say, err=True)
        try:
            from selfstudy.serve.server import ApiServer
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "uvicorn", "serve", "serve") from None
        from selfstudy.serve.limits import RequestLimits
        from selfstudy.serve.offer import ModelSource

        limits = RequestLimits(
            queue=queue, rows=batch, new_tokens=max_new_tokens, seconds=timeout, grace=grace
        )
        with Servers(say=note) as servers:
            server = ApiServer(
                ModelSource(place, prompt, style, servers, note),
                host=host,
                port=port,
                key=key,
                names=tuple(allow_host or ()),
                limits=limits,
                log=log,
                watch=watch,
                say=note,
            )
            for line in _started(server, api_key_env):
                note(line)
            server.run()
        INTERRUPTS.enough()


def _key(variable: str, value: str) -> str:
    """The key that requests must have.

    Raises:
        ModelError: it is none.
    """
    from selfstudy import secrets
    from selfstudy.errors import ModelError

    value = value.strip()
    if len(value) < 16 or not value.isascii() or not value.isprintable():
        raise ModelError(
            f"${variable} holds no key: 16 characters or more, of ASCII",
            f'make one:  export {variable}="$(openssl rand -hex 32)"',
        )
    secrets.keep(value)
    return value


def _started(server: ApiServer, variable: str | None) -> list[str]:
    """What a person should know: where, which models, how they are asked, and a first request."""
    offer = server.offer
    asked = (
        "a question by itself is put into the prompt that was taught (--prompt plain: as it is)"
        if offer.prompts is not None
        else "requests are passed on as they are (--prompt answer: a question is put into our prompt)"
    )
    header = f' -H "Authorization: Bearer ${variable}"' if variable else ""
    return [
        *offer.notes,
        f"models: {', '.join(offer.choices)}; by default {offer.default}",
        asked,
        f"serving at {server.url}/v1" + ("" if variable else ", without a key"),
        f"  curl {server.url}/v1/chat/completions{header} -H 'Content-Type: application/json' \\",
        f'    -d \'{{"model": "{offer.default}", "temperature": 0, "messages": '
        '[{"role": "user", "content": "What is the capital of France?"}]}\'',
    ]
