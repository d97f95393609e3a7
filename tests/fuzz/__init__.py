"""Coverage-guided fuzzing: what is shown bytes nobody thought of, and what must hold whatever they
are.

`targets/` has a module for each thing that reads what others wrote, `corpus/` its inputs: a few for
all paths known so far, and each one that ever failed.  `make fuzz` looks for more.
"""
