"""How a run is shown to a person: the HTML report and the terminal summary.

    report.py    one self-contained HTML file, from report.html.j2, report.css and js/
    table.py     the columns of its table, each declared once
    page.py      how a page is made of templates and written
    compare.py   scorers and ways of asking side by side: a table, a page, a section of the report
    questions.py single questions, followed from the first answer to the last
    sample.py    which of them are shown, where there are more than a page can hold
    map.py       where each question lies on the knowledge map
    charts.py    the geometry of the other charts
    words.py     numbers and outcomes in plain words
    terminal.py  the end of a run in the terminal

It reads records and the summary.  Nothing imports it but the loop and the command line.
"""
