"""Any completions to preference pairs, part by part: what `verbs/rate.py` puts together."""
