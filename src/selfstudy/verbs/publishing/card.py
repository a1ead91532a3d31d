"""The model card: what was taught, out of what, how it was verified, what is not known, how to load it.

Every text that came from elsewhere is escaped (said.py).  The metadata is made and read back by
huggingface_hub's own classes; what the Hub alone can check it checks at an upload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from selfstudy.errors import DataError
from selfstudy.recipe.library import is_url
from selfstudy.records import GAPS, Evidence, Reference, Verdict
from selfstudy.run import curriculum
from selfstudy.run.standing import decided, decision
from selfstudy.verbs.publishing.chosen import Publication
from selfstudy.verbs.publishing.loading_back import LoadedBack
from selfstudy.verbs.publishing.questions import Asking
from selfstudy.verbs.publishing.said import InMarkdown, code, said
from selfstudy.verbs.publishing.writing import rank_of
from selfstudy.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData
    from jinja2 import Environment

README = "README.md"
MOST_SOURCES = 200
"""That are named; of more the number is told."""
_NAMED = """
apache-2.0 mit openrail bigscience-openrail-m bigscience-bloom-rail-1.0 bsd bsd-2-clause bsd-3-clause cc
cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-4.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 gemma gpl gpl-2.0 gpl-3.0
lgpl lgpl-3.0 agpl-3.0 llama2 llama3 llama3.1 llama3.2 llama3.3 mpl-2.0 odc-by odbl unlicense
wtfpl zlib other unknown
"""
LICENSES = frozenset(_NAMED.split())
"""That the Hub has a name for (hf.co/docs/hub/repositories-licenses); another is `other` with a name."""
COMPARED = {
    "gap": "gaps, as first asked",
    "gap_trained": "gaps, in other wordings that were trained",
    "gap_reworded": "gaps, in wordings held out of training",
    "gap_novel": "gaps, in wordings seen nowhere before",
    "known": "known before, held out of training",
    "general": "general questions, held out of training",
    "reading": "reading the answer off a page",
    "control": "gaps, against a control that was trained on random pairs (its answers are the first column)",
    "known_original": "known, against the model before the first round",
    "general_original": "general, against the model before the first round",
    "reading_original": "reading, against the model before the first round",
}
"""The gate's comparisons that a card shows, in order."""
PERSON = "what a person said"
"""The source of a reference that somebody gave (`selfstudy correct`), in place of the name."""
NOT_GIVEN, GEONAMES = "not given", "CC BY 4.0 (GeoNames)"
_PROMPT = "prompt = ...  # the text above, with your question in it"
_WANTED = ("gap", "gap_reworded", "gap_novel", "known", "general", "reading", "control")


@dataclass(frozen=True)
class CardOptions:
    """What a person says about a publication.

    Attributes:
        title: the name of the folder or repository.
        place: as which others name it: a Hub id, or a word for the folder.
        license, data_license: of the adapter, and of the documents; None: not given.
        source_names: whether the documents are named.
    """

    title: str
    place: str
    license: str | None = None
    data_license: str | None = None
    source_names: bool = True


def card_of(
    chosen: Publication, asking: Asking, found: LoadedBack, options: CardOptions, *, merged: bool, gguf: bool
) -> str:
    """README.md of a publication.

    Raises:
        DataError: huggingface_hub does not read its metadata back as they were meant.
    """
    data = _metadata(chosen, options, whole=merged or chosen.whole)
    body = (
        _environment()
        .get_template("card.md.j2")
        .render(**_shown(chosen, asking, found, options, merged=merged, gguf=gguf))
    )
    text = f"---\n{data.to_yaml()}\n---\n\n{body.strip()}\n"
    require_readable(text, data)
    return text


def require_readable(text: str, meant: Any = None) -> None:
    """Reads a card as huggingface_hub does.

    Args:
        meant: the ModelCardData that its metadata have to be.

    Raises:
        DataError: they are others, or none.
    """
    from huggingface_hub import ModelCard
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        read: Any = ModelCard(text)
        if isinstance(read.data.base_model, str):
            validate_repo_id(read.data.base_model)
    except (ValueError, HFValidationError) as error:
        raise DataError(f"the model card's metadata cannot be read: {error}", "please report this") from None
    if not read.data.to_dict() or (meant is not None and read.data.to_dict() != meant.to_dict()):
        raise DataError("the model card's metadata are not read as they were written", "please report this")


def _metadata(chosen: Publication, options: CardOptions, *, whole: bool) -> ModelCardData:
    from huggingface_hub import ModelCardData

    results = list(_results(chosen))
    relation = "finetune" if chosen.whole else "merge" if whole else "adapter"
    more: dict[str, Any] = _license(options.license)
    more |= {"base_model_relation": relation} if chosen.base.on_hub else {}
    if not chosen.verified:
        more["unverified"] = True
    return ModelCardData(
        base_model=chosen.base.name if chosen.base.on_hub else None,
        library_name="transformers" if whole else "peft",
        pipeline_tag="text-generation",
        tags=["selfstudy", *([] if whole else ["lora"]), *([] if chosen.verified else ["unverified"])],
        model_name=_slug(options.title) if results else None,
        eval_results=results or None,
        **more,
    )


