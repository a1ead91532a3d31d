"""Cited answers: evaluated."""
