"""Making a small instance of a JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

from .merging import merged
from .values import KINDS, kinds, numbers, strings

# Keywords that are resolved first; all others describe a single value.
_CHOICES = ("$ref", "allOf", "anyOf", "oneOf", "if", "then", "else")
_MOST_STEPS = 5_000
_GENEROUS_STEPS = 500
_MOST_MEMBERS = 1000
_MOST_VARIANTS = 64


class NoInstance(Exception):
    """The schema is invalid, cannot be satisfied, or is too complex for this module."""


def instance(schema: Mapping[str, Any] | bool) -> Any:
    """Return a value that fits the schema; raise NoInstance if none is found.

    Optional properties are included until the schema repeats itself, so recursive schemas end. The
    result is validated: with a keyword that this module does not know it may find no instance, but
    it never returns a wrong one.
    """
    try:
        return json.loads(_instance_of_text(json.dumps(schema, allow_nan=False)))
    except RecursionError:
        raise NoInstance("it is nested too deeply, or refers to itself without end") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise NoInstance(str(error)) from error


@lru_cache(maxsize=256)
def _instance_of_text(text: str) -> str:
    """Make an instance from a schema's text, cached because evals repeat the same schema."""
    schema = json.loads(text)
    if isinstance(schema, dict):
        schema.pop("$schema", None)  # read as the newest draft, like providers do
    return json.dumps(_Maker(schema).make(), allow_nan=False)


class _Path(NamedTuple):
    """The references followed so far; after the first repetition only required values are made."""

    references: frozenset[str] = frozenset()
    is_small: bool = False

    def enter(self, reference: str) -> _Path | None:
        if reference not in self.references:
            return _Path(self.references | {reference}, self.is_small)
        return None if self.is_small else _Path(frozenset({reference}), is_small=True)


