"""flashlite's provider beside Inspect's own, on the same samples and the same server.

`cases.py` what is asked and answered, `recording.py` the eval and the server, `record.py` the
command that writes down what Inspect's own provider does, in an environment of its own, since it
needs a newer `openai` than litellm may allow:

    python -m venv /tmp/own && /tmp/own/bin/pip install inspect-ai 'openai>=3.4' aiohttp
    /tmp/own/bin/python -m tests.inspect_ai.parity.record           # writes recordings/
    /tmp/own/bin/python -m tests.inspect_ai.parity.record --check   # fails if they would change

`test_parity.py` does the same with flashlite and sets it against the recordings;
`differences.json` says where the two differ, and why.
"""
