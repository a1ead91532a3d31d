"""Keys of a run as a whole: seen in what a probe asks a server, where it stops, and what stages are given."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from selfstudy.errors import BudgetError
from selfstudy.loop.resources import Resources
from selfstudy.loop.study import Study
from selfstudy.models import load_lm
from selfstudy.models.base import GREEDY, chat
from selfstudy.recipe import Recipe, RemoteModel, ScaleBlock
from selfstudy.recipe.whole import BudgetBlock
from selfstudy.run.budget import Ledger, Spent, metered
from selfstudy.run.models import servers_for
from selfstudy.run.relearning import due_again
from selfstudy.run.standing import why_stop
from selfstudy.verbs.submitting.submit import cluster_of
from tests.models.remote.faulty_server import FaultyServer
from tests.run.test_relearning import found as round_that_found

from . import Effect, rows
from .cluster import batch_files
from .ray_here import RayHere
from .workshop import HOST, QUESTIONS, at_work, every_host, or_said, run_of, sentence_transformers


def probed(recipe: Recipe) -> object:
    """What a server is asked by a probe of two questions."""
    with asking() as server:
        return _probed(recipe, server)


def probed_again(recipe: Recipe) -> object:
    """What it is asked by the same probe in another run, behind the first."""
    with asking() as server:
        _probed(recipe, server)
        return _probed(recipe, server)


@contextlib.contextmanager
def asking() -> Iterator[FaultyServer]:
    """A server, of whose answers none is kept yet."""
    with at_work("questions.txt") as patch, tempfile.TemporaryDirectory() as home:
        patch.setenv("SELFSTUDY_HOME", home)
        with every_host(patch) as server:
            yield server


def _probed(recipe: Recipe, server: FaultyServer) -> object:
    before = len(server.requests)
    with run_of(recipe) as run, Study(run) as study:
        said = or_said(study.probe)
    bodies = sorted(repr(one.body) for one in server.requests[before:])
    return bodies, isinstance(said, str) and said.replace(str(run.path), "RUN")


def given(recipe: Recipe) -> object:
    """What the stages of a run are given: vectors of texts, ground truth, a prompt, workers."""
    with at_work("encoder", "key.jsonl", "prompts") as patch, run_of(recipe) as run:
        patch.setitem(sys.modules, "sentence_transformers", sentence_transformers())
        has = Resources(run)
        key = has.key and has.key.lookup(QUESTIONS[0])
        asked = has.prompts.chat("answer", question=QUESTIONS[0])
        return type(has.embedder), key, asked, or_said(lambda: type(has.workers))


def engines_at_once(recipe: Recipe) -> object:
    return servers_for(recipe, print).limit


def submitted(recipe: Recipe) -> object:
    return or_said(lambda: batch_files(cluster_of(recipe)))


def goes_on(recipe: Recipe) -> object:
    """Why a run ends behind a round that gained a little."""
    with run_of(recipe) as run:
        round_ = run.round(1)
        gained = {"gap": {"difference": 0.02}}
        run.write_json(round_.gate_file, {"promoted": True, "gains": gained})
        return why_stop(round_)


def asked_again(recipe: Recipe) -> object:
    """What the second round asks again."""
    with run_of(recipe) as run:
        round_that_found(run.round(1), {"Peru": "known", "Chile": "unknown"})
        return due_again(run, 2, [], changes=False)


def within(block: BudgetBlock) -> object:
    """Whether a batch is asked, behind a minute in which two calls had 30 tokens and cost 3."""
    recipe = Recipe.model_validate({"library": "atlas", "budget": block})
    with at_work() as patch, every_host(patch), run_of(recipe) as run:
        now = iter((0.0, 60.0))
        ledger = Ledger(run, lambda: next(now, 60.0), stage="probe")
        ledger.add(Spent(calls=2, prompt_tokens=20, completion_tokens=10, cost=3.0, currency="EUR"))
        lm: Any = load_lm(RemoteModel(model="m", base_url=f"http://{HOST}/v1"), cache=False)
        try:
            return len(metered(lm, ledger).generate([chat("Who?")], GREEDY))
        except BudgetError as error:
            return error.what.partition(" is ")[2]
        finally:
            lm.close()


def working(block: ScaleBlock) -> object:
    """The workers that are started, and how often one that fails is asked."""
    with at_work() as patch:
        ray = RayHere()
        patch.setitem(sys.modules, "ray", ray.module)
        return or_said(lambda: ray.tried(block))


REMOTE: dict[str, Any] = {"type": "remote", "model": "m", "base_url": f"http://{HOST}/v1"}
ASK = {"method": "external", "count": 2, "source": "questions.txt", "questions": True}
PROBE: dict[str, Any] = {"model": REMOTE, "probe": {"ask": [ASK], "samples": 1}, "smoke": "skip"}
SERVED = {"type": "server", "engine": "vllm"}
TWO = {"model": SERVED | {"model": "org/one"}, "judge": SERVED | {"model": "org/two"}}
LIBRARY: dict[str, Any] = {"library": "atlas"}
AWAY = "127.0.0.1:1"
EFFECTS: dict[str, Effect] = {
    **rows("Recipe", probed, PROBE, seed=1, smoke="warn", budget={"calls": 3}),
    **rows("Recipe", probed_again, PROBE, cache=False),
    **rows("Recipe", given, LIBRARY, embedder={"path": "encoder", "device": "cpu"}, answer_key="key.jsonl"),
    **rows("Recipe", given, LIBRARY, prompts="prompts", scale={"address": AWAY}),
    **rows("Recipe", engines_at_once, TWO, servers=1),
    **rows("Recipe", submitted, LIBRARY, cluster={"partition": "gpu"}),
    **rows("Recipe", goes_on, LIBRARY, min_gain=0.03),
    **rows("Recipe", asked_again, LIBRARY, relearn={}),
    **rows("BudgetBlock", within, {}, calls=2, tokens=31, money=3.5, minutes=0.5),
    **rows("ScaleBlock", working, {}, address=AWAY, workers=3, tries=2, cpus=3, gpus=0.5),
}
"""By `Block.key`."""
