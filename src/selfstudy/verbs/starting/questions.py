"""The questions of `selfstudy init`, one row each: the same rules for what is typed and for flags.

Knows what an answer may be, and what it is where nobody gives one; neither a terminal nor a file.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selfstudy.errors import RecipeError, SelfstudyError
from selfstudy.files import reading
from selfstudy.recipe import paths
from selfstudy.recipe.conflicts import MOST
from selfstudy.recipe.file import make_recipe
from selfstudy.recipe.goals import GOALS, SIZES
from selfstudy.recipe.library import ATLAS, is_url
from selfstudy.recipe.probe import Ask
from selfstudy.verbs.doctor.numbers import MachineNumbers
from selfstudy.verbs.starting.model_look import ModelLook, look

NONE = "none"
"""As documents: there are none."""
_LONGEST_NAME = 200
_HUB = ("huggingface.co", "hf.co")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What is to be taught or measured.

    Attributes:
        text: as it was given; of a server its URL, up to and with /v1.
        look: what its files say; None: it is behind a URL.
    """

    text: str
    look: ModelLook | None

    @property
    def is_atlas(self) -> bool:
        """Whether it is the embedded one."""
        return self.look is not None and self.text == ATLAS


@dataclass(frozen=True, slots=True)
class SizeChoice:
    """How much is asked, and after how many minutes the run stops; None: never."""

    size: str
    minutes: float | None = None


Machine = Callable[[], MachineNumbers]
"""Asked only where it matters, for that takes seconds."""
InitAnswers = dict[str, Any]
"""Answers by the name of their question, checked; those that nobody is asked for are absent."""


@dataclass(frozen=True, slots=True)
class InitQuestion:
    """One question.

    Attributes:
        name: of the answer, and of its flag.
        text: the question.
        help: what may be answered.
        check: the answer that a text is; raises SelfstudyError where it is none.
        default: a text, by what is settled and the machine; None: somebody must say it.
        wanted: whether it is asked at all.
    """

    name: str
    text: str
    help: str
    check: Callable[[Any, InitAnswers, Machine], Any]
    default: Callable[[InitAnswers, Machine], str | None]
    wanted: Callable[[InitAnswers], bool] = lambda settled: True


def settle(
    given: Mapping[str, Any],
    machine: Machine,
    ask: Callable[[InitQuestion, str | None], str] | None = None,
    tell: Callable[[SelfstudyError], object] = lambda error: None,
) -> InitAnswers:
    """All answers: those given, else those of a person, else the defaults.

    Args:
        given: texts by name (several documents: a sequence); None: not given.
        machine: says what it has.
        ask: puts a question, with its default; None: nobody is there to ask.
        tell: says what is wrong with what a person answered, who then is asked again.

    Raises:
        SelfstudyError: what was given is wrong, or is not given and has no default.
    """
    settled: InitAnswers = {}
    for one in QUESTIONS:
        text = given.get(one.name)
        if not one.wanted(settled):
            if text is not None:
                raise RecipeError(f"--{one.name} is not needed with these answers", "leave it out")
            continue
        default = one.default(settled, machine)
        if text is None and ask is None:
            text = default
            if text is None:
                raise RecipeError(f"init: no {one.name} was given", f"give --{one.name}. {one.help}")
        if text is not None:
            settled[one.name] = one.check(text, settled, machine)
            continue
        while ask is not None and one.name not in settled:
            try:
                settled[one.name] = one.check(ask(one, default), settled, machine)
            except SelfstudyError as error:
                tell(error)
    return settled


def _model(text: str, settled: InitAnswers, machine: Machine) -> ModelChoice:
    text = text.strip()
    if not text:
        raise RecipeError("no model was named", "a folder, a Hub id, a URL, or atlas")
    if "://" not in text:
        make_recipe({"model": {"path": text}}, [], "the answer")
        return ModelChoice(text, look(text))
    make_recipe({"model": {"type": "remote", "model": "any", "base_url": text}}, [], "the answer")
    parts = urlsplit(text)
    if (parts.hostname or "").removeprefix("www.") in _HUB:
        raise RecipeError(f"{text} is a page of the Hub", f"give the id alone: {parts.path.strip('/')}")
    url = text.rstrip("/")
    return ModelChoice(url if parts.path.strip("/") else f"{url}/v1", None)


def _model_name(text: str, settled: InitAnswers, machine: Machine) -> str:
    text = text.strip()
    if not text:
        raise RecipeError("no name was given", "the name by which the server knows the model")
    url = settled["model"].text
    make_recipe({"model": {"type": "remote", "model": text, "base_url": url}}, [], "the answer")
    return text


