"""Language models behind an inference engine that selfstudy starts, asks over HTTP, swaps and stops.

lm.py          the model of a recipe            engines.py      what engines differ in
process.py     an engine, started and ended     watchdog.py     ends it, however we end
serve_fixes.py model folders that `transformers serve` can serve
"""
