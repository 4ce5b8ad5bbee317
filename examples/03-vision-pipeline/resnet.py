"""A residual network for small images, as one writes it. Nothing here knows of Genie."""

from torch import nn


class Block(nn.Module):
    """Two convolutions, and the way around them."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        self.shortcut = nn.Identity() if stride == 1 and channels == out else nn.Conv2d(channels, out, 1, stride)

    def forward(self, x):
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Scores of classes of a batch of images."""

    def __init__(self, widths=(16, 32, 64, 128), depth=2, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 3, 1, 1), nn.ReLU())
        stages, channels = [], widths[0]
        for i, width in enumerate(widths):
            blocks = [Block(channels if k == 0 else width, width, 2 if i > 0 and k == 0 else 1) for k in range(depth)]
            stages.append(nn.Sequential(*blocks))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)

    def forward(self, images):
        return self.head(self.stages(self.stem(images)).mean((2, 3)))
