"""Tutorial 2: train a spiking network on handwritten digits, in plain PyTorch.

Run it: ``python tutorials/02_train_digits.py`` (a few seconds on one core). It needs
scikit-learn for the images: ``pip install 'spikeframe[train]'``.
"""

import torch
from torch import nn

from spikeframe import encoding, functional, layer, neuron, surrogate
from spikeframe.data import load_images

STEPS, EPOCHS, BATCH = 4, 8, 64

torch.manual_seed(0)
torch.set_num_threads(1)  # networks this small are slower on more

# 1797 images of 8x8 pixels, every fifth held out for the test.
train, test = load_images("digits", split="random", seed=0)
print(
    f"{len(train)} training images of shape {tuple(train.images.shape[1:])}, {len(test)} for test"
)


# The network is written as any PyTorch network; a neuron stands where a ReLU would.
def make_neuron() -> neuron.LIFNode:
    """Without decay_input the input is not scaled down by tau, so deep layers keep firing."""
    return neuron.LIFNode(
        tau=2.0,
        decay_input=False,
        detach_reset=True,
        surrogate_function=surrogate.ATan(),
    )


net = nn.Sequential(
    layer.Conv2d(1, 32, 3, padding=1, bias=False),
    layer.BatchNorm2d(32),
    make_neuron(),
    layer.MaxPool2d(2),
    layer.Conv2d(32, 64, 3, padding=1, bias=False),
    layer.BatchNorm2d(64),
    make_neuron(),
    layer.MaxPool2d(2),
    layer.Flatten(),
    layer.Linear(64 * 2 * 2, 10),
)

# A still image is shown at every step. Direct makes a sequence of it without copying; the first
# convolution sees that all steps are the same and computes one.
show = encoding.Direct(STEPS)

# Step mode 'm': every layer handles the whole sequence [T, N, *] before the next one begins.
functional.set_step_mode(net, "m")

optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
shuffle = torch.Generator().manual_seed(0)

for epoch in range(EPOCHS):
    net.train()
    total = 0.0
    for chosen in torch.randperm(len(train), generator=shuffle).split(BATCH):
        scores = net(show(train.images[chosen])).mean(0)  # [T, N, 10] -> [N, 10]
        loss = nn.functional.cross_entropy(scores, train.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        functional.reset_net(net)  # the next batch is another sequence: start from rest
        total += loss.item() * len(chosen)
    scheduler.step()
    print(f"epoch {epoch + 1}: loss {total / len(train):.3f}")

net.eval()
with torch.no_grad():
    scores = net(show(test.images)).mean(0)
    functional.reset_net(net)
accuracy = (scores.argmax(1) == test.labels).float().mean().item()
print(f"test accuracy {accuracy:.3f}")

# The same network step by step: less memory at a time, the same scores up to rounding.
functional.set_step_mode(net, "s")
with torch.no_grad():
    stepped = functional.multi_step_forward(show(test.images), net).mean(0)
    functional.reset_net(net)
print(f"step by step, predictions agree on {(stepped.argmax(1) == scores.argmax(1)).sum()} images")
