"""What is free between what is kept goes back to the system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, os
from piaa.server.allocator import give_back

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")

# 1,000 buffers of 100 kB in glibc's heap, every one followed by a small value that is kept.
large = []
for _ in range(1000):
    large.append(libc.malloc(100_000))
    ctypes.memset(large[-1], 1, 100_000)
    libc.malloc(64)
for place in large:
    libc.free(place)
before = resident()
print(give_back(), before - resident())
"""


@pytest.mark.skipif(
    "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}), reason="the C library is not glibc"
)
def test_memory_between_kept_values_is_given_back():
    out = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    done, returned = out.split()
    assert done == "True"
    assert int(returned) > 80_000_000  # of 100 million, whole pages alone
