import dataclasses
import math

import pytest
import torch

from spikeframe.base import memories
from spikeframe.cli.batches import Batch
from spikeframe.cli.errors import CommandError
from spikeframe.cli.learner import SPIKING, learner
from spikeframe.cli.loop import Score, evaluate, train_epoch
from spikeframe.cli.options import complete
from spikeframe.data import ImageSet


@pytest.fixture
def data():
    labels = torch.arange(300) % 2
    images = torch.rand(300, 1, 8, 8) * 0.2 + labels.view(-1, 1, 1, 1) * 0.8
    return ImageSet(images, labels, ("dark", "bright"))


@pytest.fixture
def made(data):
    return learner(SPIKING, data, complete({"steps": 2, "epochs": 1}), batches=5)


def batches(data):
    return [Batch(*data[start : start + 60], 1.0) for start in range(0, 300, 60)]


def test_score_is_the_mean_over_images():
    score = Score()
    scores = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.5], [0.0, 1.0]]])
    score.add(torch.tensor(0.5), scores, torch.tensor([0, 0]))
    score.add(torch.tensor(2.0), scores[:, :1], torch.tensor([0]))
    assert (score.images, score.correct) == (3, 2)
    assert score.loss == pytest.approx((0.5 * 2 + 2.0) / 3)
    assert score.accuracy == pytest.approx(2 / 3)


def test_train_epoch_learns_and_reports_each_batch(made, data):
    seen = []
    score = train_epoch(made, batches(data), lambda score: seen.append(score.images))
    assert seen == [60, 120, 180, 240, 300]
    assert score.images == 300
    # Better than guessing one of two classes.
    assert score.accuracy > 0.8
    assert score.loss < math.log(2)
    assert made.scheduler.last_epoch == 5


def test_states_are_reset_after_every_batch(made, data):
    train_epoch(made, batches(data), lambda _: None)
    assert set(memories(made.net)) == {0.0}
    evaluate(made, data)
    assert set(memories(made.net)) == {0.0}


def test_evaluate_changes_nothing_and_does_not_depend_on_its_batches(made, data):
    weights = {name: value.clone() for name, value in made.net.state_dict().items()}
    whole = evaluate(made, data)
    parts = evaluate(dataclasses.replace(made, batch_size=7), data)
    assert (whole.images, whole.correct) == (parts.images, parts.correct)
    assert whole.loss == pytest.approx(parts.loss, rel=1e-5)
    for name, value in made.net.state_dict().items():
        assert torch.equal(value, weights[name])


def test_loss_that_is_not_finite_stops(made, data):
    with torch.no_grad():
        made.net.classifier.bias.fill_(torch.nan)
    with pytest.raises(CommandError, match="the loss became nan: start again with an --lr below"):
        train_epoch(made, batches(data), lambda _: None)
