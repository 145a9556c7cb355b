from gateway.processes.supervisor import how_it_ended, restart_delay_s


def test_a_restart_waits_longer_after_each_quick_death_up_to_half_a_minute() -> None:
    delays = [restart_delay_s(deaths) for deaths in (1, 2, 3, 6, 7, 8, 10_000)]

    assert delays == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0, 30.0]


def test_an_end_is_told_by_exit_code_or_by_the_name_of_the_signal() -> None:
    assert (how_it_ended(2), how_it_ended(-9)) == ("exit code 2", "SIGKILL")
