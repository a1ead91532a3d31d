"""`selfstudy status RUN`: how far a run is, without a lock and without reading its records.

status.py     all of it, put together            counting.py   how many items of a step are done
jobs.py       what the queue and the logs say
"""
