"""The canonical form of an architecture: networks that compute the same, up to their weights, are one.

Every value of a graph is named by the operation and the names of what it reads; sums, products and concatenations
forget the order of their terms and sums of sums are one sum; identities and terms that are zero leave no trace, and
what reads nothing but zeros is zero (as Ying et al 2019).  The rule by which Dong & Yang 2020 count 6,466 classes of
NAS-Bench-201 keeps zero terms of sums; without them there are 4,930.
"""

from __future__ import annotations

import hashlib

from autonas.architectures.graph import Graph, Node
from autonas.architectures.merges import Add, Average, Concat, Multiply, ShakeShake, Zeros

__all__ = ["canonical"]

Terms = tuple[str, ...]
"""A value as the sum of named values, sorted; empty: zero."""


def canonical(graph: Graph) -> str:
    """Hexadecimal digest, equal for isomorphic graphs.

    Parameters
    ----------
    graph : Graph
        Of a configuration, not relaxed.
    """
    values: list[Terms] = []
    for node in graph.nodes:
        values.append(_value(node, [values[i] for i in node.inputs]))
    return _digest("sum", values[graph.result])


def _digest(what: str, parts: Terms) -> str:
    return hashlib.blake2b(" ".join((what, *parts)).encode(), digest_size=12).hexdigest()


def _value(node: Node, inputs: list[Terms]) -> Terms:
    if not node.inputs:
        return ("input",)
    first = node.layers[0]
    if isinstance(first, Add):
        return tuple(sorted(term for terms in inputs for term in terms))
    if isinstance(first, Zeros) or not any(inputs):
        return ()
    names = tuple(terms[0] if len(terms) == 1 else _digest("sum", terms) for terms in inputs)
    if isinstance(first, Average | Multiply | Concat | ShakeShake):
        names = tuple(sorted(names))
    return (_digest(repr(node.layers), names),)
