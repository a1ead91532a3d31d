"""A page to work in: starts runs, shows them, lets a person correct them, and talks to what was taught.

    server.py     listens, and says where
    guard.py      who may come in, and what a page may reach for: this host alone
    app.py        the pages, in one list, and the routes beside them
    desk.py       the folder that is worked in: its runs, by name
    markup.py     records as HTML, in which other people's text is never markup
    processes.py  commands that it starts, which outlive it
    run_state.py  at work, stopped, failed or finished
    new_run.py    a new run out of a form; uploads.py: the documents that were given
    handing_over.py   starts publish for a run, and reads what became of it
    index.py      the questions of a run, so that one page of very many is found at once; index_query.py
    downloads.py  every table as a file; cells.py: as CSV in which no cell is a formula
    corrections.py    what a person says of a question, kept and shown
    views/        a file for each page
    templates/    the HTML of what pages show; style.css

It reads run directories, and changes one only by the command line, in a process of its own: a page that is
closed loses nothing.  Needs the extra `ui` (gradio).  Only the command line imports it.
"""
