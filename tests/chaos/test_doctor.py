"""The doctor's settings, served: `make doctor` prints what an operator would see."""

from __future__ import annotations

import pytest

from chaos.doctor import PATIENTS, contact

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda each: each.title)
async def test_the_settings_that_are_found_are_needed_and_suffice(patient):
    """All rows, orders and last rows are what the simulator holds; by default they are not."""
    outcome = await contact(patient, say=lambda _text: None)

    assert outcome.exit_code == 1
    assert outcome.found == []
    assert outcome.default != []
