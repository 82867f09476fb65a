"""Running samples, where Inspect's viewer looks for them: `.buffer/<log>/`.

The format is that of logs shared over a file system
(`inspect_ai/log/_recorders/buffer/filestore.py`): archives, each with what samples gained since the
one before, and a manifest that lists them.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..types.ids import new_id
from ..whole_file import whole_file
from .journal import Cursor
from .plain import Fragment, encode
from .samples import Sample

_COUNTERS = {
    "events": "last_event_id",
    "attachments": "last_attachment_id",
    "messages": "last_message_pool_id",
    "calls": "last_call_pool_id",
}


@dataclass
class _Shown:
    """A running sample: how far it was shown, and in which archives."""

    cursor: Cursor
    segments: list[int] = field(default_factory=list[int])


class Live:
    """Shows running samples; it may be called by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shown: dict[str, _Shown] = {}
        self._segments: dict[int, dict[str, int]] = {}
        self._last = dict.fromkeys(_COUNTERS.values(), 0)
        self._is_begun = False

    def show(self, samples: Sequence[Sample]) -> None:
        """Show these samples as they are now, and no others."""
        if not samples and not self._is_begun:
            return
        self._is_begun = True
        self.folder.mkdir(parents=True, exist_ok=True)
        gone = self._shown.keys() - {sample.uuid for sample in samples}
        for uuid in gone:
            del self._shown[uuid]
        self._write_segment(samples)
        manifest = {
            "metrics": [],
            "samples": [self._entry(sample) for sample in samples],
            "segments": [{"id": id, **last} for id, last in self._segments.items()],
        }
        self._replace("manifest.json", encode(manifest))
        self._drop_segments()

    def remove(self) -> None:
        """Remove all files."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # not empty: another run shows samples there
            self.folder.parent.rmdir()

    def _entry(self, sample: Sample) -> dict[str, Any]:
        with sample.lock:
            return {"summary": sample.summary(), "segments": self._shown[sample.uuid].segments}

    def _write_segment(self, samples: Sequence[Sample]) -> None:
        id = max(self._segments, default=0) + 1
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
            for sample in samples:
                shown = self._shown.setdefault(sample.uuid, _Shown(Cursor(sample.transcript)))
                with sample.lock:
                    gained = shown.cursor.gained()
                if gained:
                    member = encode(self._rows(sample, gained))
                    members.writestr(f"{sample.id}_{sample.epoch}.json", member)
                    shown.segments.append(id)
        if any(id in shown.segments for shown in self._shown.values()):
            self._replace(f"segment.{id}.zip", archive.getvalue())
            self._segments[id] = dict(self._last)

    def _rows(self, sample: Sample, gained: dict[str, list[Any]]) -> dict[str, Any]:
        whose = {"sample_id": str(sample.id), "epoch": sample.epoch}

        def row(kind: str, **more: Any) -> dict[str, Any]:
            self._last[_COUNTERS[kind]] += 1
            return {"id": self._last[_COUNTERS[kind]], **whose, **more}

        return {
            "events": [
                row("events", event_id=new_id(), event=Fragment(event))
                for event in gained.get("events", ())
            ],
            "attachments": [
                row("attachments", hash=hash, content=content)
                for hash, content in gained.get("attachments", ())
            ],
            "message_pool": [
                row("messages", msg_id=new_id(), data=item.decode())
                for item in gained.get("messages", ())
            ],
            "call_pool": [
                row("calls", hash=new_id(), data=item.decode()) for item in gained.get("calls", ())
            ],
        }

    def _drop_segments(self) -> None:
        """Remove archives that no shown sample uses."""
        used = {id for shown in self._shown.values() for id in shown.segments}
        for id in self._segments.keys() - used - {max(self._segments, default=0)}:
            del self._segments[id]
            (self.folder / f"segment.{id}.zip").unlink(missing_ok=True)

    def _replace(self, name: str, content: bytes) -> None:
        with whole_file(self.folder / name) as file:
            file.write(content)
