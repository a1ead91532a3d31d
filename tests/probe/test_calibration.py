"""Calibration against numbers worked by hand, against brute force, and on what the shipped models answer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.atlas import language, world
from selfstudy.errors import DataError
from selfstudy.probe import calibration as c
from selfstudy.recipe import AnsweringBlock, ProbeBlock, Recipe
from selfstudy.records import Question, Score
from selfstudy.run import Run

labelled = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0]) | st.floats(0, 1), st.booleans()),
    min_size=2,
    max_size=40,
).filter(lambda pairs: len({flag for _, flag in pairs}) == 2)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[c.Floats, c.Flags]:
    return np.array([v for v, _ in pairs]), np.array([u for _, u in pairs])


def drawn(count: int, seed: int, share: float = 0.4) -> tuple[dict[str, float | None], dict[str, bool]]:
    """Scores that tell well, but not perfectly, what is unknown; and the truth."""
    rng = np.random.default_rng(seed)
    unknown = rng.random(count) < share
    values = np.where(unknown, rng.beta(3, 1.5, count), rng.beta(1, 6, count))
    names = [f"q{i}" for i in range(count)]
    scores: dict[str, float | None] = dict(zip(names, values.tolist(), strict=True))
    return scores, {n: not u for n, u in zip(names, unknown.tolist(), strict=True)}


def test_a_cut_by_hand() -> None:
    values, unknown = arrays([(0.1, False), (0.2, True), (0.3, False), (0.4, True), (0.4, True)])
    cut = c.cut_at(values, unknown, 0.2)  # a score at the threshold is not above it
    assert (cut.selected, cut.precision, cut.recall) == (3, 2 / 3, 2 / 3)
    assert cut.f1 == pytest.approx(2 / 3)
    assert [k.threshold for k in c.cuts(values, unknown)] == [0.0, 0.1, 0.2, 0.3]
    smallest = c.smallest_cut(values, unknown, 0.75)
    assert smallest is not None
    assert (smallest.threshold, smallest.recall) == (0.1, 1.0)  # not 0.3, whose precision is higher
    nothing = c.cut_at(values, unknown, 0.9)
    assert (nothing.selected, nothing.precision, nothing.recall, nothing.f1) == (0, None, 0.0, 0.0)


@given(labelled)
@settings(max_examples=50)
def test_every_threshold_does_what_its_cut_says(pairs: list[tuple[float, bool]]) -> None:
    """All are found in one pass over the scores; of a million, one by one would take days."""
    values, unknown = arrays(pairs)
    found = list(c.cuts(values, unknown))
    assert found == [c.cut_at(values, unknown, cut.threshold) for cut in found]
    assert [cut.threshold for cut in found] == sorted({0.0, *values.tolist()} - {max(*values.tolist())})


@given(labelled, st.floats(0.05, 1))
@settings(max_examples=200)
def test_no_smaller_threshold_reaches_the_wanted_precision(
    pairs: list[tuple[float, bool]], wanted: float
) -> None:
    values, unknown = arrays(pairs)
    found = c.smallest_cut(values, unknown, wanted)
    candidates = sorted({0.0, *values.tolist(), *(float(v) / 2 for v in values)})
    reached = [t for t in candidates if (c.cut_at(values, unknown, t).precision or 0.0) >= wanted]
    if found is None:
        assert not reached
    else:
        assert found == c.cut_at(values, unknown, found.threshold)
        assert (found.precision or 0.0) >= wanted
        assert found.threshold <= min(reached)


@given(labelled)
@settings(max_examples=50)
def test_the_map_rises_and_keeps_the_share_of_the_unknown(pairs: list[tuple[float, bool]]) -> None:
    values, unknown = arrays(pairs)
    knots = list(zip(*c.isotonic(values, unknown), strict=True))
    chances = [c.probability(knots, v) for v in sorted(values)]
    assert all(0 <= a <= b + 1e-9 <= 1 + 2e-9 for a, b in pairwise(chances))
    assert np.mean(chances) == pytest.approx(unknown.mean(), abs=1e-6)


def test_the_map_by_hand() -> None:
    values, unknown = arrays([(0.1, False), (0.2, True), (0.3, False), (0.8, True)])
    xs, ys = c.isotonic(values, unknown)  # the pair in the middle falls, so it is pooled
    assert xs.tolist() == [0.1, 0.2, 0.3, 0.8]
    assert ys.tolist() == [0.0, 0.5, 0.5, 1.0]
    assert c.probability([(0.1, 0.0), (0.2, 0.5), (0.3, 0.5), (0.8, 1.0)], 0.15) == pytest.approx(0.25)


def test_calibration_error_by_hand() -> None:
    values, happened = arrays([(0.2, False)] * 8 + [(0.2, True)] * 2 + [(0.6, True)] * 10)
    # two bins, whatever their number is to be, as ties are not cut: |.2 - .2| and |.6 - 1|
    assert c.calibration_error(values, happened) == pytest.approx(0.5 * 0.4)
    rng = np.random.default_rng(0)
    mixed = rng.permutation(len(values))
    assert c.calibration_error(values[mixed], happened[mixed]) == pytest.approx(0.2)
    chances = rng.random(50_000)
    assert c.calibration_error(chances, rng.random(50_000) < chances) < 0.01


def test_all_of_it() -> None:
    scores, known = drawn(1500, 0)
    scores["q0"] = None
    found = c.calibrate("agreement", scores, known | {"stranger": True}, source="a file", wanted=0.9)
    assert (found.labels, found.unscored) == (1499, 2)
    assert found.unknown == sum(not k for n, k in known.items() if n != "q0")
    low, high = found.auroc_interval
    assert 0.9 < low < found.auroc < high < 1
    assert found.in_use.threshold == 0.5
    assert found.cut is not None
    assert found.cut.precision is not None
    assert found.cut.threshold < 0.5
    assert found.cut.recall > found.in_use.recall
    assert found.expected == pytest.approx(0.9, abs=0.03)
    assert found.error_of_map is not None
    assert found.error_of_map < 0.03 < found.error_of_score
    assert c.Calibration.model_validate_json(found.model_dump_json()) == found
    assert c.calibrate("agreement", scores, known | {"stranger": True}, source="a file", wanted=0.9) == found


@pytest.mark.parametrize(("count", "unknown"), [(0, 0), (19, 9), (40, 0), (40, 40)])
def test_too_few_labels_are_refused_with_their_number(count: int, unknown: int) -> None:
    scores: dict[str, float | None] = {f"q{i}": i / 50 for i in range(count)}
    known = {f"q{i}": i >= unknown for i in range(count)}
    with pytest.raises(
        DataError, match=rf"{count} labelled .*\({unknown} unknown, {count - unknown} known\)"
    ):
        c.calibrate("agreement", scores, known, source="a file")


def test_a_precision_that_no_threshold_reaches() -> None:
    rng = np.random.default_rng(1)
    scores: dict[str, float | None] = {f"q{i}": float(rng.random() < 0.5) for i in range(200)}
    found = c.calibrate("agreement", scores, {n: bool(rng.random() < 0.5) for n in scores}, source="a file")
    assert found.cut is None
    assert found.best.precision == pytest.approx(0.5, abs=0.1)
    assert found.expected is None


@pytest.mark.parametrize("seed", range(3))
def test_half_of_the_labels_give_a_threshold_that_holds_on_the_other_half(seed: int) -> None:
    scores, known = drawn(2400, seed)
    assert half_to_half(scores, known) == pytest.approx(0.9, abs=0.05)


def half_to_half(scores: dict[str, float | None], known: dict[str, bool]) -> float:
    """Precision of what is called unknown in either half by the threshold that was chosen on the other."""
    names = list(known)
    called: list[str] = []
    for mine, other in ((names[::2], names[1::2]), (names[1::2], names[::2])):
        found = c.calibrate("agreement", scores, {n: known[n] for n in mine}, source="half", wanted=0.9)
        assert found.cut is not None
        called += [n for n in other if (scores.get(n) or 0.0) > found.cut.threshold]
    return sum(not known[n] for n in called) / len(called)


def write_run(path: Path, scores: dict[str, dict[str, float | None]], **probe: object) -> Run:
    """A run with these scores: scorer -> question -> value."""
    recipe = Recipe(probe=ProbeBlock.model_validate(probe))
    run = Run.create_or_resume(path, recipe)
    names = list(dict.fromkeys(n for values in scores.values() for n in values))
    questions = {n: Question(text=f"What is {n}?") for n in names}
    run.round(1).append(questions.values())
    run.round(1).append(
        Score(question_id=questions[n].id, scorer=s, value=v)
        for s, values in scores.items()
        for n, v in values.items()
    )
    return run


def test_every_scorer_of_a_round_and_why_one_has_none(tmp_path: Path) -> None:
    scores, known = drawn(300, 3)
    with write_run(tmp_path / "run", {"selfcheck-nli": scores, "p-true": dict.fromkeys(scores)}) as run:
        ids = {f"q{i}": q.id for i, q in enumerate(run.round(1).read(Question))}
        truth = {ids[n]: k for n, k in known.items()}
        made, refused = c.calibrate_round(run.round(1), truth, "a file")
        assert [m.scorer for m in made] == ["selfcheck-nli"]
        assert "p-true" in str(refused[0])
        with pytest.raises(DataError, match="p-true cannot be calibrated: 0 labelled"):
            c.calibrate_round(run.round(1), truth, "a file", only="p-true")
        with pytest.raises(DataError, match="no scores of agreement; it has selfcheck-nli, p-true"):
            c.calibrate_round(run.round(1), truth, "a file", only="agreement")


def test_scores_of_adaptive_runs_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"selfcheck-nli": {"a": 0.5}}, adaptive={})
    with run, pytest.raises(DataError, match="adaptively"):
        c.calibrate_round(run.round(1), {}, "a file")


def test_an_ensemble_learns_whom_to_trust(tmp_path: Path) -> None:
    good, known = drawn(400, 4)
    rng = np.random.default_rng(5)
    noise: dict[str, float | None] = {n: float(rng.random()) for n in good}
    with write_run(tmp_path / "run", {"selfcheck-nli": good, "agreement": noise}) as run:
        ids = {f"q{i}": q.id for i, q in enumerate(run.round(1).read(Question))}
        made, _ = c.calibrate_round(run.round(1), {ids[n]: k for n, k in known.items()}, "a file")
    by_name = {m.scorer: m for m in made}
    assert set(by_name) == {"selfcheck-nli", "agreement", "ensemble"}
    assert by_name["ensemble"].auroc >= by_name["selfcheck-nli"].auroc - 0.005
    weights = by_name["ensemble"].weights
    assert weights is not None
    assert abs(weights["weights"]["agreement"]) < 0.2 * weights["weights"]["selfcheck-nli"]


def test_an_ensemble_with_one_of_a_kind_has_no_weights() -> None:
    known = {f"q{i}": i > 0 for i in range(30)}
    values: dict[str, float | None] = dict.fromkeys(known, 0.5)
    scores, weights = c.learned({"agreement": values}, known, 0)
    assert weights is None
    assert set(scores.values()) == {None}


@pytest.fixture(scope="module")
def atlas_scores() -> tuple[dict[str, dict[str, float | None]], dict[str, bool]]:
    """What the shipped models score on facts of the embedded world, and whether the model was taught them."""
    from selfstudy.models import Models, load_embedder, load_lm, load_nli
    from selfstudy.models.answering import from_memory
    from selfstudy.probe.answers import answer
    from selfstudy.probe.scorers import Tools, make_scorer
    from selfstudy.prompts import Prompts
    from selfstudy.records import Answer

    recipe = Recipe(probe=ProbeBlock(samples=6), answering=AnsweringBlock(max_new_tokens=48))
    loaded = Models(load_lm(recipe.model), load_nli(recipe.nli), load_embedder(recipe.embedder))
    facts = [f for f in world.facts() if not f.known][::2] + [f for f in world.facts() if f.known][::9]
    asked = {Question(text=language.wordings(fact.attribute, fact.entity)[0]): fact.known for fact in facts}
    questions = list(asked)
    sampling = from_memory(recipe.answering, recipe.probe.samples, seed=0)
    answers = [a for a in answer(questions, loaded.lm, Prompts(), sampling) if isinstance(a, Answer)]
    by_id = {question.id: question for question in questions}
    tools = Tools(loaded, block=recipe.probe)
    found = {
        name: {
            s.question_id: s.value
            for s in make_scorer(name, tools).score([by_id[a.question_id] for a in answers], answers)
        }
        for name in ("agreement", "selfcheck-nli")
    }
    return found, {question.id: known for question, known in asked.items()}


@pytest.mark.parametrize("scorer", ["agreement", "selfcheck-nli"])
def test_on_the_embedded_world_too(
    atlas_scores: tuple[dict[str, dict[str, float | None]], dict[str, bool]], scorer: str
) -> None:
    scores, known = atlas_scores
    assert half_to_half(scores[scorer], known) >= 0.85
