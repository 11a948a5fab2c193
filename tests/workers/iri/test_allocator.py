import subprocess
import sys

import pytest

from workers.iri.memory import keep_freed_memory

pytestmark = pytest.mark.torch

# Pages taken from the system while tensors of 64 MiB come and go.
_FAULTS = """
import resource, torch
from tests.workers.iri.tiny import SIZE, ChannelMeans, built
from workers.iri.inversion import invert
from workers.iri.memory import give_back_freed_memory, keep_freed_memory
from workers.iri.recipe import preset
{first}
def come_and_go():
    return torch.full((1 << 24,), 1.0).sum()
come_and_go(), come_and_go()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    come_and_go()
    {between}
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
_SEARCH = """
recipe = preset("reg_free", image_size=SIZE, steps=2)
invert(built(ChannelMeans()), "pool", torch.rand(1, 3, SIZE, SIZE), recipe, [0])
"""


def _faults(first: str, between: str = "") -> int:
    script = _FAULTS.format(first=first, between=between)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(ran.stdout)


@pytest.fixture(autouse=True)
def _only_where_it_can_be() -> None:
    if not keep_freed_memory():
        pytest.skip("this C library has no mallopt: nothing is changed, and nothing can be shown")


def test_a_search_lets_freed_memory_be_used_again_without_asking_the_system() -> None:
    asked_anew, kept = _faults(""), _faults(_SEARCH)
    assert asked_anew > 1000
    assert kept < asked_anew / 100


def test_what_was_kept_can_be_given_back() -> None:
    assert _faults("keep_freed_memory()", "give_back_freed_memory()") > 1000
