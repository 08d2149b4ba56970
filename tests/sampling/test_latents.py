"""Latents: known answers, a reference implementation, independence of the number of images."""

import math
import subprocess
import sys

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.sampling.latents import draw, philox

KNOWN = [  # counter, key, words: the vectors published with Random123
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_known_answers(counter: str, key: str, answer: str) -> None:
    result = philox(tuple(np.array(w, np.uint64) for w in words(counter)), tuple(words(key)))
    assert [int(w) for w in result] == words(answer)


def plain_philox(counter: list[int], key: list[int]) -> list[int]:
    """The paper's ten rounds, in Python's integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


def plain_normal(seed: int, index: int, size: int) -> list[float]:
    values: list[float] = []
    for block in range(-(-size // 4)):
        counter = [block % 2**32, block >> 32, index % 2**32, index >> 32]
        u = [(w + 0.5) / 2**32 for w in plain_philox(counter, [seed % 2**32, seed >> 32])]
        for a, b in ((u[0], u[1]), (u[2], u[3])):
            radius = math.sqrt(-2 * math.log(a))
            values += [radius * math.cos(2 * math.pi * b), radius * math.sin(2 * math.pi * b)]
    return values[:size]


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 5, 2**64 - 1])
def test_normal_latents_equal_those_of_a_reference_implementation(seed: int) -> None:
    latents = draw(3, 10, seed=seed, first=2**33)
    exact = [plain_normal(seed, 2**33 + i, 10) for i in range(3)]
    np.testing.assert_allclose(latents, exact, rtol=2e-7, atol=1e-7)


def test_an_image_depends_on_seed_and_index_alone() -> None:
    whole = draw(16, 50, seed=3)
    assert np.array_equal(whole[:4], draw(4, 50, seed=3))
    assert np.array_equal(whole[5:9], draw(4, 50, seed=3, first=5))
    assert np.array_equal(whole[:, :20], draw(16, 20, seed=3))
    assert not np.array_equal(whole, draw(16, 50, seed=4))


@pytest.mark.parametrize(
    ("distribution", "mean", "variance"),
    [("normal", 0, 1), ("uniform", 0.5, 1 / 12), ("logistic", 0, math.pi**2 / 3)],
)
def test_moments(distribution, mean: float, variance: float) -> None:
    values = draw(400, 1000, distribution, seed=1).astype(np.float64)
    assert values.dtype == np.float64
    assert abs(values.mean() - mean) < 5 * math.sqrt(variance / values.size)
    assert abs(values.var() / variance - 1) < 0.02
    assert np.isfinite(values).all()


def test_a_seed_outside_its_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"from 0 to 2\^64 - 1, got -1"):
        draw(1, 1, seed=-1)


def test_it_imports_no_torch() -> None:
    code = (
        "import sys; from zoo.sampling import latents; latents.draw(1, 4); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
