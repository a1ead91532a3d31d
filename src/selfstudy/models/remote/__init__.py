"""Language models behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, TGI, Ollama, an API.

lm.py           what to ask, and the answers in order     retries.py         one request until it is answered
concurrency.py  how many requests at once                 http.py            one request, sent once
connections.py  the way there, the longest reply          replies.py         what a reply says
logprobs.py     log-probabilities of given texts          usage.py           calls, tokens, money
background.py   the event loop, in a thread               response_cache.py  answers that are known already
"""
