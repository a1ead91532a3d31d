"""Where documents come from, and the index in which evidence is found."""
