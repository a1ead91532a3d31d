"""The verbs one by one, on the embedded world: `python examples/verbs.py`."""

from pathlib import Path

from selfstudy import Run, Study, load_recipe

recipe = load_recipe(
    Path(__file__).with_name("two-rounds.yaml"),
    ["rounds=1", "verify.control=false", "probe.ask.0.count=100"],
)
with Run.create_or_resume(Path("runs/verbs"), recipe) as run, Study(run) as study:
    study.probe()
    study.gather()
    study.teach()
    study.verify()
    summary = study.report()
print(summary.before.gap_correct, "->", summary.after.gap_correct, summary.promoted)
