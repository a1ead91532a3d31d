"""Is a text right?  Pure functions over texts and a judge; no stage, no run directory but in labels.py."""
