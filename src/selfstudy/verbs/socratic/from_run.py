"""Exercises from a run: its gaps, with what was read in its evidence.

A gap is a question that the model answers wrongly or without certainty (records.GAPS).  The reference that
teaching would use gives the answer, the passage that it was read in the rationale, and what the model firmly
believes instead the student's misconception.  The run is opened to be read and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from selfstudy.errors import DataError, RunError
from selfstudy.files.rows import MalformedError
from selfstudy.records import GAPS, Evidence, Failure, Question, Reference, Verdict
from selfstudy.run import Round, Run
from selfstudy.run.split import split_of
from selfstudy.teach.gaps import JudgedQuestion, gaps_to_teach, judged_questions
from selfstudy.text import folded, lines_below, one_line
from selfstudy.verbs.socratic.exercises import LONGEST_REASON, Exercise, Exercises
from selfstudy.verbs.socratic.from_passages import exercise_from

_WIDEST = 80


def read_run(path: Path, most: int | None = None) -> Exercises:
    """The exercises of all rounds of a run, in the order in which their questions were asked.

    Args:
        most: usable ones that are read; None: all.

    Raises:
        RunError: no run is there, or it has no references.
        DataError: no question makes an exercise.
    """
    found: dict[str, Exercise] = {}
    repeats = known = 0
    failed: list[str] = []
    with Run.open(path, write=False) as run:
        rounds = [one for one in run.rounds if next(one.iter(Reference), None) is not None]
        if not rounds:
            raise RunError(
                f"the run {path} has no references",
                f"make them: selfstudy gather {path}"
                + ("" if run.recipe.library else "; its recipe names no library, so begin one that does"),
            )
        for round_ in rounds:
            gaps = _Gaps(round_)
            known += gaps.known
            failed += gaps.without
            repeats += gaps.repeats
            for problem, made in gaps.exercises():
                if most is not None and len(found) >= most:
                    break
                if isinstance(made, str):
                    failed.append(f"{one_line(problem, _WIDEST)}: {made}")
                    continue
                repeats += folded(problem) in found
                found.setdefault(folded(problem), made)
    if not found:
        raise DataError(
            f"{path}: none of {known + repeats + len(failed):,} questions is an exercise, {known:,} of them "
            f"because the model knows the answer{lines_below(failed)}",
            "ask for more in another run (probe.ask), or give FILE or --documents",
        )
    return Exercises(tuple(found.values()), repeats, tuple(failed), known)


class _Gaps:
    """What of a round can become an exercise.

    Attributes:
        known: questions that the model knows.
        repeats: gaps that say the same as an earlier one.
        without: questions that nothing can be made of, and why.
    """

    def __init__(self, round_: Round) -> None:
        judged = judged_questions(round_)
        gaps = [one for one in judged if one.verdict.kind in GAPS]
        self._taught = gaps_to_teach(gaps)
        self._references = round_.by_id(Reference, {one.verdict.reference_id for one in self._taught})
        wanted = {one.evidence_id for one in self._references.values() if one.evidence_id}
        self._evidence = round_.by_id(Evidence, wanted)
        have = [one for one in gaps if one.reference and one.target]
        self.repeats = len(have) - len(self._taught)
        verdicts = {one.question_id: one for one in round_.iter(Verdict)}
        self.known = sum(one.kind == "known" for one in verdicts.values())
        self.without = _without(round_, verdicts, judged, {one.question.id for one in have})

    def exercises(self) -> Iterator[tuple[str, Exercise | str]]:
        """The text of each gap, and its exercise, or why it makes none."""
        for gap in self._taught:
            try:
                yield gap.question.text, self._exercise(gap)
            except MalformedError as error:
                yield gap.question.text, str(error)

    def _exercise(self, gap: JudgedQuestion) -> Exercise:
        reference = self._references[gap.verdict.reference_id or ""]
        if reference.given_by == "teacher":
            raise MalformedError("its reference is a model's own answer: there is no page to work with")
        source = self._evidence[reference.evidence_id]
        return exercise_from(
            gap.question.text,
            gap.reference,
            source.text,
            source.title,
            gap.passage if gap.verdict.kind == "misbelief" else "",
        )


def _without(
    round_: Round, verdicts: Mapping[str, Verdict], judged: Sequence[JudgedQuestion], gaps: set[str]
) -> list[str]:
    """The questions that the model does not know and that are no gaps to teach, each with the reason."""
    references = {one.question_id: one for one in round_.iter(Reference)}
    broken = {one.item_id: one for one in round_.iter(Failure) if one.stage in ("probe", "gather")}
    by_id = {one.question.id: one for one in judged}
    reserved = split_of(round_).reserved
    found = []
    for question in round_.iter(Question):
        verdict = verdicts.get(question.id)
        if question.id in gaps or (verdict is not None and verdict.kind == "known"):
            continue
        reference = references.get(question.id)
        if question.id in broken:
            why = f"{broken[question.id].stage} failed: {broken[question.id].message}"
        elif verdict is None:
            why = "not gathered yet"
        elif verdict.kind != "unverifiable":
            why = _no_gap(question.id in reserved, by_id.get(question.id))
        elif reference is None:
            why = "no evidence was found"
        else:
            why = f"no reference was accepted: {reference.explanation}"
        found.append(f"{one_line(question.text, _WIDEST)}: {one_line(why, LONGEST_REASON)}")
    return found


def _no_gap(reserved: bool, question: JudgedQuestion | None) -> str:
    """Why a question that the model does not know is no gap that can be taught."""
    if reserved:
        return "kept apart to test the run"
    if question is None:
        return "the model's answer is missing in the run"
    if not question.reference:
        return "its reference is missing in the run, or was not accepted"
    return "the model's most probable answer is empty"
