"""A JSON Schema document: which schema a `$ref` means.

References are resolved as JSON Schema 2020-12 (core, sections 8 and 9) and draft-07 do: against the
base URI that `$id` sets, then by JSON Pointer (RFC 6901) or by `$anchor`, all within the document
that was sent. Nothing is ever fetched.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

_DATA = frozenset({"const", "default", "enum", "examples"})  # values, not schemas


class UnknownReference(ValueError):
    """There is no such schema in the document."""


class Document:
    """The schemas of a document that can be referred to, by URI."""

    def __init__(self, root: Any) -> None:
        self._resources: dict[str, Any] = {"": root}
        self._anchors: dict[str, Any] = {}
        self._root = root
        draft = root.get("$schema") if isinstance(root, dict) else None
        self.is_old = isinstance(draft, str) and "draft-0" in draft
        self.base = self.base_of(root, "")
        self._index(root, "")

    def base_of(self, node: Any, base: str) -> str:
        """The base URI within `node`, which stands where it is `base`."""
        given = node.get("$id", node.get("id")) if isinstance(node, dict) else None
        if not isinstance(given, str) or given.startswith("#"):  # draft-07's way to write an anchor
            return base
        if self.is_old and "$ref" in node and node is not self._root:
            return base  # draft-07 ignores what stands beside a reference
        return urldefrag(urljoin(base, given)).url

    def resolve(self, ref: str, base: str) -> tuple[str, Any, str]:
        """The absolute URI that `ref` means at `base`, the schema there, and its base URI."""
        uri, fragment = urldefrag(urljoin(base, ref) if base else ref)
        if uri not in self._resources:
            raise UnknownReference("it is not in this document, and nothing is fetched")
        full = f"{uri}#{fragment}"
        if fragment and not fragment.startswith("/"):
            if full not in self._anchors:
                raise UnknownReference("there is no such anchor")
            return full, self._anchors[full], uri
        return full, _at(self._resources[uri], unquote(fragment)), uri

    def _index(self, root: Any, base: str) -> None:
        todo = [(root, base)]
        while todo:
            node, base = todo.pop()
            if isinstance(node, dict):
                base = self._enter(node, base)
                todo += [(value, base) for key, value in node.items() if key not in _DATA]
            elif isinstance(node, list):
                todo += [(value, base) for value in node]

    def _enter(self, node: dict[str, Any], base: str) -> str:
        inner = self.base_of(node, base)
        if inner != base:
            self._resources.setdefault(inner, node)
        for keyword in ("$anchor", "$dynamicAnchor", "$id", "id"):
            name = node.get(keyword)
            if isinstance(name, str) and (keyword.endswith("nchor") or name.startswith("#")):
                self._anchors[f"{inner}#{name.removeprefix('#')}"] = node
        return inner


def _at(node: Any, pointer: str) -> Any:
    for word in pointer.split("/")[1:]:
        word = word.replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(word)] if isinstance(node, list) else node[word]
        except (KeyError, IndexError, ValueError, TypeError):
            raise UnknownReference("there is nothing at that place") from None
    return node