class _Maker:
    def __init__(self, root: Any) -> None:
        # jsonschema comes with inspect_ai and is slow to import.
        from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
        from referencing.jsonschema import EMPTY_REGISTRY

        self._root = root
        self._dialect = Draft202012Validator
        self._check(root)
        # The empty registry prevents references from being fetched over the network.
        self._validator = Draft202012Validator(root, registry=EMPTY_REGISTRY)
        self._found: dict[str, Any] = {}
        self._small: dict[str, list[Any]] = {}
        self._steps = 0

    def make(self) -> Any:
        for value in self._values(self._root, _Path()):
            return value
        raise NoInstance("no value was found that fits it")

    def _values(self, schema: Any, path: _Path) -> Iterator[Any]:
        """Yield values that fit, the simplest first."""
        for way, inner in self._ways(schema, path):
            for value in self._candidates(way, inner):
                if self._fits(value, schema):
                    yield value

    def _fits(self, value: Any, schema: Any) -> bool:
        from referencing.exceptions import Unresolvable

        try:
            return bool(self._validator.evolve(schema=schema).is_valid(value))
        except Unresolvable as error:
            raise NoInstance(f"a reference leads nowhere: {error.ref!r}") from error

    def _ways(self, schema: Any, path: _Path) -> Iterator[tuple[dict[str, Any], _Path]]:
        """Yield the schema with references and choices resolved, once for each combination."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise NoInstance("it is too large, or no value fits it")
        if isinstance(schema, bool):
            if schema:
                yield {}, path
            return
        parts = [[part] for part in schema.get("allOf", ())]
        parts += [schema[name] for name in ("anyOf", "oneOf") if name in schema]
        if "if" in schema:
            then = {"allOf": [schema["if"], schema.get("then", True)]}
            parts.append([then, schema.get("else", True)])
        if "$ref" in schema:
            entered = path.enter(schema["$ref"])
            if entered is None:
                return
            path = entered
            parts.insert(0, [self._look_up(schema["$ref"])])
        own = {name: value for name, value in schema.items() if name not in _CHOICES}
        yield from self._joined(own, parts, path)

    def _joined(
        self, own: dict[str, Any], parts: list[list[Any]], path: _Path
    ) -> Iterator[tuple[dict[str, Any], _Path]]:
        if not parts:
            yield own, path
            return
        for option in parts[0]:
            for way, inner in self._ways(option, path):
                yield from self._joined(merged(own, way), parts[1:], inner)

    def _candidates(self, way: Mapping[str, Any], path: _Path) -> Iterator[Any]:
        yield from (way[name] for name in ("default", "const") if name in way)
        if "enum" in way:
            yield from way["enum"]
            return
        for kind in kinds(way):
            match kind:
                case "object":
                    yield from self._objects(way, path)
                case "array":
                    yield from self._arrays(way, path)
                case "string":
                    yield from strings(way)
                case "integer" | "number":
                    yield from numbers(way, whole=kind == "integer")
                case _:
                    yield from KINDS[kind]
        yield from way.get("examples", ())

    def _arrays(self, way: Mapping[str, Any], path: _Path) -> Iterator[list[Any]]:
        prefix = way.get("prefixItems", [])
        fewest, most = int(way.get("minItems", 0)), way.get("maxItems", _MOST_MEMBERS)
        wanted = [way["contains"]] * int(way.get("minContains", 1)) if "contains" in way else []
        usual = 0 if self._is_small(path) else max(len(prefix), 1)
        for count in dict.fromkeys((max(fewest, min(usual, most)), fewest)):
            count = min(max(count, len(prefix) + len(wanted) if wanted else 0), _MOST_MEMBERS)
            rest = way.get("items", True)
            members = [*prefix, *({"allOf": [one, rest]} for one in wanted)]
            members += [rest] * (count - len(members))
            made = self._members(members[:count], path, unique=way.get("uniqueItems", False))
            if made is not None:
                yield made

    def _members(self, schemas: list[Any], path: _Path, *, unique: bool) -> list[Any] | None:
        made: dict[str, Any] = {}
        for position, schema in enumerate(schemas):
            for value in islice(self._values(schema, path), _MOST_MEMBERS):
                key = json.dumps(value, sort_keys=True) if unique else str(position)
                if key not in made:
                    made[key] = value
                    break
            else:
                return None
        return list(made.values())

    def _objects(self, way: Mapping[str, Any], path: _Path) -> Iterator[dict[str, Any]]:
        """Yield an object with all its properties, one with the required ones, and variants."""
        offered, required = way.get("properties", {}), way.get("required", ())
        everything = [] if self._is_small(path) else [*offered, *required]
        for names in (everything, [*(name for name in offered if name in required), *required]):
            made = self._filled(way, path, self._properties(way, path, names))
            yield made
            for name in made:
                for value in islice(self._values(_member(way, name), path), 1, _MOST_VARIANTS):
                    yield made | {name: value}

    def _properties(self, way: Mapping[str, Any], path: _Path, names: list[str]) -> dict[str, Any]:
        """Make the properties that can be made; validation finds missing required ones."""
        made = {name: self._first(_member(way, name), path) for name in dict.fromkeys(names)}
        return {name: found[0] for name, found in made.items() if found}

    def _first(self, schema: Any, path: _Path) -> list[Any]:
        """Return a list with one value or none; a reference's small value is cached."""
        is_shared = self._is_small(path) and isinstance(schema, dict) and schema.keys() == {"$ref"}
        reference: str = schema["$ref"] if is_shared else ""
        found = self._small.get(reference) or list(islice(self._values(schema, path), 1))
        if is_shared and found:
            self._small[reference] = found
        return found

    def _filled(self, way: Mapping[str, Any], path: _Path, made: dict[str, Any]) -> dict[str, Any]:
        """Drop optional properties beyond maxProperties, or invent some up to minProperties."""
        spare = [name for name in made if name not in way.get("required", ())]
        surplus = max(0, len(made) - int(way.get("maxProperties", len(made))))
        made = {name: made[name] for name in made if name not in spare[len(spare) - surplus :]}
        fewest = min(int(way.get("minProperties", 0)), _MOST_MEMBERS)
        for name in self._names(way, path, fewest) if len(made) < fewest else ():
            if name not in made and len(made) < fewest:
                made |= self._properties(way, path, [name])
        return made

    def _names(self, way: Mapping[str, Any], path: _Path, count: int) -> Iterator[str]:
        yield from way.get("properties", ())
        naming = [{"type": "string"}, way.get("propertyNames", True)]
        patterns = [{"pattern": pattern} for pattern in way.get("patternProperties", ())]
        for more in ({}, *patterns):
            yield from islice(self._values({"allOf": [*naming, more]}, path), 2 * count)

    def _is_small(self, path: _Path) -> bool:
        return path.is_small or self._steps > _GENEROUS_STEPS

    def _look_up(self, reference: str) -> Any:
        if reference not in self._found:
            found = self._root
            try:
                start, *steps = unquote(reference).split("/")
                if start != "#":
                    raise LookupError
                for step in steps:
                    step = step.replace("~1", "/").replace("~0", "~")
                    found = found[int(step) if isinstance(found, list) else step]
            except (LookupError, TypeError, ValueError):
                raise NoInstance(f"a reference leads nowhere: {reference!r}") from None
            self._check(found)
            self._found[reference] = found
        return self._found[reference]

    def _check(self, schema: Any) -> None:
        from jsonschema import SchemaError

        try:
            self._dialect.check_schema(schema)
        except SchemaError as error:
            raise NoInstance(f"it is no JSON schema: {error.message[:200]}") from None


def _member(way: Mapping[str, Any], name: str) -> Any:
    """Return the schema of one property."""
    parts = [way["properties"][name]] if name in way.get("properties", {}) else []
    patterns = way.get("patternProperties", {}).items()
    parts += [schema for pattern, schema in patterns if re.search(pattern, name)]
    if not parts:
        return way.get("additionalProperties", True)
    return parts[0] if len(parts) == 1 else {"allOf": parts}
