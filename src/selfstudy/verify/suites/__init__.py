"""Suites of questions that others know: what a model was before teaching, and what it is after."""
