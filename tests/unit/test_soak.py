"""What a long run says of growth."""

from tests.soak.samples import Sample, growths


def test_growth_is_by_the_hour_and_what_happened_while_it_warmed_up_does_not_count() -> None:
    seconds = range(0, 3601, 60)
    samples = [
        Sample(at, {"memory_mib": 50 + (40 if at < 900 else 10 * at / 3600), "files": 20.0 + (at // 60) % 2})
        for at in seconds
    ]
    memory, files = growths(samples)
    assert round(memory.per_hour, 6) == 10
    assert not memory.is_flat
    assert files.is_flat
    assert (files.most, files.limit) == (21, 1)


def test_what_shrinks_is_flat() -> None:
    (memory,) = growths([Sample(at, {"memory_mib": 90.0 - at}) for at in (0.0, 10.0, 20.0)])
    assert memory.is_flat
