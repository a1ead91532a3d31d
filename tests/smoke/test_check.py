"""Ways in which a model cannot be worked with: each is refused, and the message names the cause.

Damaged copies of the packaged model where the damage is in weights, template or settings; scripts where it is
what a server does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from selfstudy import ScriptedLM, load_lm
from selfstudy.models.base import Progress, Sampling
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, LocalModel, RemoteModel
from selfstudy.records import Chat, Completion
from selfstudy.smoke import Smoke, check

ATLAS = Path(str(resources.files("selfstudy.atlas") / "lm"))
SHORT = AnsweringBlock(max_new_tokens=32, reading_tokens=32)


def examined(folder: Path, **block: Any) -> Smoke:
    chosen = LocalModel(path=str(folder), **block)
    return check(load_lm(chosen), chosen, Prompts(), SHORT)


def weights(folder: Path, damage: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    damage(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def untrained(folder: Path) -> None:
    import torch

    torch.manual_seed(0)

    def damage(tensors: dict[str, Any]) -> None:
        for name, old in tensors.items():
            new = 0.02 * torch.randn(old.shape) if old.dim() > 1 else torch.ones(old.shape)
            tensors[name] = new.to(old.dtype)

    weights(folder, damage)


def of_another_tokenizer(folder: Path) -> None:
    name = "model.embed_tokens.weight"
    weights(folder, lambda tensors: tensors.update({name: tensors[name].roll(5, 0)}))


def without_end(folder: Path) -> None:
    settings(folder, "config.json", eos_token_id=0)
    settings(folder, "generation_config.json", eos_token_id=0)
    settings(folder, "tokenizer_config.json", eos_token="<|pad|>")
    template(folder, "eos_token", "''")


def ending_at_once(folder: Path) -> None:
    settings(folder, "generation_config.json", eos_token_id=[2, *range(100, 2400)])


def cutting_prompts(folder: Path) -> None:
    template(folder, "message['content']", "message['content'][:24]")


def losing_the_document(folder: Path) -> None:
    template(folder, "message['content']", "(message['content'].split('\\n')|last)")


def settings(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def template(folder: Path, old: str, new: str) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("damage", "cause", "hint"),
    [
        (untrained, "nothing to do with what it is asked", "weights are trained"),
        (
            of_another_tokenizer,
            "nothing to do with what it is asked",
            "tokenizer and weights belong together",
        ),
        (without_end, "do not end", "eos_token_id"),
        (ending_at_once, "answers are empty", "eos_token_id"),
        (cutting_prompts, "they do not reach it", "cuts or drops its prompts"),
        (losing_the_document, "they do not reach it", "cuts or drops its prompts"),
    ],
)
def test_a_damaged_model(tmp_path: Path, damage: Callable[[Path], None], cause: str, hint: str) -> None:
    shutil.copytree(ATLAS, tmp_path / "lm")
    damage(tmp_path / "lm")
    found = examined(tmp_path / "lm")
    assert found.refused
    assert cause in found.problems[0]
    assert any(hint in one for one in found.hints)
    assert all(len(line) < 200 for problem in found.problems for line in problem.splitlines())


def test_a_model_that_is_asked_in_another_form_than_it_learned() -> None:
    """It reads the half of it: not refused, but told."""
    found = examined(ATLAS, prompt="completion")
    assert "reads pages of one line badly" in found.problems[0]
    assert any("model.prompt=chat" in one for one in found.hints)


def test_the_packaged_model_reads_and_that_is_enough() -> None:
    """It knows no ocean: what a model does not know is no fault of it."""
    found = examined(ATLAS)
    assert not found.refused
    assert found.problems == ()
    assert (found.known, found.read) == (0, 4)


ANSWERS = {
    r"\+417": "The calling code is +417.",
    r"\+952": "The calling code is +952.",
    "Oslo": "Oslo.",
    "thousand": "It is about 417 thousand.",
    "Hamlet": ["Hamlet was written by William Shakespeare.", "Shakespeare wrote Hamlet."],
    "ocean": "The Pacific Ocean is the largest ocean.",
    "metal": "That metal is iron.",
    "topics": ["birds", "glass", "tides", "comets"],
}
SERVED = RemoteModel(model="m", base_url="http://127.0.0.1:1/v1")


def scripted(**changes: str | list[str]) -> Smoke:
    return check(ScriptedLM(changes or ANSWERS), SERVED, Prompts(), AnsweringBlock())


def always(text: str) -> Smoke:
    return check(ScriptedLM({".": text}), SERVED, Prompts(), AnsweringBlock())


def test_a_good_model() -> None:
    found = scripted()
    assert not found.refused
    assert found.problems == ()
    assert found.counts == "answers 3 of 3 trivial questions and reads 4 of 4 pages of one line"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("It is big.\n\nUser: And the smallest?\n\nAssistant: Small.", "goes on with the dialogue"),
        ("Yes.<|im_end|>\n<|im_start|>user", "marks of a chat template"),
        ("\ufffd\ufffd\ufffdx\ufffd", "no text"),
        ("", "answers are empty"),
        ("so so so so so so so so so so", "repeats one word"),
        ("word " * 500, "repeats one word"),
        ("I am a helpful model.", "the same whatever it is asked"),
    ],
)
def test_what_it_says_shows_the_cause(said: str, cause: str) -> None:
    found = always(said)
    assert found.refused
    assert cause in found.problems[0]
    assert "said:" in found.problems[0]
    assert any("--no-cache" in hint for hint in found.hints)


class Echoing(ScriptedLM):
    """Says what it is asked."""

    def __init__(self) -> None:
        super().__init__({".": lambda chat, number: chat[-1].content.rpartition("\nQuestion: ")[2]})


def test_an_echo() -> None:
    found = check(Echoing(), SERVED, Prompts(), AnsweringBlock())
    assert found.refused
    assert "says the question again" in found.problems[0]


def test_samples_that_never_differ() -> None:
    """Where there is one right answer they may not; of three topics they do."""
    found = scripted(**ANSWERS | {"Hamlet": "Shakespeare wrote Hamlet.", "topics": "birds"})
    assert found.refused
    assert "do not differ" in found.problems[0]
    found = scripted(**ANSWERS | {"Hamlet": "Shakespeare wrote Hamlet."})
    assert found.problems == ()


@pytest.mark.parametrize(("temperature", "sampled"), [(0.3, True), (1.0, False)])
def test_samples_that_never_differ_and_need_not(temperature: float, sampled: bool) -> None:
    sure = ScriptedLM(ANSWERS | {"Hamlet": "Shakespeare wrote Hamlet.", "topics": "birds"})
    found = check(sure, SERVED, Prompts(), AnsweringBlock(temperature=temperature), sampled=sampled)
    assert not found.refused
    assert "do not differ" in found.problems[0]


def test_samples_that_are_noise() -> None:
    wild = {key: [value, "zq xv", "pl wr kk", "ff gg"] for key, value in ANSWERS.items() if value != ""}
    found = scripted(**{k: [v[0] if isinstance(v[0], str) else v[0][0], *v[1:]] for k, v in wild.items()})
    assert found.refused
    assert "noise" in found.problems[0]


class Failing(ScriptedLM):
    """Gives errors; `after` tokens an answer comes."""

    def __init__(self, error: str, after: int = 10**9) -> None:
        super().__init__(ANSWERS)
        self.error = error
        self.after = after

    def generate(
        self,
        chats: list[Chat],
        sampling: Sampling,
        progress: Progress | None = None,  # type: ignore[override]
    ) -> list[list[Completion]]:
        if sampling.max_new_tokens >= self.after:
            return super().generate(chats, sampling, progress)
        bad = Completion(text="", finish="error", error=self.error)
        return [[bad] * sampling.total for _ in chats]


def test_nothing_but_errors_or_thinking() -> None:
    found = check(Failing("HTTP 500: out of order"), SERVED, Prompts(), AnsweringBlock())
    assert found.refused
    assert "HTTP 500: out of order" in found.problems[0]
    thinks = "no answer in 48 tokens: the thinking was not finished"
    found = check(Failing(thinks), SERVED, Prompts(), AnsweringBlock())
    assert found.refused
    assert "only thinks" in found.problems[0]
    assert "max_new_tokens" in found.hints[0]


def test_who_thinks_gets_the_tokens_that_the_recipe_allows() -> None:
    thinks = "no answer in 48 tokens: the thinking was not finished"
    found = check(Failing(thinks, after=1000), SERVED, Prompts(), AnsweringBlock(max_new_tokens=1000))
    assert not found.refused
    assert found.problems == ()


def test_a_page_in_the_system_message_that_is_lost() -> None:
    lost = {r"^system: The calling code": "I do not know.", **ANSWERS}
    found = scripted(**lost)
    assert not found.refused
    assert "system message" in found.problems[0]
