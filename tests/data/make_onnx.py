"""Makes the .onnx files of this folder with public tools: trained and exported by PyTorch, quantised by onnxruntime.

    pip install "torch>=2.6,<3" onnxscript onnxruntime scikit-learn
    python -m tests.data.make_onnx

The network reads handwritten digits, those of host.data.digits as floats 0..1, and has what PyTorch networks have:
BatchNorm, a depthwise convolution, a residual addition, pools, and a linear layer on a flattened image. Tests need
none of this: they read the files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from host.data.digits import images

FOLDER = Path(__file__).parent
EPOCHS, BATCH, SEED = 12, 32, 1
CALIBRATION = 200
# Both forms, both signs of activations. Weights have 7 bits (reduce_range): with 8, onnxruntime's own results depend on
# the processor, because those without VNNI add pairs of products in saturating 16 bits.
FORMS = {
    "digits_qdq": dict(
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    ),
    "digits_qoperator": dict(
        quant_format=QuantFormat.QOperator,
        per_channel=False,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    ),
}


class Digits(nn.Module):
    """[1,1,32,32] to ten scores, 10,410 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.depthwise = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6()
        )
        self.pointwise = nn.Sequential(nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.second = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)
        )
        self.scores = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of ten classes."""
        x = self.first(x)
        x = torch.relu(x + self.pointwise(self.depthwise(x)))
        return self.scores(torch.flatten(self.second(x), 1))


class Samples(CalibrationDataReader):
    """Calibration images, one at a time."""

    def __init__(self, x: np.ndarray):
        self.feeds = iter([{"image": sample[None]} for sample in x])

    def get_next(self):
        """The next image, None at the end."""
        return next(self.feeds, None)


def floats(split: images.Split) -> np.ndarray:
    """float32 [n,1,32,32], 0..1."""
    return (split.x.astype(np.float32) / 255).transpose(0, 3, 1, 2)


def train(split: images.Split) -> Digits:
    """The network, in evaluation mode."""
    torch.manual_seed(SEED)
    net = Digits()
    x, y = torch.from_numpy(floats(split)), torch.from_numpy(split.y.astype(np.int64))
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
    return net.eval()


def main() -> None:
    """Train, export, quantise in both forms, and print the accuracy of the float network."""
    training, _, test = images.load()
    net = train(training)
    with torch.no_grad():
        hits = net(torch.from_numpy(floats(test))).argmax(1).numpy() == test.y
    print(f"float: {100 * hits.mean():.2f} % of {len(test)} images of other writers")
    exported, prepared = FOLDER / "float.onnx", FOLDER / "prepared.onnx"
    torch.onnx.export(
        net, (torch.zeros(1, 1, 32, 32),), exported, input_names=["image"], output_names=["scores"],
        external_data=False,
    )  # fmt: skip
    quant_pre_process(exported, prepared)
    for name, form in FORMS.items():
        target = FOLDER / f"{name}.onnx"
        quantize_static(prepared, target, Samples(floats(training)[:CALIBRATION]), reduce_range=True, **form)
        model = onnx.load(target)
        print(f"{target.name}: {target.stat().st_size} bytes, {[n.op_type for n in model.graph.node]}")
    exported.unlink()
    prepared.unlink()


if __name__ == "__main__":
    main()
