"""Files that survive a kill, and data files of other people."""
