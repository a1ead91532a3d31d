"""What a person asks of a run or a machine, beside the loop itself."""
