"""The words for how a program is."""

from worker.readiness import Phase


def test_a_program_is_starting_until_all_was_well_once_and_degraded_afterwards() -> None:
    phase = Phase()
    told = [phase.told(well) for well in (False, False, True, False, True)]
    assert told == ["starting", "starting", "ready", "degraded", "ready"]
    assert phase.running() is None


def test_a_program_that_stops_is_never_ready_however_well_all_is() -> None:
    phase = Phase()
    phase.stop()
    assert [phase.told(well) for well in (True, False)] == ["stopping", "stopping"]
    assert phase.running() == "The program is stopping."
