"""Recurrence solves a task that needs memory; benchmarks/tasks.py measures it at length."""

import importlib.util
import sys

import torch
from house.sources import ROOT

SPEC = importlib.util.spec_from_file_location("tasks", ROOT / "benchmarks" / "tasks.py")
tasks = importlib.util.module_from_spec(SPEC)
sys.modules["tasks"] = tasks  # where its dataclass looks for itself
SPEC.loader.exec_module(tasks)


def accuracy(network):
    torch.manual_seed(0)
    task, networks = tasks.delayed_xor(0), tasks.TASKS["delayed xor"][1]
    return tasks.train(networks[network](), task)


def test_a_bit_seen_long_ago_needs_feedback():
    assert accuracy("RLeaky, one to one") == 1.0
    assert accuracy("Leaky") < 0.6


def test_spike_times_are_one_to_a_neuron_and_differ_by_class():
    task = tasks.randman(0)
    x_seq, labels = task.test
    assert x_seq.shape == (80, 1200, 20)
    assert torch.equal(x_seq.sum(0), torch.ones(1200, 20))
    assert labels.bincount().min() > 80
    times = x_seq.argmax(0).float()
    means = torch.stack([times[labels == k].mean(0) for k in range(10)])
    assert (means[0] - means[1]).abs().max() > 8
