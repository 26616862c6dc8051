import ctypes
import subprocess
import sys

import pytest
import torch

from hilum.errors import UsageError
from hilum.inference import choose_device, tune_cpu


def test_auto_takes_the_best_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_an_error_with_a_way_out(monkeypatch, device):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=f"--device {device}.*Use --device auto or cpu"):
        choose_device(device)


def test_an_unknown_device_is_refused():
    with pytest.raises(UsageError, match="one of auto, cpu, cuda, mps, found gpu"):
        choose_device("gpu")


def test_tuning_asks_glibc_for_both_thresholds(monkeypatch):
    asked = []

    class Library:
        @staticmethod
        def mallopt(which, value):
            asked.append((which, value))
            return int(value != 1 << 30 or which != -3)  # as a glibc that refuses the first wish

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    assert tune_cpu() is True
    assert asked == [(-3, 1 << 30), (-3, 1 << 25), (-1, (1 << 31) - 1)]


def test_tuning_does_nothing_elsewhere(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # a C library without mallopt
    monkeypatch.setattr(sys, "platform", "linux")
    assert tune_cpu() is False
    monkeypatch.setattr(sys, "platform", "darwin")
    assert tune_cpu() is False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's memory")
def test_what_nobody_uses_goes_back_to_the_system():
    """In a process of its own, for the setting cannot be taken back."""
    code = """
import torch
from hilum.inference.device import give_back_memory, tune_cpu

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if not tune_cpu():
    print("no glibc")
else:
    blocks = [torch.ones(1 << 20) for _ in range(64)]
    kept = torch.ones(16)
    del blocks
    before = resident()
    give_back_memory()
    print((before - resident()) >> 20)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    if found == "no glibc":
        pytest.skip("not glibc")
    assert int(found) > 200