def _license(given: str | None) -> dict[str, Any]:
    if given is None:
        return {}
    name = given.strip().lower()
    return {"license": name} if name in LICENSES else {"license": "other", "license_name": _slug(given)}


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:96].strip("-.") or "taught"


def _results(chosen: Publication) -> Iterator[EvalResult]:
    from huggingface_hub import EvalResult

    judged = chosen.judgement
    for name, label in COMPARED.items():
        gain = judged.gains.get(name) if judged is not None else None
        if gain is not None and name in _WANTED and name != "control":
            yield EvalResult(
                task_type="question-answering",
                task_name="Question answering from memory",
                dataset_type="selfstudy-run",
                dataset_config=name,  # without it huggingface_hub takes all for one
                dataset_name=f"questions of the run: {label}",
                metric_type="accuracy",
                metric_name="correct answers after teaching",
                metric_value=round(gain.after, 4),
                metric_args={"before": round(gain.before, 4), "questions": gain.n, "facts": gain.facts},
            )


def _shown(
    chosen: Publication, asking: Asking, found: LoadedBack, options: CardOptions, *, merged: bool, gguf: bool
) -> dict[str, Any]:
    messages, text, stop = asking.form
    run, recipe = chosen.run, chosen.run.recipe
    sources = sources_of(chosen)
    judged = chosen.judgement
    measured = judged.gains if judged is not None else {}
    written = run.read_json(run.provenance_file) or {}
    packages = written.get("packages")
    return {
        "c": chosen,
        "base": chosen.base,
        "judged": judged,
        "options": options,
        "license": options.license or NOT_GIVEN,
        "data_license": options.data_license or (GEONAMES if _of_atlas(sources) else NOT_GIVEN),
        "found": found,
        "whole": merged or chosen.whole,
        "merged": merged,
        "gguf": gguf,
        "adapters": [(name, _groups(folder)) for name, folder in chosen.adapters.items() if name],
        "sources": sources[:MOST_SOURCES] if options.source_names else [],
        "source_count": len(sources),
        "counts": _counts(chosen),
        "rows": list(_rows(chosen)),
        "figures": list(_figures(chosen)),
        "unmeasured": [COMPARED[name].partition(" (")[0] for name in _WANTED if name not in measured],
        "confidence": f"{recipe.verify.confidence:.0%}",
        "phases": ", ".join(phase.type for phase in recipe.teach.plan),
        "teach": recipe.teach,
        "four_bit": chosen.block.load_in_4bit,
        "by_template": found.by == "template",
        "messages": code(_python(messages), "python"),
        "text": code(text),
        "snippet": code(_snippet(chosen, asking, found, options, whole=merged or chosen.whole), "python"),
        "asking": asking,
        "stop": ", ".join(repr(one) for one in stop),
        "rank": max((rank_of(folder) for folder in chosen.adapters.values()), default=0),
        "seed": recipe.seed,
        "selfstudy": str(written.get("selfstudy", __version__)),
        "publisher": __version__,
        "versions": packages if isinstance(packages, Mapping) else {},
        "recipe": code(shareable_recipe(recipe.model_dump(mode="json", exclude_defaults=True)), "yaml"),
        "base_code": _word(chosen.base.name if chosen.base.on_hub else "BASE_MODEL"),
        "place_code": _word(options.place),
        "penalty_code": InMarkdown(f"{asking.repetition_penalty:g}"),
    }


def _word(text: str) -> InMarkdown:
    """A name for a line of code: a Hub id, or a word of ours."""
    return InMarkdown(re.sub(r"[^A-Za-z0-9._/-]+", "-", text))


def _python(messages: tuple[dict[str, str], ...]) -> str:
    lines = ",\n".join(f"    {message!r}" for message in messages)
    return f"messages = [  # with your question for {{question}}\n{lines},\n]"


def _snippet(
    chosen: Publication, asking: Asking, found: LoadedBack, options: CardOptions, *, whole: bool
) -> str:
    """What loads it and asks it, exactly as the check did."""
    place = options.place
    lines = ["from transformers import AutoModelForCausalLM, AutoTokenizer"]
    lines += [] if whole else ["from peft import PeftModel"]
    if chosen.base.packaged and not whole:
        lines += [
            "from importlib.resources import files",
            "",
            'base = str(files("selfstudy.atlas") / "lm")  # pip install selfstudy',
        ]
    elif not whole:
        lines += [
            "",
            f"base = {chosen.base.name!r}" if chosen.base.on_hub else 'base = "the folder of the base model"',
        ]
    lines += ["", f"tokenizer = AutoTokenizer.from_pretrained({place!r})"]
    revision = f", revision={chosen.base.revision!r}" if chosen.base.on_hub and chosen.base.revision else ""
    if whole:
        lines += [f"model = AutoModelForCausalLM.from_pretrained({place!r}, dtype={'float32'!r})"]
    else:
        first = next(iter(chosen.adapters))
        sub = f", subfolder={first!r}" if first else ""
        lines += [
            f"model = AutoModelForCausalLM.from_pretrained(base{revision}, dtype={asking.dtype!r})",
            f"model = PeftModel.from_pretrained(model, {place!r}{sub})",
        ]
    template = (
        "prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, "
        "enable_thinking=False)"
    )
    lines += [template if found.by == "template" else _PROMPT]
    special = found.by == "text"
    lines += [
        f'inputs = tokenizer(prompt, add_special_tokens={special}, return_tensors="pt")',
        "made = model.generate(",
        "    **inputs, do_sample=False, "
        f"max_new_tokens={asking.max_new_tokens}, repetition_penalty={asking.repetition_penalty:g}, "
        f"eos_token_id={list(asking.ends)},",
        ")",
        'answer = tokenizer.decode(made[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True)',
    ]
    return "\n".join(lines)


