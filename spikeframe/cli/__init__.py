"""The ``spikeframe`` command."""
