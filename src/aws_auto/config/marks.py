"""YAML text to plain data that remembers where every value stands.

Nodes are read rather than values, because PyYAML overwrites a duplicate key in silence and forgets positions. Every
fault becomes a located `Problem`; nothing is constructed from tags, and aliases, depth and size are limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from aws_auto.config.quantities import shown
from aws_auto.config.scalars import Trap, value_of
from aws_auto.config.secrets import redacted, secret_kind
from aws_auto.errors import Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_ALIASES = 100
MAX_VALUES = 5000

#: Keys and list positions from the top of the document.
Path = tuple[str | int, ...]

#: Part of a PyYAML message, and what it means to somebody who writes YAML.
_PLAIN = {
    "found character '\\t'": "a tab stands where YAML wants spaces; indent with spaces",
    "expected a single document": "a second document begins here (---); put it into a file of its own",
    "mapping values are not allowed here": "a colon is not allowed here; quote the text, or correct the indentation",
    "could not find expected ':'": "a key has no colon behind it",
    "expected <block end>": "the indentation does not fit the lines above, or a dash is missing",
    "found undefined alias": "this alias (*) has no anchor (&) above it",
    "while scanning a quoted scalar": "a quoted text is not closed, or holds an unknown escape",
    "did not find expected": "the indentation does not fit the lines above",
    "cannot start any token": "plain text cannot begin with this character; quote the text",
    "while scanning an alias": "a * begins an alias; quote the text",
    "expected ',' or": "a comma or a closing bracket is missing",
    "<stream end>": "the file ends in the middle of a value",
    "'\\x00'": "the file ends in the middle of a value",
}


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file. Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass
class Marked:
    """What a file holds, where each value stands, and what is wrong with it. Lists are tuples."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    marks: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    #: Paths that have a problem already, so that nobody complains about them twice.
    spoilt: set[Path] = field(default_factory=set)

    def mark(self, path: Path) -> Mark:
        """Where the path stands: its key, its list entry, or the nearest thing above it that exists."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return Mark(self.file, 1, 1)

    def complain(self, path: Path, message: str, *, hint: str | None = None, at: Mark | None = None) -> None:
        """Add a problem; secrets in the sentence are hidden."""
        mark = at or self.mark(path)
        said = (redacted(message), redacted(hint) if hint else None)
        self.problems.append(Problem(mark.file, mark.line, mark.column, path_text(path), *said))


def path_text(path: Path) -> str:
    """The path with dots, ``document`` for the whole."""
    steps = [str(s) if isinstance(s, int) or (s.isprintable() and len(s) <= 60) else shown(s) for s in path]
    return redacted(".".join(steps)) or "document"


def read(content: str | bytes, file: str) -> Marked:
    """Read one YAML document. Never raises for what stands in it: see ``problems`` of the answer."""
    marked = Marked(file)
    text = _text(content, marked)
    node = _compose(text, marked) if text is not None else None
    if node is None:
        if not marked.problems:
            marked.complain((), "the file is empty; start from one that aws-auto ml template prints")
        return marked
    if not isinstance(node, yaml.MappingNode) or not node.value:
        marked.complain(
            (), "the top level is not a mapping of keys to values, such as model_monitoring:", at=_at(node, file)
        )
        return marked
    try:
        marked.data = _Walk(marked).mapping(node, ())
    except _TooMuchError as limit:
        marked.complain((), str(limit), at=_at(node, file))
    return marked


class _TooMuchError(Exception):
    """A limit was passed; reading stops."""


def _text(content: str | bytes, marked: Marked) -> str | None:
    """The characters of the file, None when it cannot be read as UTF-8 at all."""
    if len(content) > MAX_BYTES:
        marked.complain((), f"the file is larger than {MAX_BYTES // 1024} KiB, which no configuration needs")
        return None
    text = content if isinstance(content, str) else _decoded(content, marked)
    if text is not None and text.startswith("\ufeff"):
        marked.complain((), "the file starts with a byte order mark; save it as UTF-8 without BOM")
        return text[1:]
    return text


def _decoded(content: bytes, marked: Marked) -> str | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        marked.complain((), "the file is UTF-16; save it as UTF-8")
        return None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        at = _after(content[: error.start].decode(), marked.file)
        marked.complain((), f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8", at=at)
        return None


class _LimitError(yaml.MarkedYAMLError):
    """A limit was passed while composing; its problem is a plain sentence already."""


class _Loader(yaml.SafeLoader):
    """Composes nodes, with limits. Explicit tags are collected: they are refused, never followed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.aliases = 0
        self.nodes = 0
        self.tagged: list[yaml.Mark] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - PyYAML's own
        event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it bare
        self.nodes += 1
        self.aliases += isinstance(event, yaml.AliasEvent)
        self.depth += 1
        for count, limit, sentence in (
            (self.depth, MAX_DEPTH, f"nested deeper than {MAX_DEPTH} levels"),
            (self.aliases, MAX_ALIASES, f"more than {MAX_ALIASES} aliases"),
            (self.nodes, 2 * MAX_VALUES, f"the document holds more than {MAX_VALUES} values"),
        ):
            if count > limit:
                raise _LimitError(problem=sentence, problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node is not None and getattr(event, "tag", None) is not None:
            self.tagged.append(event.start_mark)
            node.tag = "tag:yaml.org,2002:str"
        return node


def _compose(text: str, marked: Marked) -> yaml.Node | None:
    loader = None
    try:
        loader = _Loader(text)
        node: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Mark(marked.file, mark.line + 1, mark.column + 1) if mark else None
        marked.complain((), _plain(error), at=at)
    except yaml.reader.ReaderError as error:
        at = _after(text[: error.position], marked.file)
        code = error.character if isinstance(error.character, int) else ord(error.character)
        marked.complain((), f"the character U+{code:04X} is not allowed in YAML", at=at)
    except (ValueError, OverflowError):
        # PyYAML turns "\UFFFFFFFF" into chr() without a check.
        mark = loader.get_mark() if loader else None
        at = Mark(marked.file, mark.line + 1, mark.column + 1) if mark else None
        marked.complain((), "an escape in a quoted text names no character", at=at)
    else:
        for tag in loader.tagged:
            at = Mark(marked.file, tag.line + 1, tag.column + 1)
            marked.complain((), "tags (!) are not used in this file; remove it", at=at)
        return node
    return None


def _plain(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _LimitError):
        return str(error.problem)
    said = f"{error.context or ''} {error.problem or ''}".strip()
    return next((plain for part, plain in _PLAIN.items() if part in said), f"not YAML: {said}")


def _after(text: str, file: str) -> Mark:
    return Mark(file, text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


def _at(node: yaml.Node, file: str) -> Mark:
    return Mark(file, node.start_mark.line + 1, node.start_mark.column + 1)


class _Walk:
    """Turns nodes into data. Aliases are expanded, so values are counted here, not in the text."""

    def __init__(self, marked: Marked) -> None:
        self.marked = marked
        self.values = 0

    def value(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - YAML holds anything
        self.values += 1
        if self.values > MAX_VALUES:
            raise _TooMuchError(f"the document holds more than {MAX_VALUES} values; are aliases (*) multiplying them?")
        if len(path) > MAX_DEPTH:
            raise _TooMuchError(f"nested deeper than {MAX_DEPTH} levels; does an alias (*) hold itself?")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.entry(child, (*path, i)) for i, child in enumerate(node.value))
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - there are no other nodes
        return self.scalar(node, path)

    def entry(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - YAML holds anything
        self.marked.marks[path] = _at(node, self.marked.file)
        return self.value(node, path)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, path)
            if key is None:
                continue
            if key in data:
                first = self.marked.mark((*path, key))
                self.marked.complain(
                    (*path, key),
                    "this key stands here a second time",
                    hint=f"first in line {first.line}",
                    at=_at(key_node, self.marked.file),
                )
                continue
            self.marked.marks[(*path, key)] = _at(key_node, self.marked.file)
            data[key] = self.value(value_node, (*path, key))
        return data

    def key(self, node: yaml.Node, path: Path) -> str | None:
        """The key, or None when it cannot be one and has been complained about."""
        key = self._key(node)
        if isinstance(key, str):
            return key
        self.marked.spoilt.add(path)
        self.marked.complain(path, key.sentence, at=_at(node, self.marked.file))
        return None

    def _key(self, node: yaml.Node) -> str | Trap:
        if not isinstance(node, yaml.ScalarNode):
            return Trap("a key must be plain text, not a list or a mapping")
        if node.value == "<<" and not node.style:
            return Trap("merge keys (<<) are not read; use an alias for the whole value")
        kind = secret_kind(node.value)
        if kind is not None:
            return Trap(f"a key looks like {kind}; keep secrets out of this file")
        key = value_of(node.value, node.tag, quoted=bool(node.style))
        if isinstance(key, str):
            return key
        return Trap(f"as a key: {key.sentence if isinstance(key, Trap) else f'{node.value} is not text; quote it'}")

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:  # noqa: ANN401 - YAML holds anything
        name = next((s for s in reversed(path) if isinstance(s, str)), "")
        kind = secret_kind(node.value, name=name)
        if kind is not None:
            safer = "keep it out of the file: give it through the environment or a secret store"
            return self._spoilt(path, f"this looks like {kind}", safer)
        value = value_of(node.value, node.tag, quoted=bool(node.style))
        return self._spoilt(path, value.sentence) if isinstance(value, Trap) else value

    def _spoilt(self, path: Path, message: str, hint: str | None = None) -> str:
        """Complain, and stand an empty text where the value was."""
        self.marked.spoilt.add(path)
        self.marked.complain(path, message, hint=hint)
        return ""
