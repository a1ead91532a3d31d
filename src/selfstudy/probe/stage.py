"""What does the model not know? Ask it questions, answer them K + 1 times, score the consistency.

    topics.py      where topics come from         chunks.py      documents, cut for one question each
    questions.py   questions, proposed            answers.py     a passage and samples per question
    scorers/       inconsistency of an answer     meter.py       what each scorer costs
    capability.py  curiosity, awareness, brevity, SLC

Writes Proposal, Question, Answer, Score, Due and Failure records.  What earlier rounds found decides which of
their questions are asked again (run/relearning.py): no proposals, which the metrics of methods 1 count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from selfstudy.models.answering import from_memory
from selfstudy.models.first_items import ENOUGH, FirstItems
from selfstudy.probe.answers import Stop, answer
from selfstudy.probe.meter import Meter
from selfstudy.probe.questions import Asker, Material
from selfstudy.probe.scorers import Tools, Weights, make_scorer
from selfstudy.probe.topics import seed_for
from selfstudy.records import Answer, Document, Due, Failure, Question, Score
from selfstudy.run import changes, relearning, resume, threshold
from selfstudy.run.first_records import FirstRecords, nothing_works

if TYPE_CHECKING:
    from selfstudy.models import Models
    from selfstudy.progress import Reporter
    from selfstudy.prompts import Prompts
    from selfstudy.run import Round

FIRST = 2 * ENOUGH
"""Questions of the first block of answers: with them scorers are tried, before the others are paid for."""


def run_probe(
    round_: Round,
    models: Models,
    prompts: Prompts,
    documents: Sequence[Document],
    report: Reporter,
    topics: Callable[[], Iterable[str]] | None = None,
    find: Callable[[Sequence[str]], list[str]] | None = None,
    feed: Callable[[str], list[str]] | None = None,
    *,
    only_ask: bool = False,
) -> None:
    """Propose questions, answer and score them, each in fixed blocks: what a kill cut short is made again.

    Args:
        documents: what the method `documents` asks about; the other methods need none.
        topics: gives the topics or questions of a method `external` whose source is "-"; None: stdin does.
        find: the library's page for each question; None: questions made without a page are not checked.
        feed: gives the titles of the feed at a URL; needed where the source of a method `external` is one.
        only_ask: stop when all is asked, and mark that: others may answer.

    Raises:
        DataError: a method's source is missing or unusable.
        ModelError: of asking, answering or scoring nothing succeeds.
    """
    if round_.finished("probe"):
        return
    if not round_.finished(resume.ASKING):
        _ask_again(round_, documents, report)
        about = changes.documents_of(round_, documents)
        _ask(round_, models, prompts, Material(about, topics, find, feed, report, models.nli))
        if only_ask:
            round_.finish(resume.ASKING)
    if only_ask:
        return
    meter = Meter(models)
    tools = _tools(round_, meter.models, prompts)
    _answer(round_, models, prompts, report, meter, tools)
    _score(round_, report, meter, tools)
    round_.finish("probe")


def _ask_again(round_: Round, documents: Sequence[Document], report: Reporter) -> None:
    """Writes down which questions of earlier rounds are asked again, and why; then these."""
    about = changes.changes_of(round_)
    early = about is not None and about.early
    found = relearning.due_again(round_.run, round_.number, documents, changes=about is not None, early=early)
    round_.append(found)
    due = round_.read(Due)  # with what was written before a kill, though the library may have changed since
    round_.append(relearning.asked_before(round_, [one.question_id for one in due]))
    if due:
        why = Counter(one.why for one in due)
        report.note(
            f"asking again: {len(due)} questions of earlier rounds ({why['scheduled']} by schedule, "
            f"{why['changed']} whose page has changed)"
        )


def _ask(round_: Round, models: Models, prompts: Prompts, material: Material) -> None:
    report = material.report
    numbered = changes.asks_of(round_)
    asks = [ask for _, ask in numbered]
    # all of them first: a missing source is found before the model has worked for hours
    askers = [
        Asker(number, ask, round_, models.lm, models.embedder, prompts, material) for number, ask in numbered
    ]
    out = FirstRecords(round_, "asking", works=round_.count(Question) > 0)
    with report.task("asking", sum(ask.count for ask in asks)) as advance:
        for ask, asker in zip(asks, askers, strict=True):
            found = asker.run(advance, out)
            if found < ask.count:
                report.note(f"asking: method {ask.method} gave {found} of {ask.count} questions")
            if ask.check != "none" and asker.refused:
                refused = ", ".join(f"{count} {why}" for why, count in asker.refused.most_common())
                report.note(
                    f"asking: method {ask.method} took {asker.tried} proposals; refused of them: {refused}"
                )
    out.close()


def _answer(
    round_: Round, models: Models, prompts: Prompts, report: Reporter, meter: Meter, tools: Tools
) -> None:
    recipe = round_.run.recipe
    probe = recipe.probe
    questions = round_.read(Question)
    done = resume.done(round_, resume.ANSWERED)
    size = recipe.answering.block_size
    blocks = list(round_.pending(questions, size, lambda question: question.id in done, first=FIRST))
    seed = seed_for(recipe.seed, round_.number, "answers")
    sampling = from_memory(recipe.answering, probe.samples, seed)
    stop = None
    if probe.adaptive is not None:
        scorer = meter.metered(make_scorer(probe.scorer, tools), round_)
        stop = Stop(scorer, threshold.of(round_.run).value, probe.adaptive)
    out = FirstRecords(round_, "answering", works=round_.count(Answer) > 0)
    with report.task("answering", len(questions)) as advance:
        advance(len(questions) - sum(map(len, blocks)))
        for block in blocks:
            if max(0, FIRST - size) < round_.count(Answer) <= FIRST:  # a resumed run tries them too
                _try_scorers(round_, tools)
            found = answer(block, models.lm, prompts, sampling, advance, stop)
            out.write([found], [one.message if isinstance(one, Failure) else None for one in found])
    out.close()


def _try_scorers(round_: Round, tools: Tools) -> None:
    """Scores the first answers, before all are paid for; nothing is written.

    Raises:
        ModelError: a scorer cannot score any of them.
    """
    probe = round_.run.recipe.probe
    answers = list(islice(round_.iter(Answer), FIRST))
    by_id = round_.by_id(Question, {answer.question_id for answer in answers})
    scored = {score.scorer for score in round_.iter(Score) if score.value is not None}
    if probe.adaptive is not None:
        scored.add(probe.scorer)  # it has scored them, or there would be no telling when to stop
    for name in dict.fromkeys((probe.scorer, *probe.compare)):
        if name not in scored:
            first = FirstItems()
            asked = [by_id[answer.question_id] for answer in answers]
            first.saw(score.error for score in make_scorer(name, tools).score(asked, answers))
            if first.hopeless:
                raise nothing_works(f"scoring with {name}", "all of the first", first)


def _score(round_: Round, report: Reporter, meter: Meter, tools: Tools) -> None:
    probe = round_.run.recipe.probe
    scorers = [make_scorer(name, tools) for name in dict.fromkeys((probe.scorer, *probe.compare))]
    questions = round_.by_id(Question)
    done = resume.done(round_, resume.SCORED)
    working = {score.scorer for score in round_.iter(Score) if score.error is None}
    out = {
        scorer.name: FirstRecords(round_, f"scoring with {scorer.name}", works=scorer.name in working)
        for scorer in scorers
    }
    with report.task("scoring", round_.count(Answer) * len(scorers)) as advance:
        # answers are streamed: with their samples they are by far the largest records
        answers = round_.iter(Answer)
        while block := list(islice(answers, round_.run.recipe.answering.block_size)):
            asked = [questions[item.question_id] for item in block]
            for scorer in scorers:
                if not all((scorer.name, item.question_id) in done for item in block):
                    with meter.scoring(round_, scorer.name, len(block)):
                        scores = scorer.score(asked, block)
                    # failures first: a kill between the two writes must not lose one
                    failures = list(_unscored(scores))
                    out[scorer.name].write([failures, scores], [one.error for one in scores])
                advance(len(block))
    for records in out.values():
        records.close()


def _tools(round_: Round, models: Models, prompts: Prompts) -> Tools:
    recipe, learned = round_.run.recipe, threshold.of(round_.run).weights
    weights = Weights(learned["bias"], learned["weights"]) if learned else None
    return Tools(models, prompts, recipe.probe, seed_for(recipe.seed, round_.number, "scores"), weights)


def _unscored(scores: Sequence[Score]) -> Iterator[Failure]:
    for score in scores:
        if score.value is None:
            yield Failure(
                stage="probe", item_id=score.question_id, message=f"no {score.scorer} score: {score.error}"
            )
