"""Somebody else's results and data become a run: `selfstudy import FILE`."""
