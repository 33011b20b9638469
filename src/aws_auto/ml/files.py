"""Model files without pickle: XGBoost UBJ, skops with our own allow-list, and JSON, in a bundle that checks itself.

A bundle is a mapping of file names to bytes. ``model.json`` names the format, its version and the recipe, holds the
small parameters, and lists size and SHA-256 of every other file and of itself; nothing is parsed before its digest
holds. Equal content gives equal bytes (fixed zip times, no object ids), because artefacts are stored by content.

What this protects against: damaged files, files of another tool or version, pickles, zip bombs, types that nobody
expects. What it does not: somebody who can write a whole consistent bundle decides what the model answers. The
registry's own digest is the guard against that.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT = "aws-auto-model"
VERSION = 1
META = "model.json"

MAX_FILE = 256 * 2**20
MAX_UNPACKED = 512 * 2**20
MAX_MEMBERS = 20_000

#: Types that a skops file of ours may hold: plain containers, arrays, and the estimators that the specification names.
ALLOWED_TYPES = frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.NoneType",
        "builtins.str",
        "builtins.tuple",
        "numpy.bool",
        "numpy.dtype",
        "numpy.float64",
        "numpy.int32",
        "numpy.int64",
        "numpy.intp",
        "numpy.ndarray",
        "sklearn.decomposition._pca.PCA",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble._iforest.IsolationForest",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.svm._classes.OneClassSVM",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.ExtraTreeRegressor",
        "sklearn.tree._tree.Tree",
    }
)

_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle(recipe: str, body: Mapping[str, Any], parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a model: ``parts`` and a ``model.json`` that describes and checks them.

    Args:
        recipe: name of the recipe that can load it.
        body: plain JSON; numbers must be finite.
        parts: further files by name.
    """
    head = {
        "format": FORMAT,
        "version": VERSION,
        "recipe": recipe,
        "files": {name: {"bytes": len(data), "sha256": _digest(data)} for name, data in sorted(parts.items())},
        "body": body,
    }
    return {META: _canonical({**head, "sha256": _digest(_canonical(head))}), **dict(sorted(parts.items()))}


def open_bundle(files: Mapping[str, bytes], recipe: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Body and parts of a bundle that `bundle` made for the same recipe; files it does not list are left out.

    Raises:
        ArtifactError: something is missing, foreign, oversized or changed.
    """
    if META not in files:
        raise ArtifactError(f"holds no {META}; there is {', '.join(sorted(files)) or 'nothing'}", where=recipe)
    head = _json(files[META], META)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ArtifactError("is JSON, but not a model of aws-auto", where=META)
    if head.get("version") != VERSION:
        raise ArtifactError(
            f"has format version {head.get('version')!r}, this release reads version {VERSION}",
            where=META,
            hint="train the model again with this release, or install the release that wrote it",
        )
    claimed = head.pop("sha256", None)
    if claimed != _digest(_canonical(head)):
        raise ArtifactError("was changed after it was written: its checksum does not match", where=META)
    if head.get("recipe") != recipe:
        raise ArtifactError(f"is a model of {head.get('recipe')!r}, not of {recipe!r}", where=META)
    return dict(head["body"]), {name: _checked(files, name, said) for name, said in head["files"].items()}


def to_ubj(booster: Any) -> bytes:  # noqa: ANN401 - xgboost is imported where it is needed
    """An ``xgboost.Booster`` as UBJ."""
    return bytes(booster.save_raw(raw_format="ubj"))


def from_ubj(data: bytes, name: str = "booster.ubj") -> Any:  # noqa: ANN401 - an xgboost.Booster
    """The booster in that UBJ.

    Raises:
        ArtifactError: it is no UBJ of an XGBoost model, or is cut short.
    """
    import xgboost

    _refuse_obvious(data, name)
    if not data.startswith(b"{L"):
        raise ArtifactError("is not an XGBoost model in UBJ", where=name)
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(data))
    except (xgboost.core.XGBoostError, ValueError, MemoryError) as error:
        raise ArtifactError("is damaged: XGBoost cannot read it", where=name) from error
    return booster


def to_skops(value: Any) -> bytes:  # noqa: ANN401 - an estimator or plain containers of arrays
    """An estimator or arrays as a skops file whose bytes depend on the content alone.

    skops writes object ids and the present time into its zip; both are replaced here.

    Raises:
        ArtifactError: the value holds a type that `from_skops` would refuse.
    """
    import skops.io

    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(value))) as source:
        arrays = {m: _without_padding(source.read(m)) for m in source.namelist() if m.endswith(".npy")}
        schema = _renamed(json.loads(source.read("schema.json")), {m: _digest(data)[:32] for m, data in arrays.items()})
    _refuse_types(schema, "skops")
    contents = {f"{_digest(data)[:32]}.npy": data for data in arrays.values()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as out:
        for name, data in sorted(contents.items()):
            out.writestr(zipfile.ZipInfo(name, _EPOCH), data)
        # The order of keys means something to skops, so this JSON keeps it.
        out.writestr(zipfile.ZipInfo("schema.json", _EPOCH), json.dumps(schema, separators=(",", ":")))
    return target.getvalue()


def from_skops(data: bytes, name: str = "model.skops") -> Any:  # noqa: ANN401 - whatever was stored
    """What a skops file holds, when every type in it is on `ALLOWED_TYPES`; the file's own claims count for nothing.

    Raises:
        ArtifactError: a pickle, a damaged or oversized zip, or a type that is not on the list.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    _refuse_obvious(data, name)
    schema = _checked_zip(data, name)
    _refuse_types(schema, name)
    try:
        return skops.io.loads(data, trusted=sorted(ALLOWED_TYPES))
    except UntrustedTypesFoundException as error:
        raise ArtifactError(f"holds types that are not allowed: {error}", where=name) from error
    except (ValueError, TypeError, KeyError, AttributeError, ImportError, OSError, zipfile.BadZipFile) as error:
        raise ArtifactError("is damaged: skops cannot read it", where=name) from error


def to_parquet(table: pl.DataFrame) -> bytes:
    """A table as Parquet bytes."""
    target = io.BytesIO()
    table.write_parquet(target, compression="zstd", statistics=False)
    return target.getvalue()


def from_parquet(data: bytes, name: str = "reference.parquet") -> pl.DataFrame:
    """The table in those Parquet bytes.

    Raises:
        ArtifactError: it is no Parquet, or is damaged.
    """
    _refuse_obvious(data, name)
    try:
        return pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError("is damaged or no Parquet file", where=name) from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(value: Any) -> bytes:  # noqa: ANN401 - plain JSON
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True).encode()


