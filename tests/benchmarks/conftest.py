"""No rests between measurements, since nothing here is measured."""

from __future__ import annotations

import pytest

from benchmarks import rounds, soak


@pytest.fixture(autouse=True)
def _without_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SETTLE", 0.0)
    monkeypatch.setattr(soak, "SETTLE", 0.0)
