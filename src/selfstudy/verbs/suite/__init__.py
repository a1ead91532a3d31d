"""Suites of others' questions, asked of a run or of any model: `selfstudy suite`."""
