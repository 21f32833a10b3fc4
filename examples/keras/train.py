"""Trains what the folder proves with Keras, and saves it as Keras does: model.keras, which `countersign compile` reads.

A small convolutional network reads handwritten digits of 8 by 8 grey values, the data set `digits` that comes with
scikit-learn. The backend of Keras is JAX, which is small; with others it was not tried to the end.

    KERAS_BACKEND=jax python train.py [FOLDER]

writes model.keras; samples.npz, some images that it was trained on with their labels, for calibration; input.json, an
image that it never saw; and expected.json, what Keras itself says of a dozen such images.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(7)

digits = load_digits()
X = (digits.images / 16).astype(np.float32)[..., None]  # 8 x 8 x 1: Keras has channels last
y = digits.target
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=7, stratify=y)

model = keras.Sequential(
    [
        keras.Input((8, 8, 1), name="image"),
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax", name="digit"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(X_train, y_train, epochs=30, batch_size=32, verbose=0)
print(f"accuracy on {len(y_test)} unseen images: {model.evaluate(X_test, y_test, verbose=0)[1]:.4f}")
model.save(folder / "model.keras")

# calibration needs a few hundred, not all
np.savez_compressed(folder / "samples.npz", image=X_train[:400], labels=y_train[:400].astype(np.int64))


def flat(x):
    """Numbers as JSON has them, exactly: a float32 is a double."""
    return [float(value) for value in np.asarray(x).ravel()]


(folder / "input.json").write_text(json.dumps({"inputs": {"image": flat(X_test[0])}}) + "\n")
probabilities = model.predict(X_test, verbose=0)
unseen = [
    {"inputs": {"image": flat(x)}, "label": int(p.argmax()), "probabilities": flat(p)}
    for x, p in zip(X_test, probabilities)
]
expected = {
    "made with": f"Keras {keras.__version__} on {keras.backend.backend()}, numpy {np.__version__}",
    "unseen": unseen[:12],
}
(folder / "expected.json").write_text(json.dumps(expected) + "\n")