def sources_of(chosen: Publication) -> list[str]:
    """Names of the documents that it was taught from, without folders of this machine."""
    found: dict[str, None] = {}
    for turn in chosen.run.rounds:
        if turn.number > chosen.round.number:
            continue
        gate = decision(turn)
        if turn.number != chosen.round.number and (gate is None or not gate.promoted):
            continue
        folders = list(chosen.adapters.values()) if turn.number == chosen.round.number else [decided(turn)]
        read = [one for folder in folders if (one := curriculum.read(folder)) is not None]
        if read:
            found |= dict.fromkeys(source for one in read for source in one.sources)
        else:
            taught = {v.reference_id for v in turn.iter(Verdict) if v.kind in GAPS and v.reference_id}
            passages = {r.evidence_id for r in turn.iter(Reference) if r.id in taught}
            found |= dict.fromkeys(e.source for e in turn.iter(Evidence) if e.id in passages)
    return sorted({_named(source) for source in found})


def _named(source: str) -> str:
    if is_url(source):  # who signs in to a page, and by what, stands around its address
        try:
            where = urlsplit(source)
        except ValueError:
            return "(an address that cannot be read)"
        return f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path}"
    if source.partition(":")[0] == "person":
        return PERSON  # who it was is nobody's business elsewhere
    return PurePosixPath(source).name if source.startswith(("/", "~")) else source


def _of_atlas(sources: list[str]) -> bool:
    return bool(sources) and all(source.startswith("atlas:") for source in sources)


def _groups(folder: Path) -> str:
    read = curriculum.read(folder)
    return "" if read is None else f"{len(read.questions):,} questions from {len(read.sources):,} documents"


def _counts(chosen: Publication) -> list[tuple[str, int]]:
    kinds: dict[str, int] = {}
    for verdict in chosen.round.iter(Verdict):
        kinds[verdict.kind] = kinds.get(verdict.kind, 0) + 1
    return [(kind, kinds[kind]) for kind in GAPS if kind in kinds]


def _rows(chosen: Publication) -> Iterator[tuple[str, str, str, str, str, str, str]]:
    """What the gate compared: label, before, after, difference, interval, questions, facts."""
    for name, label in COMPARED.items():
        gain = chosen.judgement.gains.get(name) if chosen.judgement is not None else None
        if gain is not None:
            yield (
                label,
                f"{gain.before:.1%}",
                f"{gain.after:.1%}",
                f"{100 * gain.difference:+.1f}",
                f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}",
                f"{gain.n:,}" + (f" ({gain.failed:,} failed)" if gain.failed else ""),
                f"{gain.facts:,}",
            )


def _figures(chosen: Publication) -> Iterator[tuple[str, str]]:
    """What is no share of right answers: of citing and of refusing."""
    judged = chosen.judgement
    if judged is not None:
        for name, gain in {**judged.cited, **judged.refusing}.items():
            yield name.replace("_", " "), gain.said(chosen.run.recipe.verify.confidence)


_HIDDEN = re.compile(r"(^|[\s\"'=])(/|~|\.{1,2}/|[A-Za-z]:\\|https?://)", re.I)
_LEFT_OUT = ("scale", "cluster", "budget", "cache", "servers", "launch", "track")
_CONFIDENTIAL = (
    "base_url",
    "url",
    "api_key_env",
    "api_key_file",
    "engine_id",
    "known_questions",
    "answer_key",
    "allow_hosts",
    "contact",
    "exclude",
)


def shareable_recipe(recipe: Mapping[str, Any]) -> str:
    """A recipe as YAML, without what is this machine's or its user's alone: paths, addresses, hosts, keys."""
    import yaml

    text: str = yaml.safe_dump(_shareable(recipe), sort_keys=False, allow_unicode=True)
    return text


def _shareable(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {k: _shareable(v, str(k)) for k, v in value.items() if k not in _LEFT_OUT}
    if isinstance(value, list | tuple):
        return [_shareable(one, key) for one in value]
    if isinstance(value, str) and (_HIDDEN.search(value) or (key in _CONFIDENTIAL and value != "atlas")):
        return "(left out)"
    return value


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")

    return Environment(  # Markdown, not HTML: `said` escapes whatever is put in
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            value if isinstance(value, InMarkdown) else said("" if value is None else value)
        ),
        loader=FunctionLoader(load),
    )
