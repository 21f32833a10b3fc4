"""Trains what the folder proves with scikit-learn, and writes it down for `countersign compile`.

A pipeline of a scaler and gradient-boosted trees tells benign from malignant tumours by thirty measurements of cell
nuclei: the table `breast_cancer`, which comes with scikit-learn. Classes keep their names: trained on texts, they are in
the ONNX file, and through it in every receipt.

    python train.py [FOLDER]

writes model.onnx; samples.npz and labels.npy, the rows that it was trained on and their classes, for calibration;
input.json, a row that it never saw; and expected.json, what scikit-learn itself says of a dozen such rows.
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from skl2onnx import __version__ as skl2onnx_version
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder.mkdir(parents=True, exist_ok=True)

table = load_breast_cancer()
X = table.data.astype(np.float32)  # what the ONNX file takes
y = table.target_names[table.target]  # "malignant" or "benign"
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=42, stratify=y)

model = make_pipeline(
    StandardScaler(),
    GradientBoostingClassifier(n_estimators=40, max_depth=3, learning_rate=0.2, random_state=7),
)
model.fit(X_train, y_train)
print(f"accuracy on {len(y_test)} unseen rows: {model.score(X_test, y_test):.4f}")

# a batch of any size, of which Countersign proves one row at a time
onnx = to_onnx(model, X_train[:1], name="tumours", target_opset={"": 21, "ai.onnx.ml": 3})
(folder / "model.onnx").write_bytes(onnx.SerializeToString())

np.savez_compressed(folder / "samples.npz", X=X_train)
np.save(folder / "labels.npy", np.searchsorted(model.classes_, y_train).astype(np.uint8))  # places among the classes


def row(x):
    """A row as JSON has it, exactly: a float32 is a double."""
    return [float(value) for value in x]


(folder / "input.json").write_text(json.dumps({"inputs": {"X": row(X_test[0])}}) + "\n")
probabilities = model.predict_proba(X_test)
unseen = [
    {"inputs": {"X": row(x)}, "label": str(label), "probabilities": row(p)}
    for x, label, p in zip(X_test, model.predict(X_test), probabilities)
]
expected = {
    "made with": f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx_version}, numpy {np.__version__}",
    "classes": [str(name) for name in model.classes_],
    "unseen": unseen[:12],
}
(folder / "expected.json").write_text(json.dumps(expected) + "\n")
