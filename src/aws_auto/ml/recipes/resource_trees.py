"""A fitted forest of regression trees as plain arrays: small on disk, no pickle, and answers without scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import ArtifactError
from aws_auto.ml import files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FILE = "trees.skops"
#: Answers are shares between 0 and 1; a share is stored as one of so many steps.
_STEPS = 65_535


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees one after the other in flat arrays.

    Attributes:
        roots: place of each tree's root.
        feature: of each node, -1 in a leaf.
        threshold: values up to it go left.
        left: place of the left child; in a leaf the row of its answer in ``answers``.
        right: place of the right child.
        answers: of the leaves, ``(leaves, outputs)``, in steps of 1/65535.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Array
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    answers: NDArray[np.uint16]

    @classmethod
    def of(cls, forest: Any) -> Trees:  # noqa: ANN401 - a RandomForestRegressor, which has no types
        """The arrays of a fitted scikit-learn forest whose outputs are shares."""
        roots, parts = [], []
        answers: list[Array] = []
        nodes = leaves = 0
        for one in forest.estimators_:
            tree = one.tree_
            leaf = tree.children_left < 0
            number = leaves + np.cumsum(leaf) - 1
            roots.append(nodes)
            parts.append(
                (
                    np.where(leaf, -1, tree.feature),
                    np.where(leaf, 0.0, tree.threshold),
                    np.where(leaf, number, tree.children_left + nodes),
                    np.where(leaf, 0, tree.children_right + nodes),
                )
            )
            answers.append(tree.value[leaf, :, 0])
            nodes, leaves = nodes + len(leaf), leaves + int(leaf.sum())
        feature, threshold, left, right = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(
            roots=np.array(roots, dtype=np.int32),
            feature=feature.astype(np.int32),
            threshold=threshold.astype(np.float64),
            left=left.astype(np.int32),
            right=right.astype(np.int32),
            answers=np.round(np.concatenate(answers) * _STEPS).astype(np.uint16),
        )

    def predict(self, known: Array) -> Array:
        """The mean answer of all trees, ``(n, outputs)``."""
        # scikit-learn compares single precision, and so must we to take the same turns.
        single = known.astype(np.float32)
        rows = np.arange(len(known))
        total = np.zeros((len(known), self.answers.shape[1]))
        for root in self.roots:
            place = np.full(len(known), root)
            while (inner := self.feature[place] >= 0).any():
                at = place[inner]
                goes_left = single[rows[inner], self.feature[at]] <= self.threshold[at]
                place[inner] = np.where(goes_left, self.left[at], self.right[at])
            total += self.answers[self.left[place]]
        return np.asarray(total / (len(self.roots) * _STEPS))

    def to_bytes(self) -> bytes:
        """For a file."""
        return files.to_skops({f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Trees:
        """The inverse of `to_bytes`.

        Raises:
            ArtifactError: the bytes hold something else.
        """
        held = files.from_skops(data, FILE)
        if not isinstance(held, dict) or set(held) != {f.name for f in fields(cls)}:
            raise ArtifactError("does not hold the arrays of trees", where=FILE)
        return cls(**held)
