"""Find what is missing: evidence for every question, a reference read out of it, a verdict."""
