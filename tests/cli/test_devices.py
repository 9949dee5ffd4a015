"""`mullama devices`: a table of what is there."""

from __future__ import annotations

import pytest

from mullama.cli import main
from mullama.llama import devices
from mullama.llama.devices import Device

FOUND = [
    Device("CUDA0", "gpu", "CUDA0", "NVIDIA H100 80GB HBM3", 79 << 30, 80 << 30),
    Device("CPU", "cpu", "CPU", "A processor", 16 << 30, 16 << 30),
]


def test_devices_are_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "devices", lambda: FOUND)
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "name   kind  buffer type  free      total     description",
        "CUDA0  gpu   CUDA0        79.0 GiB  80.0 GiB  NVIDIA H100 80GB HBM3",
        "CPU    cpu   CPU          16.0 GiB  16.0 GiB  A processor",
    ]


def test_the_cpu_of_this_machine_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    assert any(line.startswith("CPU ") for line in capsys.readouterr().out.splitlines())
