"""Models whose copies are in other processes: what a run holds in their place.

    lm.py           a language model
    entailment.py   an entailment model of transformers
    embedder.py     an embedder of sentence-transformers

Each cuts a call into units (models/workers.py says what a unit is) and puts the results in their places.
"""
