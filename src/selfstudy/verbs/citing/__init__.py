"""Cited answers: given, and evaluated."""
