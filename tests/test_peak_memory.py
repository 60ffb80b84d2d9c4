"""The peak of a piece of work is measured, whatever was in memory before."""

import pytest
import torch

from direction_finder.discovery import peak_memory
from direction_finder.discovery.peak_memory import RESET, PeakMeter, in_use, peak

CPU = torch.device("cpu")
MIB = 2**20


def fill(mib: int) -> None:
    torch.ones(mib * MIB // 4)


@pytest.mark.skipif(not RESET.exists(), reason="the system cannot begin a peak anew")
def test_the_need_of_a_piece_of_work_is_not_hidden_by_an_earlier_peak():
    fill(256)
    meter = PeakMeter(CPU)
    meter.start()
    assert meter.highest >= meter.base > 0
    fill(64)
    assert 60 * MIB <= meter.need() <= 80 * MIB
    before = meter.highest
    meter.start()
    assert meter.need() < 32 * MIB
    assert meter.highest >= before


def test_systems_without_a_status_report_the_peak_of_the_whole_process(monkeypatch, tmp_path):
    used = in_use(CPU)
    monkeypatch.setattr(peak_memory, "STATUS", tmp_path / "none")
    monkeypatch.setattr(peak_memory, "RESET", tmp_path / "none" / "either")
    assert abs(in_use(CPU) - used) < 64 * MIB
    meter = PeakMeter(CPU)
    meter.start()
    first = meter.need()
    fill(256)
    assert meter.need() >= first
    assert peak(CPU) >= meter.base + meter.need() - MIB
