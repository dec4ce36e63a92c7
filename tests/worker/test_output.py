"""What makes write goes to the worker's log, each line with its key."""

from datajoint import blob

from tests.worker.lab import Lab


def test_every_way_to_the_output_ends_in_the_log_with_its_key(lab: Lab) -> None:
    lab.fill("speak", "insert", "speak")
    with lab.worker() as worker:
        lab.until_done()
        worker.stop()
    lines = worker.log.splitlines()
    for item in (1, 3):
        written = [line.removeprefix(f"[item={item}] ") for line in lines if line.startswith(f"[item={item}] ")]
        for text in (f"printed {item}", f"to stderr {item}", f"from C {item}", f"from a child {item}", "100%"):
            assert text in written
        assert any(line.endswith(f"[WARNING]: logged {item}") for line in written)
        assert "\\xff\0garbage" in written
        assert "".join(line for line in written if line and set(line) == {"x"}) == "x" * 50_000
        assert f"no newline {item}" in written
    assert not any(line.startswith("[item=2]") for line in lines)
    assert not any("\x1e" in line for line in lines)


def test_the_traceback_of_a_failure_is_in_the_log_and_on_the_row(lab: Lab) -> None:
    lab.fill("fail")
    with lab.worker() as worker:
        lab.until_done(left={1: "error"})
        worker.stop()
    assert "[item=1] Traceback (most recent call last):" in worker.log
    ((stack,),) = lab.execute(f"SELECT error_stack FROM {lab.document().jobs}")
    assert "ValueError: too few beats" in blob.unpack(bytes(stack))


def test_a_worker_whose_log_nobody_reads_any_more_stops(lab: Lab) -> None:
    lab.fill("insert", "wait", "speak")
    with lab.worker(piped=True) as worker:
        lab.until_in_make(2)
        worker.stop_reading()
        lab.let(2)
        assert worker.exit_code() == 0
    assert "reserved" not in lab.statuses().values()
