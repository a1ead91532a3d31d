"""Did it learn, did it forget?  Asks each arm everything again, judges the answers, opens or shuts the gate.

    general.py         facts asked before teaching, where the run's own known questions are too few
    questions.py       what is asked: gaps in several wordings, known questions, reading
    asking.py          one block of them asked and judged
    again.py           some of them asked again of the unchanged model, and noise.py: what that says
    blocks.py          what is not asked yet, block by block
    citing.py          where teach trains to cite: questions with documents, asked and judged;
                       citing_figures.py and citing_rules.py: what that says
    refusing.py        where teach teaches to refuse: questions without evidence; refusing_figures.py and
                       refusing_rules.py: what that says
    gains.py           paired comparisons of arms, the fact being the unit
    rules.py           what a comparison must show to pass
    gate.py            promote or not, or cannot tell, and why
    suites/            suites of others' questions, asked of each arm, and what they say
    strengths.py       at which smaller strength an adapter that forgot is asked once more
    summed.py          figures that are functions of sums
    figures.py         the figures for summaries

It reads the records of the other stages and writes Check, Recheck, CitedCheck, RefusalCheck and
SuiteItem records and gate.json; it knows nothing of how the adapters were made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from selfstudy.judging.answer_key import AnswerKey
from selfstudy.judging.by_sentence import for_citations
from selfstudy.models.base import EntailmentModel, LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.records import Arm, Check, CitedCheck, Failure, Recheck, RefusalCheck
from selfstudy.run import Round, resume
from selfstudy.run.entailment import entailment_cautions, evaluated_by
from selfstudy.run.first_records import FirstRecords
from selfstudy.run.split import (
    holds_wordings,
    teaches_to_refuse,
    trained_share,
    trains_to_cite,
    trains_to_know,
)
from selfstudy.verify.again import ask_again
from selfstudy.verify.asking import ask
from selfstudy.verify.citing import ask_cited, plan_cited
from selfstudy.verify.citing_rules import judged_by
from selfstudy.verify.gains import Resampling
from selfstudy.verify.gate import Gate, decide, few_gaps, refuse, second_look
from selfstudy.verify.noise import measured
from selfstudy.verify.questions import PlannedCheck, plan
from selfstudy.verify.refusing import ask_refusals, plan_refusals, taught_to_refuse
from selfstudy.verify.rules import Rules
from selfstudy.verify.strengths import Chosen
from selfstudy.verify.suites.asking import SuitePlan, ask_suites
from selfstudy.verify.suites.figures import SuiteResult
from selfstudy.verify.suites.kept import results

if TYPE_CHECKING:
    from selfstudy.progress import Reporter


Loader = Callable[[], LanguageModel]
STAGE = "verify"
C = TypeVar("C", CitedCheck, RefusalCheck)


def run_verify(
    round_: Round,
    arms: Mapping[Arm, Loader],
    nli: EntailmentModel,
    prompts: Prompts,
    key: AnswerKey | None,
    report: Reporter,
    suites: SuitePlan | None = None,
) -> Gate:
    """Check every arm of `round` and decide on promotion.

    Every arm gets the same questions in the same fixed blocks, greedily, with the probe's settings; gaps as
    first asked also get `recipe.verify.samples` samples for the hallucination score: fresh ones, for those of
    the probe selected the gaps.  Reading uses the settings with which references were read: no repetition
    penalty, for it would punish copying.  The arm "original" is asked what all rounds have in common.

    Args:
        arms: what loads the model of each arm, one at a time, in this order.  Without "taught" training gave
            no adapter, which shuts the gate; "control" was taught on random pairs, if the recipe says so;
            "original" is the model before round 1, in later rounds; "weaker" is the taught one at the
            strength that weaker.json tells.
        nli: of `evaluated_by`; cited answers it judges as `by_sentence.for_citations` says.
        key: ground truth, if there is any; without it the references count as true.
        suites: asked of each arm after all else.

    Returns:
        The decision, also in gate.json of the round.  Called again after a kill it goes on where it stopped.
        The caller marks the stage as done, after it has acted on the decision: a kill between the two must
        not lose a promotion.
    """
    recipe = round_.run.recipe
    cited_by = for_citations(evaluated_by(recipe), nli)
    items, cited = plan(round_, prompts, key), plan_cited(round_, cited_by, key)
    unanswerable = plan_refusals(round_)
    for arm, load in arms.items():
        _ask_all(round_, arm, load, nli, prompts, items, report)
        ask_cited(round_, arm, load, cited_by, prompts, cited, report)
        ask_refusals(round_, arm, load, prompts, unanswerable, report)
        if suites is not None:
            ask_suites(round_, arm, load, suites, report)
        if arm == "base":
            ask_again(round_, load, nli, prompts, items, report)
    block = recipe.verify
    if "taught" not in arms:
        failed = [f.message for f in round_.iter(Failure) if f.stage == "teach" and f.item_id == "taught"]
        why = f"Training failed ({failed[0]})" if failed else "Training gave nothing"
        gate = refuse(f"{why}, so there is nothing to promote.")
    else:
        checks = [check for check in round_.read(Check) if check.arm in arms]
        known = {check.question_id for check in checks if check.target in ("known", "general")}
        rules = Rules(
            block.margin,
            Resampling(block.confidence, block.resamples, recipe.seed),
            control=block.control,
            original="original" in arms,
            reworded=holds_wordings(recipe),
            noise=measured(checks, round_.iter(Recheck)),
            cites=trains_to_cite(recipe),
            recalls=trains_to_know(recipe),
            refuses=teaches_to_refuse(recipe),
            refusals_taught=taught_to_refuse(round_),
        )
        gate = _decided(round_, checks, rules, trained_share(round_, known))
    said = [judged_by(recipe)] if trains_to_cite(recipe) else []
    said += few_gaps(gate, relearns=recipe.relearn is not None)
    gate = gate.model_copy(update={"notes": (*gate.notes, *said, *entailment_cautions(round_.run))})
    round_.run.write_json(round_.gate_file, gate.model_dump(mode="json"))
    return gate


def _decided(round_: Round, checks: Sequence[Check], rules: Rules, trained: float | None) -> Gate:
    """At full strength, and at a smaller one if the adapter was asked at that too."""
    cited, refusals = round_.read(CitedCheck), round_.read(RefusalCheck)
    asked = {one.name for one in round_.run.recipe.verify.suites}

    def suites(arm: str) -> dict[str, SuiteResult]:
        found = results(round_, rules.resampling, arm)
        return {name: one for name, one in found.items() if name in asked}

    weaker = [c.model_copy(update={"arm": "taught"}) for c in checks if c.arm == "weaker"]
    full = decide(
        (c for c in checks if c.arm != "weaker"),
        rules,
        trained,
        [c for c in cited if c.arm != "weaker"],
        suites("taught"),
        [c for c in refusals if c.arm != "weaker"],
    )
    chosen = round_.run.read_as(round_.weaker_file, Chosen)
    if chosen is None or not weaker:
        return full
    others = [c for c in checks if c.arm not in ("taught", "weaker")]
    second = decide(
        *([*others, *weaker], rules, trained, _at_smaller_strength(cited), suites("weaker")),
        _at_smaller_strength(refusals),
    )
    return second_look(full, second, chosen.strength)


def _at_smaller_strength(checks: Sequence[C]) -> list[C]:
    """Those of the adapter at full strength left out, and those at the smaller one in their place."""
    return [
        one.model_copy(update={"arm": "taught"}) if one.arm == "weaker" else one
        for one in checks
        if one.arm != "taught"
    ]


def _ask_all(
    round_: Round,
    arm: Arm,
    load: Loader,
    nli: EntailmentModel,
    prompts: Prompts,
    items: Sequence[PlannedCheck],
    report: Reporter,
) -> None:
    """Ask one arm everything that it has not answered yet, and write the checks block by block."""
    recipe = round_.run.recipe
    items = [item for item in items if item.is_for(arm)]
    done = resume.done(round_, resume.CHECKED)
    kinds: list[Callable[[PlannedCheck], bool]] = [
        lambda item: item.sampled,
        lambda item: not item.sampled and item.target != "reading",
        lambda item: item.target == "reading",
    ]
    finished = sum(item.unasked(arm).id in done for item in items)
    if finished == len(items):
        return
    lm = load()
    # what training has broken may fail in everything: that is a result, and the gate says so
    answered = any(c.arm == arm and c.error is None for c in round_.iter(Check))
    works = arm in ("taught", "control", "weaker") or answered
    out = FirstRecords(round_, f"verify: {arm}", works)
    with report.task(f"verify: {arm}", len(items)) as advance:
        advance(finished)
        for kind in kinds:
            some = [item for item in items if kind(item)]
            for batch in round_.pending(
                some, recipe.answering.block_size, lambda i: i.unasked(arm).id in done
            ):
                checks = ask(arm, lm, nli, prompts, batch, recipe)
                fresh = [check for check in checks if check.id not in done]
                # Failures first: a kill between the two writes must not lose one.
                failures = [
                    Failure(stage=STAGE, item_id=check.id, message=check.error)
                    for check in fresh
                    if check.error is not None
                ]
                out.write([failures, fresh], [check.error for check in fresh])
                advance(len(fresh))
    out.close()
