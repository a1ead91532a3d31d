"""`selfstudy submit RECIPE --slurm`: a run as jobs of a queue, each of which does one part of a round.

    ask-1 -> shards-1 (an array) -> merge-1 -> teach-1 -> verify-1 -> ask-2 -> ...

    chain.py       which jobs a run still needs, and what each waits for
    batch_file.py  a job as a file for sbatch
    queue.py       sbatch, squeue and sacct, which are strangers' programs
    submit.py      writes the files, submits what is neither done nor waiting
    notes.py       what a job that failed leaves for `selfstudy status`

*Why shards are runs.*  A run directory has one writer, so jobs that work side by side each have one of their
own inside it (run/shards.py): RUN/shards/003-of-008 has the questions whose hashed id falls to the third of
eight.  Asking is one job, for it is sequential and tells repeats of all questions apart; it also builds the
index of the library, which the shards then read.  `merge` joins them by question, in the order of the run's
questions (run/merging.py).  With `shards: 1` there is nothing to join: probe and gather are a job each.

*Why all rounds are submitted at once.*  A job of a round that is not needed any more (standing.why_stop)
ends at once, which costs a turn in the queue; the other way, the job that verifies would submit the next
round, and on many clusters no job may submit one.  What is to run is so seen beforehand, by people, by
--dry-run and by the queue.

*Failures.*  Every job waits with afterok for the one before it, and is cancelled if that fails
(--kill-on-invalid-dep): nothing waits for ever.  Jobs are put back into the queue when they are preempted or
their node fails (--requeue), and go on, for every part goes on when it is given again; a job that ends by
itself, for an error that a person must fix (2) or a budget (3), is not.  `submit` again submits only what is
neither done nor in the queue, of shards only those that are left.

*The environment.*  Jobs get the environment of who submits (--export=ALL, sbatch's own default): keys travel
by the queue's own means and are in no file of ours.  `submit` says which variables the recipe needs.

Knows recipes, runs and queues; nothing of what a job does.
"""
