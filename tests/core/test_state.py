"""States on disk: equal after a round trip, clear when damaged, never half written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from autonas.core.state import load_state, save_state
from autonas.errors import ModelError

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=20),
    st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    ),
)
keys = st.text("abc/", min_size=1, max_size=4)
states = st.recursive(
    leaves, lambda node: st.lists(node, max_size=3) | st.dictionaries(keys, node, max_size=3), max_leaves=8
)


def same(a, b) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=states)
def test_round_trip(tmp_path, state):
    save_state(tmp_path / "state", state)
    assert same(load_state(tmp_path / "state"), state)


def test_paths_of_nested_keys_do_not_collide(tmp_path):
    state = {"a/b": np.zeros(2), "a": {"b": np.ones(2)}}
    save_state(tmp_path / "s", state)
    assert same(load_state(tmp_path / "s"), state)


def test_numpy_scalars_and_tuples_become_plain(tmp_path):
    save_state(tmp_path / "s", {"n": np.float64(0.5), "t": (1, np.int64(2))})
    assert load_state(tmp_path / "s") == {"n": 0.5, "t": [1, 2]}


def test_views_are_stored_as_they_look(tmp_path):
    array = np.arange(12).reshape(3, 4).T[::2]
    save_state(tmp_path / "s", [array])
    assert (load_state(tmp_path / "s")[0] == array).all()


def test_writing_replaces_and_leaves_nothing_else(tmp_path):
    save_state(tmp_path / "s", 1)
    save_state(tmp_path / "s", 2)
    assert load_state(tmp_path / "s") == 2
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere.* is missing"):
        load_state(tmp_path / "nowhere")


@pytest.mark.parametrize("keep", [0, 5, 40, -3])
def test_a_damaged_file_is_a_model_error(tmp_path, keep):
    save_state(tmp_path / "s", {"a": np.arange(100), "b": "text"})
    (tmp_path / "s").write_bytes((tmp_path / "s").read_bytes()[:keep])
    with pytest.raises(ModelError, match="damaged"):
        load_state(tmp_path / "s")


def test_a_foreign_safetensors_file_is_a_model_error(tmp_path):
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(2)}, tmp_path / "s")
    with pytest.raises(ModelError, match="damaged"):
        load_state(tmp_path / "s")
