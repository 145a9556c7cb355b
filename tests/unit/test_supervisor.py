from gateway.processes.supervisor import how_it_ended


def test_an_end_is_told_by_exit_code_or_by_the_name_of_the_signal() -> None:
    assert (how_it_ended(2), how_it_ended(-9)) == ("exit code 2", "SIGKILL")
