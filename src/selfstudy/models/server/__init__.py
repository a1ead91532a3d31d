"""Language models behind an inference engine that selfstudy starts, asks over HTTP, swaps and stops.

lm.py          the model of a recipe                      engines.py      what engines differ in
servers.py     which engines stand, and who ends them     starting.py     a block to an engine that answers
running.py     does it answer, and as which model?        adapters.py     adapters on a running server
process.py     one engine, started and ended              guarded.py      any command that ends with us
watchdog.py    ends it, however we end
listener.py    who listens on its port                    leftovers.py    what a kill of everything has left
guarded.py     a command that ends with this process      mixed.py        adapters, one for each prompt
serve_fixes.py folders for `transformers serve`
"""
