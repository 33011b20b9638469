from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError
from aws_auto.ml import files


@pytest.fixture(scope="module")
def booster():
    import xgboost

    X = np.random.default_rng(0).normal(size=(200, 3))
    return xgboost.train(
        {"objective": "reg:squarederror", "nthread": 1}, xgboost.QuantileDMatrix(X, X[:, 0]), num_boost_round=4
    )


@pytest.fixture(scope="module")
def forest():
    from sklearn.ensemble import IsolationForest

    return IsolationForest(n_estimators=3, random_state=0).fit(np.random.default_rng(0).normal(size=(100, 3)))


@pytest.fixture
def packed():
    return files.bundle("demand-forecaster", {"a": 1.5}, {"part.bin": b"12345"})


def test_a_bundle_comes_back_as_it_was_packed(packed):
    body, parts = files.open_bundle(packed, "demand-forecaster")
    assert body == {"a": 1.5}
    assert parts == {"part.bin": b"12345"}


def test_files_that_the_bundle_does_not_list_are_left_out(packed):
    _, parts = files.open_bundle({**packed, "reference.parquet": b"x"}, "demand-forecaster")
    assert list(parts) == ["part.bin"]


def test_a_single_changed_byte_anywhere_is_noticed(packed):
    for name, data in packed.items():
        for at in range(0, len(data), 7):
            changed = bytes([*data[:at], data[at] ^ 0x01, *data[at + 1 :]])
            with pytest.raises(ArtifactError) as caught:
                files.open_bundle({**packed, name: changed}, "demand-forecaster")
            assert caught.value.where


def _with_head(packed, **changes):
    head = json.loads(packed[files.META])
    head.update(changes)
    return {**packed, files.META: json.dumps(head).encode()}


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda _: {}, "holds no model.json"),
        (lambda p: {**p, files.META: b"{"}, "not JSON"),
        (lambda p: {**p, files.META: b'{"format": "mlflow"}'}, "not a model of aws-auto"),
        (lambda p: {**p, files.META: b"[" * 200_000}, "not JSON"),
        (lambda p: _with_head(p, version=99), "format version 99"),
        (lambda p: {files.META: p[files.META]}, "missing"),
        (lambda p: {**p, "part.bin": b"1234"}, "checksum"),
        (lambda p: {**p, files.META: pickle.dumps({"a": 1})}, "pickle"),
    ],
)
def test_what_is_not_our_bundle_is_refused_with_a_sentence(packed, broken, sentence):
    with pytest.raises(ArtifactError, match=sentence):
        files.open_bundle(broken(packed), "demand-forecaster")


def test_a_model_of_another_recipe_is_refused(packed):
    with pytest.raises(ArtifactError, match="is a model of 'demand-forecaster', not of 'cost-optimizer'"):
        files.open_bundle(packed, "cost-optimizer")


def test_a_number_that_json_cannot_say_is_refused_when_packing():
    with pytest.raises(ValueError, match="JSON"):
        files.bundle("x", {"a": float("nan")}, {})


def test_a_booster_answers_the_same_after_a_round_trip(booster):
    X = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    again = files.from_ubj(files.to_ubj(booster))
    assert (again.inplace_predict(X) == booster.inplace_predict(X)).all()
    assert files.to_ubj(again) == files.to_ubj(booster)


def test_a_booster_that_is_cut_short_anywhere_is_refused(booster):
    data = files.to_ubj(booster)
    for length in (0, 1, 9, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(ArtifactError):
            files.from_ubj(data[:length])


def test_json_in_place_of_ubj_is_refused():
    with pytest.raises(ArtifactError, match="not an XGBoost model"):
        files.from_ubj(b'{"learner": {}}')


def test_an_estimator_answers_the_same_after_a_round_trip(forest):
    X = np.random.default_rng(1).normal(size=(20, 3))
    again = files.from_skops(files.to_skops(forest))
    assert (again.score_samples(X) == forest.score_samples(X)).all()


def test_equal_estimators_give_equal_bytes(forest):
    from sklearn.ensemble import IsolationForest

    twin = IsolationForest(n_estimators=3, random_state=0).fit(np.random.default_rng(0).normal(size=(100, 3)))
    assert files.to_skops(forest) == files.to_skops(twin)
    assert files.to_skops(files.from_skops(files.to_skops(forest))) == files.to_skops(forest)


def test_an_estimator_that_nobody_expects_is_refused_both_ways():
    import skops.io
    from sklearn.neighbors import KNeighborsClassifier

    foreign = KNeighborsClassifier()
    with pytest.raises(ArtifactError, match="KNeighborsClassifier"):
        files.to_skops(foreign)
    with pytest.raises(ArtifactError, match="KNeighborsClassifier"):
        files.from_skops(skops.io.dumps(foreign))


def _rezipped(data, change, compression=zipfile.ZIP_STORED):
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w", compression) as out:
        for name in source.namelist():
            out.writestr(name, change(name, source.read(name)))
    return target.getvalue()


def test_a_type_slipped_into_the_schema_is_refused(forest):
    def sneak(name, data):
        return data.replace(b'"IsolationForest"', b'"Popen"') if name == "schema.json" else data

    with pytest.raises(ArtifactError, match="Popen"):
        files.from_skops(_rezipped(files.to_skops(forest), sneak))


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("schema.json", b"0" * 1000)
        out.filelist[0].file_size = files.MAX_UNPACKED + 1  # what a bomb's directory says
    with pytest.raises(ArtifactError, match="unpack to"):
        files.from_skops(target.getvalue())


def test_a_compressed_skops_file_is_not_ours(forest):
    with pytest.raises(ArtifactError, match="compressed"):
        files.from_skops(_rezipped(files.to_skops(forest), lambda _, data: data, zipfile.ZIP_DEFLATED))


def test_flipped_bytes_in_a_skops_file_give_a_sentence_or_the_same_model(forest):
    data = files.to_skops(forest)
    for at in np.random.default_rng(0).integers(0, len(data), 60):
        changed = bytes([*data[:at], data[at] ^ 0xFF, *data[at + 1 :]])
        try:
            files.from_skops(changed)
        except ArtifactError as error:
            assert str(error)  # noqa: PT017 - most flips are refused, a flip in a zip time is not seen


@pytest.mark.parametrize("load", [files.from_skops, files.from_ubj, files.from_parquet])
def test_a_pickle_is_named_as_such_by_every_reader(load):
    with pytest.raises(ArtifactError, match="pickle"):
        load(pickle.dumps([1, 2, 3]))


@pytest.mark.parametrize("load", [files.from_skops, files.from_ubj, files.from_parquet])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PAR1", b"\x00" * 100])
def test_garbage_is_refused_by_every_reader(load, data):
    with pytest.raises(ArtifactError):
        load(data)


def test_parquet_comes_back_and_equal_tables_give_equal_bytes():
    table = pl.DataFrame({"a": [1.0, None], "b": ["x", "y"]})
    assert files.from_parquet(files.to_parquet(table)).equals(table)
    assert files.to_parquet(table) == files.to_parquet(table.clone())


def test_an_oversized_file_is_refused_without_parsing():
    with pytest.raises(ArtifactError, match="over the 256 MiB"):
        files.from_ubj(bytes(files.MAX_FILE + 1))
