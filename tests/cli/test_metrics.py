import csv

from spikeframe.cli.metrics import COLUMNS, to_csv


def test_table_has_a_header_and_a_row_per_epoch():
    rows = [dict.fromkeys(COLUMNS, 1 / 3 + epoch) for epoch in range(2)]
    rows[0]["epoch"] = 1.0
    first, *rest = csv.reader(to_csv(rows).decode().splitlines())
    assert tuple(first) == COLUMNS
    assert rest[0] == ["1"] + ["0.333333"] * (len(COLUMNS) - 1)
    assert rest[1] == ["1.33333"] * len(COLUMNS)


def test_table_of_no_epochs_is_its_header():
    assert to_csv([]).decode() == ",".join(COLUMNS) + "\n"