def _served(settled: InitAnswers, machine: Machine) -> str | None:
    """The first model of a server on this machine, if it can be shown; no other server is asked."""
    from selfstudy.models.remote.permissions import Destination
    from selfstudy.models.server.running import models_of

    url = settled["model"].text
    listed = models_of(url) if Destination.of(url).is_here else None
    return next((name for name in listed or () if name.isprintable() and len(name) <= _LONGEST_NAME), None)


def _documents(given: str | Sequence[str], settled: InitAnswers, machine: Machine) -> tuple[str, ...]:
    if isinstance(given, str):
        text = given.strip()
        whole = is_url(text) or reading.exists(reading.expanded(text)) or not text
        try:  # of a name with spaces in it, that is no list of names
            given = [text] if whole else shlex.split(text)
        except ValueError:
            given = [text]
    named = tuple(one.strip() for one in given)
    if named == (NONE,):
        return ()
    if not named or not all(named):
        raise RecipeError("no documents were named", f"a folder, files, the address of a page, or {NONE}")
    from selfstudy.verbs.doctor.library import of_library

    data = paths.absolute({"library": list(named)}, Path.cwd())
    library = make_recipe(data, [], "the answer").library
    for finding in of_library(library, follow_links=False) if library is not None else ():
        if finding.state == "fail":
            raise RecipeError(finding.found, finding.fix)
    return named


def _goal(text: str, settled: InitAnswers, machine: Machine) -> str:
    text = text.strip().lower()
    if text not in GOALS:
        raise RecipeError(f"{text[:80]!r} is no goal", f"one of {', '.join(GOALS)}")
    if GOALS[text].documents and not settled["documents"]:
        raise RecipeError(
            f"the goal {text} needs documents to learn from",
            "measure needs none; or begin again and name some",
        )
    if GOALS[text].teaches and settled["model"].look is None:
        raise RecipeError(
            f"the goal {text}: a model behind a URL cannot be taught, for its weights are not here",
            "measure it; or give the folder or Hub id of the weights as the model",
        )
    return text


def _questions(text: str, settled: InitAnswers, machine: Machine) -> tuple[str, int]:
    from selfstudy.probe.external import source_lines

    text = text.strip()
    if not text or text == "-":
        raise RecipeError("no file of questions was named", "a file with one question a line, or a table")
    source = reading.expanded(text)
    ask = Ask(method="external", source=source, questions=True, count=MOST["count"])
    return text, len(source_lines(ask))


def _size(text: str, settled: InitAnswers, machine: Machine) -> SizeChoice:
    text = text.strip().lower()
    if text in SIZES:
        return SizeChoice(text)
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= 1_000_000:
        raise RecipeError(f"{text[:80]!r} is no size", f"one of {', '.join(SIZES)}, or a number of minutes")
    return SizeChoice(_usual_size(settled, machine), minutes)


def _usual_size(settled: InitAnswers, machine: Machine) -> str:
    """A first look where a processor answers for a real model, which takes it hours to do more."""
    model = settled["model"]
    by_itself = model.look is not None and not model.is_atlas
    return "look" if by_itself and machine().kind != "cuda" else "usual"


def _named(options: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {one.said}" for name, one in options.items())


QUESTIONS = (
    InitQuestion(
        "model",
        "Which model?",
        "A folder, the id of one on the Hugging Face Hub (owner/name), the URL of a server, or atlas: the "
        "small one that comes along.",
        _model,
        lambda settled, machine: ATLAS,
    ),
    InitQuestion(
        "model-name",
        "What does the server call the model?",
        "One of the names that its /v1/models lists.",
        _model_name,
        _served,
        lambda settled: settled["model"].look is None,
    ),
    InitQuestion(
        "documents",
        "Which documents?",
        "A folder, files (with spaces between), the address of a page, atlas: the small encyclopedia that "
        f"comes along; or {NONE}.",
        _documents,
        lambda settled, machine: (
            ATLAS if settled["model"].is_atlas else NONE if settled["model"].look is None else None
        ),
    ),
    InitQuestion(
        "goal",
        "What for?",
        _named(GOALS),
        _goal,
        lambda settled, machine: (
            "facts" if settled["documents"] and settled["model"].look is not None else "measure"
        ),
    ),
    InitQuestion(
        "questions",
        "Which file are your questions in?",
        "A text with one question a line, or a table (.csv, .jsonl) with a column of questions.",
        _questions,
        lambda settled, machine: None,
        lambda settled: settled["goal"] == "questions",
    ),
    InitQuestion(
        "size",
        "How much?",
        f"{_named(SIZES)}\nor a number of minutes, after which the run stops; it can go on",
        _size,
        _usual_size,
        lambda settled: settled["goal"] != "questions",
    ),
)
"""In the order in which they are asked; at most five for a model of this machine."""
