from spikeframe.cli.errors import CommandError


def test_message_is_one_line():
    error = CommandError(ValueError("first\n  second\tthird"))
    assert str(error) == "first second third"
