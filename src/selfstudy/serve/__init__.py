"""The OpenAI API over a run's model: what was taught answers other programs.

    limits.py      how much a request may be, and how long it may take
    api_error.py   errors, in OpenAI's shape
    asked.py       the body of a request, read and checked
    replies.py     answers and events, in OpenAI's shape
    offer.py       which models are served, by which names, and from which files
    ticket.py      a request under way, between the threads of the model and the loop of the network
    batches.py     requests that wait, and those that are answered together
    streaming.py   an answer that is sent while it is written
    metrics.py     what is counted, for Prometheus
    log.py         the log of requests, if one is asked for
    guard.py       connections: how many, how slow, from where, and with which key
    app.py         the routes
    server.py      the server around them: it listens, loads anew and stops

Only the command line imports it.
"""
