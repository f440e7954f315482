"""The range that maps are shown with."""

import pytest

from perfusynth.report import displays_of
from tests.report.test_report import Head, document


@pytest.mark.parametrize(("scale", "high"), [(1.0, 120.0), (0.45, 60.0)])
def test_synthetic_flow_is_shown_up_to_twice_that_of_normal_tissue(scale, high):
    head = Head()  # normal tissue: 45 mL/100 g/min
    head.maps["cbf"] = head.maps["cbf"].with_array(head.maps["cbf"].array * scale)
    assert displays_of(document(head.regions()))["cbf"].high == high
