"""What the stages of a run work with: models, engines, library, key; each loaded when first needed, and once.

Knows blocks of a recipe and what was promoted; nothing of what a stage does.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import RecipeError
from selfstudy.judging.answer_key import AnswerKey, load_answer_key
from selfstudy.loop.smoke import check_once
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import (
    EntailmentBlock,
    FetchBlock,
    ModelBlock,
    PromptedNLI,
    Recipe,
    ServerModel,
)
from selfstudy.records import Document, KnownFact, Skipped
from selfstudy.run import Round, Run, forgotten, standing
from selfstudy.run.models import StageModels, block_of, own_block, servers_for
from selfstudy.text import under_title

if TYPE_CHECKING:
    from selfstudy.files.cache import Cache
    from selfstudy.library.open import OpenLibrary
    from selfstudy.library.retriever import Retriever
    from selfstudy.models import Models
    from selfstudy.models.base import Embedder, EntailmentModel, LanguageModel
    from selfstudy.models.server.servers import Servers
    from selfstudy.models.workers import Workers
    from selfstudy.progress import Reporter
    from selfstudy.teach.followers import Team


@dataclass
class Resources:
    """Of one run directory; `loop.Study` is this and the verbs, and says what the fields are."""

    run: Run
    reporter: Reporter = field(default_factory=Silent)
    topics: Callable[[], Iterable[str]] | None = None
    team: Team | None = field(default=None, init=False, repr=False)
    """The processes that teach together; None: this one is alone."""
    _fresh: bool = field(default=False, init=False, repr=False)
    """Whether pages are fetched again, though they are kept."""
    _checked: list[ModelBlock] = field(default_factory=list, init=False, repr=False)
    untracked: bool = field(default=False, init=False, repr=False)
    """Whether nothing more is sent to the tracker in this session: it failed, or another process sends."""
    tracked_told: bool = field(default=False, init=False, repr=False)
    """Whether it was said where curves and figures go."""

    @property
    def recipe(self) -> Recipe:
        return self.run.recipe

    @cached_property
    def prompts(self) -> Prompts:
        return Prompts(self.recipe.prompts)

    @cached_property
    def key(self) -> AnswerKey | None:
        return load_answer_key(self.recipe.answer_key)

    @cached_property
    def general_facts(self) -> list[KnownFact]:
        """What may be asked beside the run's own known questions."""
        from selfstudy.verify.general import general_facts

        return general_facts(self.recipe.verify.known_questions)

    @cached_property
    def workers(self) -> Workers | None:
        """The processes among which calls on models are shared out (recipe `scale`), started now.

        None: all is asked in this one, as in a run that is only read.

        Raises:
            SelfstudyError: they cannot be had.
        """
        block = self.recipe.scale
        if block is None or not self.run.writable:
            return None
        from selfstudy.models.scale import RayWorkers

        return RayWorkers(block, self.reporter.note)

    @cached_property
    def embedder(self) -> Embedder:
        from selfstudy.models import load_embedder
        from selfstudy.models.embedder import LEXICAL

        block = self.recipe.embedder
        if block.path == LEXICAL or (workers := self.workers) is None:
            return load_embedder(block)
        from selfstudy.models.spread.embedder import SpreadEmbedder

        return SpreadEmbedder(block, workers)

    @cached_property
    def nli(self) -> EntailmentModel:
        """The entailment model; what it has judged is kept in the run, across stages and sessions."""
        return self._entailment(self.recipe.nli)

    @cached_property
    def evaluator(self) -> EntailmentModel:
        """What judges the answers of verify: the entailment model, or the recipe's other one."""
        block = self.recipe.verify.nli
        return self.nli if block is None or block == self.recipe.nli else self._entailment(block)

    def _entailment(self, block: EntailmentBlock) -> EntailmentModel:
        from selfstudy.files.cache import Cache
        from selfstudy.judging.entailment import entailment_model

        writable = self.run.writable
        cache = Cache(self.run.nli_cache, shared=False) if writable else None
        return entailment_model(
            *(block, cache, self.prompts, self._asked_for_entailment, lambda: self.embedder),
            load=self._load_nli,
        )

    def _load_nli(self, block: EntailmentBlock, cache: Cache | None) -> EntailmentModel:
        from selfstudy.models import load_nli

        if (workers := self.workers) is None:
            return load_nli(block, cache)
        from selfstudy.models.spread.entailment import spread_nli

        return spread_nli(block, workers, cache)

    def _asked_for_entailment(self, block: PromptedNLI) -> LanguageModel:
        """Never a model that is taught meanwhile: weights that are trained here are loaded once more."""
        judge = self.judge if block.ask == "judge" else None
        if judge is not None:
            return judge
        return self.language_models.apart(self.recipe.model)

    @cached_property
    def servers(self) -> Servers:
        """The engines that models of type `server` need, owned by this study."""
        return servers_for(self.recipe, self.reporter.note)

    @cached_property
    def language_models(self) -> StageModels:
        """What has been loaded, and what it has been asked."""
        return StageModels(self.run, self.servers, lambda: self.workers)

    @property
    def judge(self) -> LanguageModel | None:
        """The recipe's judge, else its teacher; None: a model judges itself."""
        block = own_block(self.recipe, "judge")
        return None if block is None else self.language_models.get(block)

    def let_go(self) -> None:
        """Lets go of all models, and ends all engines and workers, so that others have their memory; what is
        needed again is loaded again.
        """
        from selfstudy.models.local import loading

        if "servers" in vars(self):
            self.servers.close()
        if "language_models" in vars(self):
            self.language_models.forget_all()
        if (workers := vars(self).pop("workers", None)) is not None:
            workers.close()
        for name in ("nli", "evaluator", "embedder", "_retriever"):
            vars(self).pop(name, None)
        gc.collect()
        loading.free_memory(loading.pick_device("auto"))

    def teacher(self) -> LanguageModel:
        """The recipe's teacher.

        Raises:
            RecipeError: it names none.
        """
        block = self.recipe.teacher
        if block is None:
            raise RecipeError("gather.answers_from = teacher: the recipe names none", "set teacher")
        return self.language_models.get(block)

    def lm(self, adapter: Path | None, *, here: bool = False) -> LanguageModel:
        """The recipe's model with an adapter of this run, or as it is.

        Args:
            here: with its weights in this process, as what trains it needs them.
        """
        return self.language_models.get(self.recipe.model, adapter, here=here)

    def models(self, round_: Round, stage: str = "") -> Models:
        """The models of a stage; the student has learned what earlier rounds promoted.

        Raises:
            ModelError: what it asks cannot be worked with (loop/smoke.py).
        """
        from selfstudy.models import Models

        if stage in ("probe", "gather"):  # what is taught need not have answered before
            self.smoke_check(round_, stage)
        return Models(self._asked(round_, stage), self.nli, self.embedder, self.judge)

    def smoke_check(self, round_: Round, stage: str) -> None:
        """Whether the model that a stage asks can be worked with; its notes are told once a session.

        Before hours of probing also whether the one that will read can: it is let go of again, for it may
        take memory that the probe needs.

        Raises:
            ModelError: it cannot.
        """
        reader = block_of(self.recipe, "gather")
        if stage == "probe" and self.recipe.library is not None and reader not in self._checked:
            self.smoke_check(round_, "gather")
            if reader not in (block_of(self.recipe, "probe"), own_block(self.recipe, "judge")):
                self._let_go(round_, reader)
        block = block_of(self.recipe, stage)
        if not self.run.writable or block in self._checked:
            return
        ledger, note = self.language_models.ledger, self.reporter.note
        check_once(self.run, block, lambda: self._asked(round_, stage), self.prompts, ledger, note)
        self._checked.append(block)

    def _let_go(self, round_: Round, reader: ModelBlock) -> None:
        student = standing.standing(round_) if reader == self.recipe.model else None
        self.language_models.forget(reader, student)
        if isinstance(reader, ServerModel):
            self.servers.stop(reader.weights or reader.model)

    def _asked(self, round_: Round, stage: str) -> LanguageModel:
        """The model that a stage asks, with what it has learned."""
        block = block_of(self.recipe, stage)
        student = stage != "gather" or block == self.recipe.model  # who reads for it has not learned with it
        taught = standing.standing(round_) if student else None
        return self.language_models.get(block, taught, here=stage == "teach")

    @cached_property
    def documents(self) -> Sequence[Document]:
        """The library's documents, but for those that a search finds by question.

        What was skipped, and what was fetched, is written to the first round; the former is said too.
        """
        if self._sources is None:
            return []
        self._sources.check_index()
        reading = self._sources.contents
        for note in reading.notes:
            self.reporter.note(note)
        if reading.skipped:
            self._say_skipped(reading.skipped)
        if self.run.writable:
            self.run.library_round.append(one for one in reading.documents if one.fetched)
        return reading.documents

    def library(self) -> Retriever | None:
        """What finds passages, its index kept for all sessions; None: the recipe has no library."""
        return self._retriever

    @cached_property
    def _sources(self) -> OpenLibrary | None:
        from selfstudy.library.open import OpenLibrary

        library = self.recipe.library
        if library is None:
            return None
        kept = self.run.fetched_folder if self.run.writable else None
        gone, links = forgotten.forgotten_sources(self.run), self.recipe.gather.follow_links
        return OpenLibrary(library, kept, links, self.reporter, without=gone, fresh=self._fresh)

    def feed(self, url: str) -> list[str]:
        """The titles of the feed at a URL, as it is now: nothing that the run kept of it counts.

        Raises:
            DataError: it cannot be fetched, or is no feed.
        """
        from selfstudy.library.services.trends import trending
        from selfstudy.library.web.fetch import open_fetcher

        library = self.recipe.library
        with open_fetcher(FetchBlock() if library is None else library.fetch) as fetches:
            return trending(url, fetches)

    def find(self, questions: Sequence[str]) -> list[str]:
        """The page of the library that fits each question best, under its title; "" where there is none."""
        if self._retriever is None:
            return [""] * len(questions)
        found = self._retriever.find(questions, 1)
        return [under_title(hits[0].title, hits[0].text) if hits else "" for hits in found]

    @cached_property
    def _retriever(self) -> Retriever | None:
        if self._sources is None:
            return None
        if not self.run.is_shard:
            _ = self.documents  # says what was skipped
        block = self.recipe.gather
        return self._sources.retriever(
            self._sources.index_place(self.run.library_folder),
            chunk_tokens=block.chunk_tokens,
            embedder=self.embedder if block.hybrid else None,
            keep=self.run.library_round.append,
            built=self.run.is_shard,
        )

    def say_searched(self) -> None:
        """What was looked up by question in this session, and what of it could not be."""
        for line in self._sources.searched() if self._sources is not None else ():
            self.reporter.note(line)

    def _say_skipped(self, skipped: Sequence[Skipped]) -> None:
        self.run.library_round.append(skipped)
        self.reporter.note(f"library: {len(skipped)} files or parts were not used:")
        for item in skipped[:10]:
            self.reporter.note(f"  {item.source}: {item.reason}")
        if len(skipped) > 10:
            self.reporter.note(f"  ... and {len(skipped) - 10} more, all in {Skipped.file}")
