"""The command line: one verb per stage, plus learn, demo and doctor.

Reads arguments, opens the run directory, calls `selfstudy.loop`, prints.  It knows nothing of how a stage
works, and imports nothing heavy until a verb runs: `--help` has to be instant.

    start.py           what runs before all of this is imported, with leaving.py
    session.py         the app, options that verbs share, exit codes
    interrupts.py      Ctrl-C, once and more often
    loop_verbs.py      demo learn probe gather teach verify report
    calibrate_verb.py  calibrate
    cluster_verbs.py   submit merge status job (status_screen.py: what status prints)
    compare_verb.py    compare
    library_verb.py    library
    model_verbs.py     doctor estimate chat export
    data_verbs.py      import score
    socratic_verb.py   socratic
    discuss_verb.py    discuss
    cite_verb.py       cite eval
    init_verb.py       init
    cite_answer.py     cite answer
    cite_train.py      cite train
    publish_verb.py    publish
    rate_verb.py       rate (rate_table.py: what it prints)
    suite_verb.py      suite (suite_table.py: what it prints)
    serve_verb.py      serve
    ui_verb.py         ui
    unlearn_verb.py    unlearn
    why_verb.py        why (why_screen.py: what it prints)
    correct_verb.py    correct
"""

from selfstudy.cli import (
    calibrate_verb,
    cite_answer,
    cite_train,
    cite_verb,
    cluster_verbs,
    compare_verb,
    correct_verb,
    data_verbs,
    discuss_verb,
    init_verb,
    leaving,
    library_verb,
    loop_verbs,
    model_verbs,
    publish_verb,
    rate_verb,
    serve_verb,
    socratic_verb,
    suite_verb,
    ui_verb,
    unlearn_verb,
    why_verb,
)
from selfstudy.cli.session import INTERRUPTS, app
from selfstudy.screen import say

__all__ = [
    "app",
    "calibrate_verb",
    "cite_answer",
    "cite_train",
    "cite_verb",
    "cluster_verbs",
    "compare_verb",
    "correct_verb",
    "data_verbs",
    "discuss_verb",
    "init_verb",
    "library_verb",
    "loop_verbs",
    "main",
    "model_verbs",
    "publish_verb",
    "rate_verb",
    "serve_verb",
    "socratic_verb",
    "suite_verb",
    "ui_verb",
    "unlearn_verb",
    "why_verb",
]


def main() -> None:
    """The entry point of the `selfstudy` command."""
    try:
        INTERRUPTS.listen()
        app(prog_name="selfstudy")
    except SystemExit as end:
        if end.code == 130 or (end.code == 1 and INTERRUPTS.came):  # 1: before a verb had begun
            raise _stopped() from None
        raise
    except KeyboardInterrupt:
        raise _stopped() from None
    finally:
        INTERRUPTS.end()


def _stopped() -> SystemExit:
    if not INTERRUPTS.ending:  # nobody has said it yet
        INTERRUPTS.enough()
        say("\nstopped", err=True)
    leaving.exits_with(130)
    return SystemExit(130)
