"""YAML that says what JSON could, no more: of version 1.2's core (https://yaml.org/spec/1.2.2), and written so that
readers of version 1.1 take it for the same.

Refused are anchors and aliases (a small text could stand for a huge one), tags, a name twice, names that are no text,
a second document, and what JSON refuses. A date is text; so is a bare `no` or `on`, which version 1.1 takes for false
and true: a country's code is none of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml  # type: ignore[import-untyped]

from chalicelib.entrypoints._json import INTEGER_DIGITS_MAX, JSON_DEPTH_MAX
from chalicelib.kernel.errors import DomainError

MEDIA_TYPE = "application/yaml"
WIDTH = 100

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_OTHER_BREAK = re.compile("[\x85\u2028\u2029]")
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


class MalformedYaml(DomainError):
    slug = "malformed-yaml"
    detail = "The body is not YAML that can be read: {why}"


def read_yaml(raw: bytes) -> Any:
    """The one document as plain JSON-able values; no document at all is an empty object. Raises MalformedYaml."""
    try:
        events = yaml.parse(raw.decode(), Loader=yaml.SafeLoader)
        return _document(iter(events))
    except UnicodeDecodeError as error:
        raise MalformedYaml(why="it is not UTF-8") from error
    except yaml.MarkedYAMLError as error:
        place = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        raise MalformedYaml(why=f"{error.problem or 'it cannot be read'}{place}"[:200]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise MalformedYaml(why=str(error)[:200]) from error


def yaml_text(value: Any) -> str:
    """Plain values as YAML, innermost lists and objects in one line each."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH))


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """Quotes what either version of YAML would not take for text; writes the same list twice rather than an alias."""

    def __init__(self, stream: Any, **options: Any) -> None:
        super().__init__(stream, **{**options, "default_flow_style": None})

    def represent_str(self, data: str) -> Any:
        """In double quotes where PyYAML would leave a line break as it is that a reader folds."""
        style = '"' if _OTHER_BREAK.search(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(str, _Dumper.represent_str)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _document(events: Iterator[Any]) -> Any:
    value: Any = {}
    seen = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            seen += 1
            if seen > 1:
                raise MalformedYaml(why="there is more than one document")
            value = _value(next(events), events, JSON_DEPTH_MAX)
    return value


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    """What begins with this event; `depth` levels may be below."""
    line = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise MalformedYaml(why=f"an anchor or alias in line {line}: write it out")
    if event.tag is not None:
        raise MalformedYaml(why=f"a tag in line {line}")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event, line)
    if depth == 0:
        raise MalformedYaml(why=f"it is nested too deeply in line {line}")
    if isinstance(event, yaml.SequenceStartEvent):
        return list(_items(events, depth - 1))
    return _object(events, depth - 1)


def _items(events: Iterator[Any], depth: int) -> Iterator[Any]:
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        yield _value(event, events, depth)


def _object(events: Iterator[Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        name = _value(event, events, 0)
        line = event.start_mark.line + 1
        if not isinstance(name, str):
            raise MalformedYaml(why=f"a name that is no text in line {line}: quote it")
        if name in found:
            raise MalformedYaml(why=f"the name {name[:60]} stands twice, again in line {line}")
        found[name] = _value(next(events), events, depth)
    return found


def _scalar(event: Any, line: int) -> Any:
    text: str = event.value
    if _HALF_A_CHARACTER.search(text):
        raise MalformedYaml(why=f"half of a surrogate pair in line {line}")
    if event.style:  # quoted, or a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NO_NUMBER.match(text):
        raise MalformedYaml(why=f"{text} in line {line} is no number of JSON")
    if _INTEGER.match(text):
        if len(text) > INTEGER_DIGITS_MAX:
            raise MalformedYaml(why=f"a number in line {line} is too large")
        return int(text)
    if _FLOAT.match(text):
        number = float(text)
        if math.isinf(number):
            raise MalformedYaml(why=f"a number in line {line} is too large")
        return number
    return text
