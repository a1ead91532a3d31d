"""Which models are served, by which names: of a run its base model, what it promoted, and each adapter alone.

An offer is made once from files and never changes; when the files change another one takes its place, between
two batches.  Names of what was taught end with a hash of its weights: the same name is the same answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from selfstudy.errors import ModelError, RunError
from selfstudy.files import private, reading
from selfstudy.models import taught
from selfstudy.models.base import HasAdapters, LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, ModelBlock, PromptStyle, ServerModel
from selfstudy.recipe.entailment import is_atlas
from selfstudy.records import Chat
from selfstudy.run import Run
from selfstudy.run.directory import is_run
from selfstudy.run.models import as_taught
from selfstudy.run.standing import decided, hashes, promoted_last
from selfstudy.serve.api_error import unknown_model

if TYPE_CHECKING:
    from selfstudy.models.server.servers import Servers

BASE, ROUTED, TAUGHT = "base", "routed", "taught"
PromptForm = Literal["answer", "plain"]


@dataclass(frozen=True)
class Responder:
    """Who answers a request.

    Attributes:
        adapter: of a model that has several, None: the base model.
        routed: the model says itself which adapter answers which prompt.
        label: what to call it; "" is the base model.
    """

    lm: LanguageModel
    adapter: str | None = None
    routed: bool = False
    label: str = ""


@dataclass(frozen=True)
class Offer:
    """What is served.

    Attributes:
        choices: by name, the default first.
        notes: what a person should know of it.
        state: what it was made from; another one is another offer.
        prompts: into which a question by itself is put; None: requests are passed on as they are.
        penalty: repetition penalty of what is put into them.
    """

    choices: dict[str, Responder]
    notes: tuple[str, ...] = ()
    state: str = ""
    prompts: Prompts | None = None
    penalty: float = 1.0

    @property
    def default(self) -> str:
        return next(iter(self.choices))

    def find(self, name: str) -> Responder:
        """Who answers for that name; "" and `routed` are what is served by default.

        Raises:
            ApiError: nobody.
        """
        known = self.choices.get(self.default if name in ("", ROUTED) else name)
        if known is None:
            raise unknown_model(name, list(self.choices))
        return known

    def put(self, chat: Chat) -> tuple[Chat, float]:
        """A chat as the model is asked it, with the repetition penalty of its answer.

        A single question without a system message goes into the prompt in which the model was taught and
        verified; whatever has more turns is somebody's own prompt, and stays.
        """
        if self.prompts is None or len(chat) != 1:
            return chat, 1.0
        return self.prompts.chat("answer", question=chat[0].content.strip()), self.penalty


@dataclass
class ModelSource:
    """Where offers come from: a run, or a model.

    Args:
        place: a run directory, a model folder, a Hub id or the alias `atlas`.
        prompt: how a question by itself is put; None: in the run's prompt, of a model as it is.
        style: how a model is asked, as `model.prompt` of a recipe; a run's recipe says how its models are.
        servers: starts the engine that a run's model needs.
    """

    place: str
    prompt: PromptForm | None = None
    style: PromptStyle | None = None
    servers: Servers | None = None
    say: Callable[[str], object] = lambda text: None
    _folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self._folder = reading.expanded(self.place)

    @property
    def is_run(self) -> bool:
        return is_run(self._folder)

    def state(self) -> str:
        """What the next offer would be made from; cheap enough to be looked at every second."""
        found = hashlib.sha256()
        for name in (Run.promoted_file, Run.forgotten_file):
            if (self._folder / name).is_file():
                found.update(name.encode() + private.read(self._folder / name))
        return found.hexdigest() if self.is_run else ""

    def load(self) -> Offer:
        """What is served now.

        Raises:
            ModelError, RunError: it cannot be; the message says why.
        """
        return self._of_run() if self.is_run else self._of_model()

    def _of_model(self) -> Offer:
        block = LocalModel(path=self.place, prompt=self.style or "auto")
        prompts = Prompts() if (self.prompt or _own_form(block)) == "answer" else None
        return Offer({BASE: Responder(self._with(block))}, prompts=prompts)

    def _of_run(self) -> Offer:
        if self.style is not None:
            raise RunError(f"{self.place} is a run, whose recipe says how its models are asked")
        state = self.state()
        run = Run.open(self._folder, write=False)
        base = run.recipe.model
        promoted = promoted_last(run)
        notes = (
            [f"round {promoted.number} was promoted"]
            if promoted
            else ["nothing was promoted: the base model"]
        )
        choices = self._choices(base, None if promoted is None else decided(promoted))
        return Offer(
            choices,
            notes=tuple(notes),
            state=state,
            prompts=Prompts(run.recipe.prompts) if self.prompt != "plain" else None,
            penalty=run.recipe.answering.repetition_penalty,
        )

    def _choices(self, base: ModelBlock, folder: Path | None) -> dict[str, Responder]:
        if folder is None:
            return {BASE: Responder(self._with(base))}
        if taught.is_routed(folder):
            lm = self._loaded(as_taught(base, folder))
            names = lm.adapters if isinstance(lm, HasAdapters) else ()
            # a stranger's folder may be called `base`: what these two names mean is not its to say
            named = {name: Responder(lm, name, label=name) for name in names if name not in (BASE, ROUTED)}
            return {ROUTED: Responder(lm, routed=True), BASE: Responder(lm), **named}
        name = f"{TAUGHT}-{_hash(folder)}"
        if not taught.is_whole(folder):
            with suppress(ModelError):  # not every adapter stands beside its model, nor in every engine
                lm = self._with(base, {name: folder})
                answering = Responder(lm, name, label=name)
                return {TAUGHT: answering, name: answering, BASE: Responder(lm)}
        answering = Responder(self._with(as_taught(base, folder)), label=name)
        apart = {BASE: Responder(self._with(base))} if isinstance(base, LocalModel) else {}
        return {TAUGHT: answering, name: answering, **apart}

    def _with(self, block: ModelBlock, adapters: Mapping[str, Path] | None = None) -> LanguageModel:
        """A model with adapters beside it, of which each request names one; also where there are none."""
        if isinstance(block, LocalModel) and block.adapter is None:
            from selfstudy.models.local.mixed import MixedLM

            return MixedLM(block, adapters or {}, self.say)
        if isinstance(block, ServerModel) and block.adapter is None:
            from selfstudy.models.server.mixed import MixedServerLM

            return MixedServerLM(block, adapters or {}, self.servers)
        return self._loaded(block)

    def _loaded(self, block: ModelBlock) -> LanguageModel:
        from selfstudy.models import load_lm

        return load_lm(block, cache=False, servers=self.servers, say=self.say)


def _own_form(block: ModelBlock) -> PromptForm:
    """The embedded model knows its own prompts; of others nobody knows what they were taught in."""
    return "answer" if is_atlas(block) else "plain"


def _hash(folder: Path) -> str:
    """Of an adapter its weights', as beside a router; of a whole model that of all its files."""
    if not taught.is_whole(folder):
        return taught.adapter_name("", folder)[1:]
    listed = "\n".join(f"{name} {digest}" for name, digest in hashes(folder).items())
    return hashlib.sha256(listed.encode()).hexdigest()[:8]
