"""3 x 3 convolutions by minimal filtering keep float32 parity: images of odd sizes, batches, sizes that a call decides."""

import pytest
import torch
from torch import nn

import genie
import parity


def vgg(width):
    """Convolutions of growing width with pooling between them."""
    layers, channels = [], 3
    for stage in range(3):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width << stage, 3, padding=1), nn.BatchNorm2d(width << stage), nn.ReLU()]
            channels = width << stage
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class Unet(nn.Module):
    """One level down and up again, with a skip that is concatenated and one that is added."""

    def __init__(self, width=24):
        super().__init__()
        self.enter = nn.Conv2d(3, width, 3, padding=1)
        self.encode = nn.Conv2d(width, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.decode = nn.Conv2d(3 * width, width, 3, padding=(1, 1))
        self.narrow = nn.Conv2d(width, 19, 3)

    def forward(self, x):
        skip = self.encode(self.enter(x).relu()).relu()
        low = self.down(skip).relu()
        low = (self.middle(low) + low).relu()
        up = nn.functional.interpolate(low, size=skip.shape[2:], mode="nearest")
        return self.narrow(self.decode(torch.cat([up, skip], 1)).sigmoid())


def check(module, dynamic, *inputs):
    torch.manual_seed(1)
    module.eval()
    compiled = genie.compile(module, (inputs[0],), dynamic_shapes=dynamic)
    with torch.no_grad():
        for x in inputs:
            parity.assert_equal([compiled(x)], [module(x)])


@pytest.mark.parametrize("size", [(33, 47), (64, 64), (8, 121)])
def test_images_of_any_size(size):
    torch.manual_seed(0)
    check(vgg(32), None, torch.randn(1, 3, *size))


@pytest.mark.parametrize("size", [(37, 30), (64, 48)])
def test_skips_are_epilogues_and_concatenations(size):
    torch.manual_seed(0)
    check(Unet(), None, torch.randn(2, 3, *size))


def test_a_call_decides_the_batch():
    torch.manual_seed(0)
    batch = torch.export.Dim("batch", min=1, max=9)
    check(vgg(16), ({0: batch},), *(torch.randn(count, 3, 29, 31) for count in (3, 1, 9)))


def test_a_call_decides_the_size():
    torch.manual_seed(0)
    module = nn.Sequential(*(layer for n in (3, 32, 32) for layer in (nn.Conv2d(n, 32, 3, padding=1), nn.ReLU())))
    rows, columns = torch.export.Dim("rows", min=2, max=80), torch.export.Dim("columns", min=2, max=80)
    check(module, ({2: rows, 3: columns},), *(torch.randn(1, 3, *size) for size in ((40, 33), (2, 80), (71, 3))))
