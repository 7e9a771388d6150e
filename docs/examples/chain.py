"""A chain of eight layers, each one of three blocks: a plain convolution, a separable one, or a narrow one."""

from torch import nn

from cleave.net import Conv2d, Norm, operation
from cleave.space import Arch, Choice, Fixed, Layer, Layout, NetworkSize, Space, register_space

LAYERS = 8
BLOCKS = ("chain_plain", "chain_separable", "chain_narrow")


@operation("chain_plain")
def plain(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    conv = Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
    return nn.Sequential(nn.ReLU(), conv, norm(channels_out))


@operation("chain_separable")
def separable(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    depthwise = Conv2d(channels_in, channels_in, 5, stride, padding=2, groups=channels_in, bias=False)
    pointwise = Conv2d(channels_in, channels_out, 1, bias=False)
    return nn.Sequential(nn.ReLU(), depthwise, pointwise, norm(channels_out))


@operation("chain_narrow")
def narrow(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    middle = max(1, channels_in // 2)
    first = Conv2d(channels_in, middle, 1, bias=False)
    second = Conv2d(middle, channels_out, 3, stride, padding=1, bias=False)
    return nn.Sequential(nn.ReLU(), first, second, norm(channels_out))


@register_space
class Chain(Space):
    """Every fourth layer halves the image and doubles the channels. Written as one letter for each layer: p, s or n."""

    name = "chain"
    paper_size = NetworkSize(channels=16, cells=1)
    choices = tuple(Choice(f"layer{number}", BLOCKS) for number in range(LAYERS))

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        widths = [size.channels * 2 ** (number // 4) for number in range(LAYERS)]
        layers = [
            (choice.name, Layer(choice.name, before, width, stride=width // before))
            for choice, before, width in zip(self.choices, [widths[0], *widths], widths, strict=False)
        ]
        return Layout((("stem", Fixed("conv_3x3_bn", image_channels, widths[0])), *layers), features=widths[-1])

    def format(self, arch: Arch) -> str:
        return "".join(arch[choice.name].removeprefix("chain_")[0] for choice in self.choices)

    def parse(self, text: str) -> Arch:
        letters = {block.removeprefix("chain_")[0]: block for block in BLOCKS}
        return {choice.name: letters[letter] for choice, letter in zip(self.choices, text, strict=True)}
