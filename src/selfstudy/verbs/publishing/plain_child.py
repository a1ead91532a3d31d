"""Loads what was published as anybody would, with transformers and peft alone, and answers questions.

    python plain_child.py REQUEST.json REPLY.json

It is run as a program and imports nothing of selfstudy: what it can load, others can.  It knows the folder,
the base model and the questions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(request: str, reply: str) -> None:
    """Answers the questions of a request, and says how each was asked and what was imported."""
    asked = json.loads(Path(request).read_text(encoding="utf-8"))
    model, tokenizer = loaded(asked)
    answers = [answered(model, tokenizer, item, asked) for item in asked["items"]]
    ours = sorted(name for name in sys.modules if name.split(".")[0] == "selfstudy")
    Path(reply).write_text(json.dumps({"answers": answers, "ours": ours}), encoding="utf-8")


def loaded(asked: dict[str, Any]) -> tuple[Any, Any]:
    """The model, with all adapters that were published, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(asked["threads"])
    folder = asked["folder"]
    how = {"local_files_only": True, "trust_remote_code": asked["trusted"]}
    tokenizer = AutoTokenizer.from_pretrained(folder, **how)
    dtype = getattr(torch, asked["dtype"])
    whole = asked["base"] is None
    model = AutoModelForCausalLM.from_pretrained(folder if whole else asked["base"], dtype=dtype, **how)
    if not whole:
        from peft import PeftModel

        first, *others = asked["adapters"]
        model = PeftModel.from_pretrained(model, str(Path(folder, first)), adapter_name=first or "default")
        for name in others:
            model.load_adapter(str(Path(folder, name)), adapter_name=name)
    return model.to(asked["device"]).eval(), tokenizer


def answered(model: Any, tokenizer: Any, item: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """One greedy answer, and how its prompt was made."""
    import torch

    by, tokens = prompted(tokenizer, item)
    if tokens != item["tokens"]:
        return {"by": by, "answer": "", "same_prompt": False}
    if item["adapter"]:
        model.set_adapter(item["adapter"])
    prompt = torch.tensor([tokens], device=model.device)
    with torch.inference_mode():
        made = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            num_beams=1,
            max_new_tokens=asked["max_new_tokens"],
            repetition_penalty=asked["repetition_penalty"],
            eos_token_id=asked["ends"] or None,
            pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
            **({"stop_strings": item["stop"], "tokenizer": tokenizer} if item["stop"] else {}),
        )
    said = tokenizer.decode(made[0, len(tokens) :], skip_special_tokens=True)
    ends = [at for stop in item["stop"] if (at := said.find(stop)) >= 0]
    return {"by": by, "answer": said[: min(ends, default=len(said))].strip(), "same_prompt": True}


def prompted(tokenizer: Any, item: dict[str, Any]) -> tuple[str, list[int]]:
    """The prompt's tokens: by the chat template if that gives what was taught, else of the plain text."""
    if tokenizer.chat_template:
        try:
            made = tokenizer.apply_chat_template(
                item["messages"], add_generation_prompt=True, tokenize=False, enable_thinking=False
            )
        except Exception:  # a template may refuse a system message; then the text is given
            made = None
        if made == item["text"]:
            return "template", list(tokenizer(made, add_special_tokens=False)["input_ids"])
    for by, special in (("text", True), ("bare text", False)):
        tokens = list(tokenizer(item["text"], add_special_tokens=special)["input_ids"])
        if tokens == item["tokens"]:
            return by, tokens
    return "text", tokens


if __name__ == "__main__":
    main(*sys.argv[1:])
