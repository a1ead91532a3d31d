"""What `transformers serve` needs to be different in a model folder, to answer as the local backend does.

It guesses from a model's architecture how replies are laid out; a model with an unusual chat template then
gives its whole prompt back before the reply (transformers 5.23).  And it has no plain template for models
without one.  Knows nothing of processes.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from selfstudy.models import plain
from selfstudy.models.local.rendering import render_chat

_CONFIG = "tokenizer_config.json"


def changed_files(folder: Path) -> dict[str, str]:
    """Files to put in the place of the folder's own: name -> content; empty where all is well."""
    from selfstudy.models.local import pretrained

    source = pretrained.source(str(folder), str(folder), True, remote_code="ignore")
    tokenizer = pretrained.read_tokenizer(source)
    if not getattr(tokenizer, "chat_template", None):
        # the server adds no first token by itself
        first = "{{ bos_token }}" if _adds_first(tokenizer) else ""
        return {"chat_template.jinja": first + plain.TEMPLATE}
    template = _reply_template(tokenizer, pretrained.read_config(source))
    file = folder / _CONFIG
    if template is None or not file.is_file():
        return {}
    config = json.loads(file.read_text(encoding="utf-8"))
    return {_CONFIG: json.dumps(config | {"response_template": template}, indent=2)}


def _reply_template(tokenizer: Any, config: Any) -> dict[str, Any] | None:
    """How this model's replies are laid out, if the server would guess wrong."""
    try:
        from transformers.cli.serving.utils import get_response_template

        guess = get_response_template(tokenizer, SimpleNamespace(config=config))
    except (ImportError, AttributeError):  # another version, which guesses otherwise or not at all
        return None
    if guess is None or getattr(tokenizer, "response_template", None) is not None:
        return None
    asked = [{"role": "user", "content": "?"}]
    without, prompt = (render_chat(tokenizer, asked, add) for add in (False, True))
    opening = prompt.removeprefix(without)
    known = guess.get("start_anchor") or ()
    anchors = [known] if isinstance(known, str) else list(known)
    if not opening or opening == prompt or any(anchor in prompt for anchor in anchors):
        return None
    content: dict[str, Any] = {"content": "text"}
    if tokenizer.eos_token:
        content["close"] = tokenizer.eos_token
    return {"defaults": {"role": "assistant"}, "start_anchor": opening, "fields": {"content": content}}


def _adds_first(tokenizer: Any) -> bool:
    first = tokenizer.bos_token_id
    return first is not None and tokenizer("a")["input_ids"][:1] == [first]
