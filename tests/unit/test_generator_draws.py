"""Random words, and distributions that are looked up without floating point."""

import math
from decimal import Context
from statistics import NormalDist

import numpy as np
import pytest

from crossfade.generator import draws
from crossfade.generator.draws import (
    Choice,
    LogNormal,
    LogUniform,
    below,
    draw,
    find_normal,
    key_of,
    mix,
    take_bits,
)

WORDS = draw(key_of(1, "test"), np.arange(1_000_000))
DRAWS = take_bits(WORDS, 32, 32)


def test_words_are_those_of_split_mix_64() -> None:
    """The first three words of the sequence that begins at 0, from the authors' code."""
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert draw(np.uint64(0), np.arange(3)).tolist() == expected
    zero = np.zeros(1, np.uint64)
    assert [int(draw(zero, number)[0]) for number in range(3)] == expected


def test_a_key_is_unique_to_its_seed_and_purpose() -> None:
    keys = {int(key_of(seed, purpose)) for seed in (1, 2) for purpose in ("a", "b")}
    assert len(keys) == 4
    assert int(key_of(1, "songs")) == 0x8A1D6237541E7F04


def test_every_bit_of_a_word_is_set_half_of_the_time() -> None:
    for bit in range(64):
        assert float(take_bits(WORDS, bit, 1).mean()) == pytest.approx(0.5, abs=0.003)
    assert len(np.unique(mix(WORDS))) == len(WORDS)


def test_below_returns_each_number_equally_often() -> None:
    counts = np.bincount(below(WORDS, 7), minlength=7)
    assert len(counts) == 7
    assert counts / len(WORDS) == pytest.approx(1 / 7, abs=0.002)
    limits = np.array([1, 2**31])
    assert below(np.array([2**64 - 1] * 2, np.uint64), limits).tolist() == [0, 2**31 - 1]
    assert below(np.zeros(2, np.uint64), limits).tolist() == [0, 0]


def test_choices_are_as_frequent_as_their_weights() -> None:
    weights = np.array([5, 0, 1, 94])
    counts = np.bincount(Choice(weights).find(WORDS), minlength=4)
    assert counts[1] == 0
    assert counts / len(WORDS) == pytest.approx(weights / 100, abs=0.001)


def test_a_choice_of_one_is_always_that_one() -> None:
    assert set(Choice([3]).find(WORDS[:1_000]).tolist()) == {0}


def test_weights_whose_sum_exceeds_64_bits_are_accepted() -> None:
    counts = np.bincount(Choice([2**60, 2**60, 2**61], 20).find(WORDS))
    assert counts / len(WORDS) == pytest.approx([0.25, 0.25, 0.5], abs=0.002)


def test_log_normal_values_have_the_median_and_sigma_asked_for() -> None:
    law = LogNormal(1_000_000, 800_000)
    logs = np.log(law.find(DRAWS, 32))
    assert float(np.median(logs)) == pytest.approx(math.log(1_000_000), abs=0.005)
    assert float(logs.std()) == pytest.approx(0.8, abs=0.005)
    assert law.mean == pytest.approx(1_000_000 * math.exp(0.32), rel=0.005)
    assert float(law.find(DRAWS, 32).mean()) == pytest.approx(law.mean, rel=0.005)


def test_log_normal_values_stay_within_their_limits() -> None:
    found = LogNormal(1_000, 2_000_000, least=500, most=2_000).find(DRAWS, 32)
    assert (found.min(), found.max()) == (500, 2_000)
    ends = np.array([0, 2**32 - 1])
    low, high = LogNormal(1_000, 500_000).find(ends, 32).tolist()
    assert 0 < low < 1_000 < high


def test_log_uniform_values_are_small_as_often_as_large() -> None:
    found = LogUniform(10, 100_000).find(DRAWS, 32)
    assert found.min() >= 10
    assert found.max() <= 100_000
    decades = np.histogram(np.log10(found), bins=[1, 2, 3, 4, 5])[0] / len(found)
    assert decades == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize(("least", "most"), [(0, 0), (0, 1), (7, 7)])
def test_log_uniform_limits_may_be_equal_or_zero(least: int, most: int) -> None:
    found = LogUniform(least, most).find(DRAWS[:1_000], 32)
    assert set(found.tolist()) == {max(least, 1)}


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_normal_values_are_normal_for_any_number_of_bits(bits: int) -> None:
    found = find_normal(take_bits(WORDS, 32, bits), bits) / 1e6
    assert float(found.mean()) == pytest.approx(0, abs=0.005)
    assert float(found.std()) == pytest.approx(1, abs=0.005)
    assert float((np.abs(found) < 1.96).mean()) == pytest.approx(0.95, abs=0.002)


def test_no_quantile_is_close_to_a_rounding_edge() -> None:
    """A machine whose logarithm differs in its last bit must compute the same integers."""
    exact = [NormalDist().inv_cdf((i + 0.5) / 4_097) * 1e6 for i in range(4_097)]
    assert min(abs(z - math.floor(z) - 0.5) for z in exact) > 1e-5


def test_more_digits_than_thirty_make_the_same_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [LogNormal(1_800_000, 800_000)._table, LogUniform(60_000, 2**37)._table]
    monkeypatch.setattr(draws, "_EXACT", Context(prec=60))
    after = [LogNormal(1_800_000, 800_000)._table, LogUniform(60_000, 2**37)._table]
    for one, other in zip(before, after, strict=True):
        assert one.tolist() == other.tolist()
        assert (np.diff(one) > 0).all()