def _json(data: bytes, name: str) -> Any:  # noqa: ANN401 - plain JSON
    _refuse_obvious(data, name)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtifactError("is damaged: it is not JSON", where=name) from error


def _refuse_obvious(data: bytes, name: str) -> None:
    if data.startswith(_PICKLE):
        raise ArtifactError("is a pickle; a pickle runs code when it is opened and is never loaded here", where=name)
    if len(data) > MAX_FILE:
        raise ArtifactError(f"is {len(data) / 2**20:.0f} MiB, over the {MAX_FILE // 2**20} MiB allowed", where=name)


def _checked(files: Mapping[str, bytes], name: str, said: Mapping[str, Any]) -> bytes:
    if name not in files:
        raise ArtifactError("belongs to the model and is missing", where=name)
    data = files[name]
    _refuse_obvious(data, name)
    if len(data) != said.get("bytes") or _digest(data) != said.get("sha256"):
        raise ArtifactError("was changed after it was written: its checksum does not match", where=name)
    return data


def _checked_zip(data: bytes, name: str) -> Any:  # noqa: ANN401 - plain JSON
    """The schema of a zip whose declared size is bearable and holds what it declares."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            members = source.infolist()
            unpacked = sum(m.file_size for m in members)
            if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED:
                raise ArtifactError(
                    f"would unpack to {unpacked / 2**20:.0f} MiB in {len(members)} files; that is no model of ours",
                    where=name,
                )
            if any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise ArtifactError("is compressed; our own skops files never are", where=name)
            if broken := source.testzip():
                raise ArtifactError(f"is damaged: {broken} fails its checksum", where=name)
            return _json(source.read("schema.json"), f"{name}/schema.json")
    except (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArtifactError("is not a skops file, or is cut short", where=name) from error


def _refuse_types(schema: Any, name: str) -> None:  # noqa: ANN401 - plain JSON
    found = {f"{node.get('__module__')}.{node['__class__']}" for node in _nodes(schema) if node.get("__class__")}
    if extra := sorted(found - ALLOWED_TYPES):
        raise ArtifactError(f"holds types that are not allowed: {', '.join(extra)}", where=name)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - plain JSON
    """Every object of a JSON document, in document order; without recursion, which a hostile file would exhaust."""
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            yield top
            stack.extend(reversed(top.values()))
        elif isinstance(top, list):
            stack.extend(reversed(top))


def _renamed(schema: Any, digests: Mapping[str, str]) -> Any:  # noqa: ANN401 - plain JSON
    """The schema with array files named by content, and object ids replaced by their place in the document.

    skops writes every object out in full and never refers back by id, so a place is as good an id as any.
    """
    for place, node in enumerate(_nodes(schema), 1):
        if "__id__" in node:
            node["__id__"] = place
        if node.get("file") in digests:
            node["file"] = f"{digests[node['file']]}.npy"
    return schema


def _without_padding(npy: bytes) -> bytes:
    """A decision tree's records have unused bytes between their fields, holding whatever memory held: zero them."""
    array = np.load(io.BytesIO(npy), allow_pickle=False)
    if array.dtype.names is None:
        return npy
    clean = np.zeros(array.shape, array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    target = io.BytesIO()
    np.save(target, clean, allow_pickle=False)
    return target.getvalue()
