"""Input that means harm, drawn by a seed: bundles, manifests, recipes, sets and pictures.

    python -m tests.hostile [--seed 0] [--share 1]

A case is a folder of files and a command line. `run` runs cases in a process of its own, with a deadline for each,
and `faults` says what was wrong: a traceback, a hang, too much memory, more than one line of error.
"""
