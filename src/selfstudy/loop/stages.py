"""One stage of a round: refused before its turn, done once, timed; and what each is given to work with.

The stages themselves are probe/, gather/, teach/ and verify/stage.py; what verify asks is in arms.py.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from selfstudy.errors import RunError, SelfstudyError
from selfstudy.loop import launching, tracking
from selfstudy.loop.arms import verify
from selfstudy.loop.resources import Resources
from selfstudy.loop.suites import suite_plan
from selfstudy.recipe import NEED_ENTAILMENT, NoNLI
from selfstudy.records import STAGES, Answer, TrainedArm
from selfstudy.run import Round, standing
from selfstudy.run.models import block_of
from selfstudy.run.split import held_out


def run_stage(
    resources: Resources, round_: Round, stage: str, step: Callable[[Resources, Round], None] | None = None
) -> None:
    """Runs one stage of a round if it has not finished, timed; its tracker gets what it does not have.

    Args:
        step: what the stage does here, if that is not all of it.
    """
    tracking.require(resources)
    _run_stage(resources, round_, stage, step)
    if stage in tracking.TRACKED:
        tracking.send(resources)


def _run_stage(
    resources: Resources, round_: Round, stage: str, step: Callable[[Resources, Round], None] | None
) -> None:
    before = STAGES[: STAGES.index(stage)]
    missing = next((name for name in before if not round_.finished(name)), None)
    if missing is not None:
        raise RunError(
            f"{stage}: round {round_.number} of {round_.run.path} has not finished {missing}",
            f"selfstudy {missing} {round_.run.path}"
            if missing != "probe"
            else "give the probe command again",
        )
    if round_.finished(stage):
        resources.reporter.note(f"round {round_.number}: {stage} is done already")
        return
    if stage == "teach" and launching.is_due(resources.recipe):
        launching.teach(resources, round_)
        return
    steps: dict[str, Callable[[Resources, Round], None]] = {
        "probe": probe,
        "gather": gather,
        "teach": teach,
        "verify": verify,
    }
    with _working(resources, round_, stage):
        (step or steps[stage])(resources, round_)
    if not round_.finished(stage):
        round_.finish(stage)


@contextmanager
def _working(resources: Resources, round_: Round, stage: str) -> Iterator[None]:
    """What is spent and takes time inside is that of the stage."""
    resources.language_models.ledger.stage = stage
    with _room(stage), round_.run.timed(stage, round_.number):
        yield


@contextmanager
def _room(stage: str) -> Iterator[None]:
    """Says so when the disk is full, whichever library was writing: not all of them raise an OSError."""
    try:
        yield
    except SelfstudyError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        if number not in _FULL and not any(f"os error {n}" in str(error) for n in _FULL):
            raise
        raise RunError(
            f"{stage}: the disk is full: {error}",
            "nothing written earlier is lost: make room, then give the same command again; it goes on where "
            "it stopped",
        ) from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def probe(resources: Resources, round_: Round) -> None:
    """Settles the threshold, then asks and answers."""
    _probe(resources, round_)
    resources.say_searched()
    if set(resources.recipe.probe.scorers) & set(NEED_ENTAILMENT):
        check_entailment(resources)


def ask(resources: Resources, round_: Round) -> None:
    """Only asks, and builds the index of the library: what is done once, before shards answer."""
    with _working(resources, round_, "probe"):
        _probe(resources, round_, only_ask=True)
        resources.library()
    resources.say_searched()


def _probe(resources: Resources, round_: Round, *, only_ask: bool = False) -> None:
    from selfstudy.probe.stage import run_probe
    from selfstudy.run.threshold import settle, unused

    if settle(resources.run).source == "default":
        for other in unused(resources.recipe, resources.recipe.probe.scorer):
            resources.reporter.note(other)
    # all are read in any case: an empty library or a bad file is found before hours of probing
    documents, _, _ = resources.documents, resources.general_facts, resources.key
    suite_plan(resources)
    run_probe(
        round_,
        resources.models(round_, "probe"),
        resources.prompts,
        documents,
        resources.reporter,
        resources.topics,
        resources.find if resources.recipe.library is not None else None,
        resources.feed,
        only_ask=only_ask,
    )


def answer_shard(resources: Resources, round_: Round) -> None:
    """Probe of a shard: its questions are asked already, and what all share is settled."""
    from selfstudy.probe.stage import run_probe

    models = resources.models(round_, "probe")
    run_probe(round_, models, resources.prompts, (), resources.reporter)


def gather_shard(resources: Resources, round_: Round) -> None:
    """Gather of a shard."""
    _gather(resources, round_)


def check_entailment(resources: Resources) -> None:
    """Says, once a run and before anything is decided by it, whether what judges entailment fits."""
    from selfstudy.judging.fitting import fit
    from selfstudy.run.entailment import entailment_cautions

    run = resources.run
    if not run.entailment_file.exists() and not isinstance(run.recipe.nli, NoNLI):
        found = fit(resources.nli, (answer.passage.text for answer in run.round(1).iter(Answer)))
        run.write_json(run.entailment_file, found.model_dump(mode="json"))
    for caution in entailment_cautions(run):
        resources.reporter.note(caution)


def gather(resources: Resources, round_: Round) -> None:
    """Looks everything up in the library."""
    check_entailment(resources)
    _gather(resources, round_)


def _gather(resources: Resources, round_: Round) -> None:
    from selfstudy.gather.stage import run_gather

    run_gather(
        round_,
        resources.models(round_, "gather"),
        resources.prompts,
        resources.library(),
        resources.reporter,
        resources.teacher,
    )
    resources.say_searched()


def unrelated(resources: Resources) -> list[str]:
    """General questions that test nothing, by which a router is calibrated."""
    seed, share = resources.recipe.seed, resources.recipe.teach.known_heldout
    return [fact.question for fact in resources.general_facts if not held_out(fact.id, seed, share)]


def teach(resources: Resources, round_: Round) -> None:
    """Keeps apart what is never trained, and sees to it that it is enough.

    Then trains what is taught, and the control if there is to be one.
    """
    from selfstudy.run.split import keep_apart
    from selfstudy.teach import followers
    from selfstudy.teach.stage import run_teach
    from selfstudy.verify.general import ask_general

    keep_apart(resources.run)
    ask_general(
        round_,
        lambda: resources.lm(None),
        resources.nli,
        resources.prompts,
        resources.general_facts,
        resources.reporter,
    )
    # the weights that are trained need the memory
    resources.language_models.make_room(standing.standing(round_))
    models = resources.models(round_, "teach")
    team = resources.team or followers.ALONE
    arms: list[TrainedArm] = ["taught", "control"] if resources.recipe.verify.control else ["taught"]
    for arm in arms:
        run_teach(
            *(round_, models, resources.prompts, resources.reporter),
            arm=arm,
            team=team,
            unrelated=unrelated(resources) if resources.recipe.deploy.type == "dynamic" else (),
        )
    if block_of(resources.recipe, "teach") != resources.recipe.model:
        resources.language_models.forget(block_of(resources.recipe, "teach"), standing.standing(round_))
