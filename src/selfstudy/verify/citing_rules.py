"""What cited answers must show for promotion, and who judged them, each in a sentence.

The Trust-Score rises, on questions never trained: its paired interval lies above 0.  It has the halves that
could be gamed, always answering and always refusing, in one number; citations alone would reward silence.
Knows comparisons; nothing of models or files.
"""

from __future__ import annotations

from selfstudy.judging.by_sentence import reads_sentences
from selfstudy.recipe import EntailmentBlock, Recipe
from selfstudy.recipe.entailment import entailment_name
from selfstudy.run.entailment import evaluated_by
from selfstudy.verify.citing_figures import CitedComparisons
from selfstudy.verify.rules import MISSING, Reason, Rules

_WHAT = "Questions with documents, held out of training"
NOT_RECALLED = Reason(
    "not asked",
    "Gaps asked from memory were measured and do not decide: every phase trains to cite documents.",
    "gap",
)


def cites(found: CitedComparisons, rules: Rules) -> Reason:
    """Whether cited answers have become better."""
    return _better(found, "taught", _WHAT, rules)


def cites_beyond_control(found: CitedComparisons, rules: Rules) -> Reason:
    """Whether they are better than those of the control."""
    return _better(found, "control", f"{_WHAT}, against the control", rules)


def _better(found: CitedComparisons, name: str, what: str, rules: Rules) -> Reason:
    key = f"cited {name}"
    missing = found.unmeasured.get(name)
    if missing is not None:
        why = f"none of {missing.asked} was answered by both models (most often: {missing.error})"
        return Reason("refused", f"{what}: {why}, so nothing was measured.", key)
    gain = (found.taught if name == "taught" else found.control).get("trust_score")
    if gain is None:
        return Reason(
            "cannot tell",
            f"{what}: there are none that could be asked with their page and without it, so the Trust-Score "
            "was not measured (known questions with evidence; teach.known_heldout sets their share).",
            key,
        )
    if gain.failed > MISSING * (gain.n + gain.failed):
        said = f"{what}: {gain.failed} of {gain.n + gain.failed} failed, too many to judge by the rest."
        return Reason("refused", said, key)
    figures = gain.said(rules.resampling.confidence)
    if gain.low > 0:
        return Reason("passed", f"{what}: the Trust-Score rose {figures}.", key)
    if gain.difference <= 0:
        return Reason("refused", f"{what}: the Trust-Score did not rise {figures}.", key)
    return Reason(
        "cannot tell", f"{what}: the Trust-Score rose, but no rise at all cannot be excluded: {figures}.", key
    )


def judged_by(recipe: Recipe) -> str:
    """Who rewarded cited answers, and who evaluates them; each with how it reads documents."""
    rewarded, evaluated = recipe.nli, evaluated_by(recipe)
    name = entailment_name(rewarded)
    if entailment_name(evaluated) != name:
        return (
            f"Cited answers were rewarded by the entailment model {name} ({_read(rewarded)}) and are "
            f"evaluated here by another one, {entailment_name(evaluated)} ({_read(evaluated)})."
        )
    read = ", here ".join(dict.fromkeys((_read(rewarded), _read(evaluated))))
    return (
        f"Cited answers were rewarded and are evaluated by the same entailment model ({name}, {read}), so "
        "these figures are an upper bound: set verify.nli to another model, or judge what `selfstudy cite "
        "answer` wrote, or the rows of cited.jsonl, with `selfstudy cite eval FILE --nli MODEL`."
    )


def _read(block: EntailmentBlock) -> str:
    return "sentence by sentence" if reads_sentences(block) else "whole documents"
