"""What a run taught, handed over: a folder or a Hub repository that others load without selfstudy.

publish.py        all of it in order: written, loaded back, described, put in its place
chosen.py         which round and adapters of a run, and whose they are
writing.py        the files: adapters, merged model, GGUF, tokenizer
questions.py      the ten questions, and what the taught model answers
loading_back.py   a process of its own answers them with plain transformers and peft, and is compared
plain_child.py    that process's program; it imports nothing of ours
card.py           the model card's metadata and text (card.md.j2)
said.py           other people's words in Markdown, in which they are text
leaks.py          no path of this machine and no secret is in what is handed over
hub.py            to a Hub repository
"""
