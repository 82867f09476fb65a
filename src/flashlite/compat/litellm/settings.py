"""Settings for all calls, which litellm keeps as attributes of its module."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .exceptions import InvalidRequestError

_SETTINGS: dict[str, Any] = {
    "api_base": None,
    "api_key": None,
    "drop_params": False,
    "num_retries": None,
    "request_timeout": None,
}
# Settings that cannot change anything here, with their fixed values.
_FIXED: dict[str, Any] = {
    "cache": None,
    "callbacks": [],
    "failure_callback": [],
    "modify_params": False,
    "set_verbose": False,
    "success_callback": [],
    "suppress_debug_info": True,
    "telemetry": False,
}


def setting(name: str) -> Any:
    """Return the current value of a setting."""
    return _SETTINGS[name]


class SettingsModule(ModuleType):
    """A module whose settings take effect, and which refuses those that would not.

    `drop_params` leaves out parameters that a provider does not take, reported once; otherwise they
    raise. `num_retries` are attempts after the first; `request_timeout` is in seconds in total.
    """

    def __getattr__(self, name: str) -> Any:
        known = _SETTINGS | _FIXED
        if name not in known:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return known[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _SETTINGS:
            _SETTINGS[name] = value
        elif name in _FIXED and value == _FIXED[name]:
            return
        elif name in vars(self) or name.startswith("__") or isinstance(value, ModuleType):
            super().__setattr__(name, value)
        else:
            raise InvalidRequestError(
                f"litellm.{name} = {value!r:.80} has no effect here: the settings are "
                f"{', '.join(_SETTINGS)}; for caches, budgets and callbacks make a Flashlite"
            )
