"""JSON with attribute access, used for other libraries' response objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Record(dict[str, Any]):
    """A part of an answer in OpenAI's form: `record.choices` is `record["choices"]`.

    It is a dict that can be dumped as JSON. Attributes that begin with an underscore are kept
    outside the dict.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this part of the answer has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self[name] = value

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"{type(self).__name__}({fields})"

    @classmethod
    def of(cls, value: Any) -> Any:
        """Return JSON with attribute access on all levels."""
        if isinstance(value, Mapping):
            return cls({name: cls.of(member) for name, member in value.items()})
        return [cls.of(member) for member in value] if isinstance(value, list) else value

    def model_dump(self, *, exclude_none: bool = False, **_: Any) -> dict[str, Any]:
        """Return plain dicts and lists; pydantic's other arguments have no effect."""
        plain: dict[str, Any] = _plain(self, exclude_none)
        return plain

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return the answer as JSON text."""
        return json.dumps(self.model_dump(**options), indent=indent, ensure_ascii=False)

    to_dict = json = model_dump


def _plain(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _plain(member, exclude_none)
            for name, member in value.items()
            if member is not None or not exclude_none
        }
    return [_plain(member, exclude_none) for member in value] if isinstance(value, list) else value
