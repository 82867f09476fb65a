"""The parts of Inspect that we use and that it does not export are still there.

Last seen in Inspect 0.3.285. A failure here means that a release moved one: the plugin still
works, with a little less comfort, until `_private.py` follows.
"""

from __future__ import annotations

from inspect_ai.log import transcript

from flashlite.inspect_ai import _private


def test_every_private_part_is_found() -> None:
    names = ("_show_call", "_event", "_report_id", "_epoch", "_override", "_was_cached", "_stream")
    assert {name: getattr(_private, name) is not None for name in names} == dict.fromkeys(
        names, True
    )
    assert callable(getattr(transcript(), "_event", None))
    assert _private.PrerequisiteError.__module__ == "inspect_ai._util.error"
    assert _private.TerminateSampleError.__module__ == "inspect_ai._util.exception"


def test_there_is_no_epoch_outside_of_a_sample() -> None:
    assert _private.current_epoch() is None
