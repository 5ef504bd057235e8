"""Other frameworks' names on spikeframe's engine: a program moves over by changing its imports."""
