"""Sends numbers to a tracker: trackio, wandb or mlflow.

    order.py       what is sent, and what came of it
    access.py      whether a tracker can be used, and where it is
    sending.py     has it sent, with a deadline
    sender.py      the process that sends
    to_trackio.py  to_wandb.py  to_mlflow.py    one file per tracker

A tracker runs in a process of its own: it cannot read this one's environment, arguments or folder, and one
that hangs is ended.  Knows numbers by name; nothing of runs or stages.
"""
