"""What a call costs, measured: `python -m tests.bench`.

The parts, in the order in which a measurement passes them: `__main__` the command, `measure` the
turns of the processes, `child` one such process, `scenarios` what is measured in it, `contenders`
who is measured, `server` who answers, `parts` what is measured of flashlite alone; then `targets`
what we hold ourselves to, and `table`.

A new scenario is a function and a row in `scenarios.py`, a new contender a function and a row in
`contenders.py`. Nothing here is a test: times are shown, and with `--check` only ratios with a wide
margin fail.
"""
