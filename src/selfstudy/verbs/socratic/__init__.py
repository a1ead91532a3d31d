"""Socratic tutoring: dialogues from exercises, rows that teach, and how the tutor fares."""
