"""What a call costs, measured: `python -m tests.bench`.

The parts, in the order in which a measurement passes them: `__main__` the command, `measure` the
turns of the processes, `child` one such process, `scenarios` what is measured in it, `contenders`
who is measured, `server` who answers, `parts` what is measured of flashlite alone, `stores` what
each store adds to a call, `evals` what a provider adds to a sample of Inspect; then `targets` what
we hold ourselves to, and `table`. `logs` (the writing of logs) and `pools` (shared limits) are
commands of their own.

A new scenario is a function and a row in `scenarios.py`, a new contender a function and a row in
`contenders.py`. Nothing here is a test: times are shown, and with `--check` only ratios with a wide
margin fail.
"""
