"""Benchmarks of what a call costs: `python -m tests.bench`.

The modules, in the order in which a measurement uses them: `__main__` is the command, `measure`
runs the processes in turns, `child` is one such process, `scenarios` are the measurements,
`contenders` the libraries measured, `server` the loopback server, `parts` measures flashlite alone,
`stores` what each store adds to a call, `evals` what a provider adds to a sample of Inspect;
`targets` are the numbers to reach, and `table` prints the results. `logs` (writing logs) and
`pools` (shared limits) are commands of their own.

To add a scenario, add a function and a row in `scenarios.py`; to add a contender, a function and a
row in `contenders.py`. Nothing here is a test: times are only shown, and with `--check` only ratios
far outside their targets fail.
"""
