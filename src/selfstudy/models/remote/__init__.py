"""Language models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, TGI, Ollama, an API.

lm.py       what to ask, and the answers in order     caller.py   one request until it is answered
pace.py     how many requests at once                 wire.py     one request, sent once
replies.py  what a reply says                         usage.py    calls, tokens, money
lanes.py    connections                               echo.py     log-probabilities of given texts
response_cache.py  answers that are known already     background.py  the event loop, in a thread
"""
