"""A real model that learns to cite: distilled on answers by rule, then on the best of its own answers.

Questions about the embedded world with 3 to 5 documents, most facts made up, so that nothing is known before;
tested on questions about names that no training row has.  Rewards are by atlas-nli; what is told is judged by
the world's own sentences, which know no other wording: figures of the untaught model are a lower bound, and
its answers are shown.  Citations and correctness are of the questions
that can be answered.  There is no target.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from on_atlas import citing
from on_real.model import in_float32
from selfstudy.atlas.build.cited import cited_rows
from selfstudy.recipe import LocalModel

TRAINED, TESTED = 300, 100


def compare(folder: Path, *, seed: int, samples: int, epochs: float) -> dict[str, Any]:
    """Before, after distillation, after rejection sampling; what `folder` has already is not done again."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "found.json"
    train = cited_rows(TRAINED, seed, names="train")
    test = cited_rows(TESTED, seed + 1000, names="test", entities="unseen")
    rows = folder / "rows.jsonl"
    citing.write(rows, train)
    model = in_float32()
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    bare = model.model_copy(update={"demonstrations": False})  # whose prompts fit into its window of 512

    def told(name: str, out: Path | None, seconds: float, model: LocalModel = bare) -> None:
        if name in found:
            return
        measured, said = citing.measure(test, out, model)
        found[name] = measured | {"seconds": seconds, "said": said}
        print(f"{name:24s} {citing.line(measured)}  {seconds:5.0f} s", flush=True)
        for text in said[:3]:
            print(f"    {text!r}", flush=True)
        kept.write_text(json.dumps(found, indent=1))

    told("as it comes", None, 0.0, model)
    told("without demonstrations", None, 0.0)
    begun, seconds = citing.stage(
        "distill", rows, folder / "distilled", None, seed, _settings("sft", epochs), bare
    )
    told("distilled", begun, seconds)
    changes = [
        *("teach.rejection.search=best-of", f"teach.rejection.samples={samples}"),
        *(f"teach.rejection.max_new_tokens={citing.TOKENS}", *_settings("rejection", epochs)),
    ]
    out, seconds = citing.stage("rejection", rows, folder / "sampled", begun, seed, changes, bare)
    told("rejection sampling", out, seconds)
    return found


def _settings(phase: str, epochs: float) -> list[str]:
    rates = {"epochs": epochs, "batch_size": 16, "learning_rate": 5e-4}
    return [f"teach.{phase}.{name}={value}" for name, value in rates.items()]
