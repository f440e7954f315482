"""Blocks change the order in memory, never a value."""

import numpy as np
import pytest

from perfusynth.volumes.memory_order import to_c_order, to_fortran_order


@pytest.mark.parametrize("shape", [(1, 1, 1), (31, 5, 7), (32, 4, 3), (70, 9, 2)])
def test_values_stay_and_order_changes(shape):
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    fortran = to_fortran_order(array)
    assert fortran.flags.f_contiguous
    np.testing.assert_array_equal(fortran, array)
    back = to_c_order(fortran, np.float64)
    assert back.flags.c_contiguous
    assert back.dtype == np.float64
    np.testing.assert_array_equal(back, array)
