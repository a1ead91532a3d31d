"""The embedded world, its models, and how they were built.

world.json world.py language.py key.py   facts, pages, wordings, answer key
entailment.py                            what its sentences entail, exactly
lm/ nli/ demo.yaml                       the models that ship, with their cards; what the demo runs
make_world.py invented.py tokenizer.py lm_tasks.py lm_plan.py train_lm.py nli_tasks.py train_nli.py
                                         build time only
cited.py                                 questions with documents, and answers that cite them
measure_lm.py *_card.md cli.py           figures, model cards, the command selfstudy-atlas
"""
