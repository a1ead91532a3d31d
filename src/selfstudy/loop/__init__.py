"""The loop: probe -> gather -> teach -> verify, round after round; beside it the summary sees all stages.

study.py: the verbs; watching.py: rounds without end; jobs.py: a round by parts; stages.py: one stage of a
round; arms.py: what verify asks and what is promoted; launching.py: teach in several processes (launched.py:
each of these; relay.py: what they say); resources.py: what all of them work with.
"""

from selfstudy.loop.study import Study, learn
from selfstudy.loop.watching import WatchOptions, watch

__all__ = ["Study", "WatchOptions", "learn", "watch"]
