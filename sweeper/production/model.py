"""A trained model in production: rows in, labels or values out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sweeper.config.files import config_from_tree, dump_config
from sweeper.config.schema import Config, Custom
from sweeper.core import checkpoint
from sweeper.core.batches import rows_of
from sweeper.core.evaluate import evaluate, outputs_of
from sweeper.core.loop import pick_device
from sweeper.data.dataset import Dataset, Part
from sweeper.data.preprocess import Preprocessing, Raw
from sweeper.errors import InputError
from sweeper.production import likeness

CONFIG = "config.yaml"
PREPROCESSING = "preprocessing.json"


class Model:
    """A network with the preprocessing it was trained with.

    Args:
        net: on ``device``.
        preprocessing: raw rows to inputs, and outputs to labels or values.
        config: what it was trained with.
        device: where rows are computed.
    """

    def __init__(self, net: nn.Module, preprocessing: Preprocessing, config: Config, device: torch.device) -> None:
        self.net = net
        self.preprocessing = preprocessing
        self.config = config
        self._device = device

    def outputs(self, table: Raw) -> np.ndarray:
        """The network's float32 outputs: logits ``[n, classes]`` or ``[n, labels]``, or standardised values ``[n, 1]``.

        Args:
            table: raw rows as in training: a table with the input columns, an array ``[n, ...]``, or texts.

        Raises:
            InputError: the rows are not like those of training.
        """
        x = torch.as_tensor(self.preprocessing.transform(table)).to(self._device)
        return outputs_of(self.net, x).cpu().numpy()

    def predict(self, table: Raw) -> np.ndarray:
        """What the model says of each row.

        Returns:
            The most likely label ``[n]``; 1 for each label that is more likely than not, else 0, int64 ``[n, labels]`` (multilabel); or the
            value in the target's own unit ``[n]``.

        Args:
            table: as for ``outputs``.

        Raises:
            InputError: the rows are not like those of training.
        """
        outputs = self.outputs(table)
        return self.preprocessing.decode(outputs.argmax(1) if self.config.task == "classification" else outputs)

    def predict_proba(self, table: Raw) -> np.ndarray:
        """The probability of each class or label, float64, in the order of ``preprocessing.target``.

        Args:
            table: as for ``outputs``.

        Returns:
            ``[n, classes]``, whose rows sum to 1; or ``[n, labels]``, each label by itself (multilabel).

        Raises:
            InputError: a regression model has no classes, or the rows are not like those of training.
        """
        if self.config.task == "regression":
            raise InputError.of("predict_proba", "task", self.config.task, "classification or multilabel", "use predict: it gives values")
        logits = torch.as_tensor(self.outputs(table)).double()
        return (torch.sigmoid(logits) if self.config.task == "multilabel" else torch.softmax(logits, 1)).numpy()


def export(checkpoint_folder: Path, data: Dataset, config: Config, out: Path) -> None:
    """Turns a trial's checkpoint into a model folder: ``model.safetensors``, ``checkpoint.json``, ``config.yaml``, ``preprocessing.json``.

    A custom model's folder has ``likeness.json``, too: its outputs for two rows, by which ``load_model`` knows it again.

    Args:
        checkpoint_folder: what the core committed.
        data: what it was trained on.
        config: what it was trained with.
        out: the model folder; it appears whole or not at all, in place of an older one.

    Raises:
        InputError: the checkpoint is damaged, or a custom model's code is no longer what was trained.
        InfrastructureError: the disk refused.
    """
    found = checkpoint.load(checkpoint_folder)
    known = likeness.taken(found, config, config.model, data) if isinstance(config.model, Custom) else None

    def write(folder: Path) -> None:
        checkpoint.write_into(folder, found)
        (folder / CONFIG).write_text(dump_config(config), encoding="utf-8")
        (folder / PREPROCESSING).write_text(json.dumps(data.preprocessing.to_json(), indent=1) + "\n", encoding="utf-8")
        if known is not None:
            (folder / likeness.FILE).write_text(known, encoding="utf-8")

    checkpoint.write_folder(out, write)


def load_model(path: str | Path, *, device: str = "cpu") -> Model:
    """Loads an exported model.

    Args:
        path: a model folder, or a folder that holds it as ``model``, such as ``runs/mlp``.
        device: where rows are computed: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        InputError: there is no model, it is damaged, or a custom model's code is no longer what was exported.
    """
    folder = checkpoint.resolve(_model_folder(Path(path)))
    found = checkpoint.load(folder)
    config = config_from_tree(found.config)
    target = pick_device(device)
    preprocessing = _preprocessing(folder / PREPROCESSING)
    net = likeness.filled(found, config, preprocessing.tokens)
    likeness.compare(net, found, config, preprocessing.tokens, folder)
    return Model(net.to(target).eval(), preprocessing, config, target)


def evaluate_test(model_dir: str | Path, data: Dataset, *, device: str = "cpu") -> dict[str, float]:
    """Loss and scores of an exported model on the test part: for the winner, once. As ``evaluate_on`` otherwise."""
    return evaluate_on(model_dir, data.test, data, device=device)


def evaluate_on(model_dir: str | Path, part: Part, data: Dataset, *, device: str = "cpu") -> dict[str, float]:
    """Loss and scores of an exported model on one part of its data.

    Args:
        model_dir: as for ``load_model``.
        part: such as ``data.val``.
        data: prepared as in training.
        device: as for ``load_model``.

    Returns:
        ``loss`` and ``accuracy``, ``f1_macro``, ``auroc``, or ``mae``, ``rmse`` (in the target's own unit), ``r2``.

    Raises:
        InputError: there is no model, or it is damaged.
    """
    model = load_model(model_dir, device=device)
    return evaluate(model.net, rows_of(part, pick_device(device)), data.task, target_scale=data.target_scale, auroc=True)


def _model_folder(path: Path) -> Path:
    inside = path / "model"
    return inside if not (path / checkpoint.META).exists() and inside.is_dir() else path


def _preprocessing(path: Path) -> Preprocessing:
    try:
        return Preprocessing.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise InputError.of(str(path.parent), "", f"{path.name} is missing", "", "export the model again") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError.of(str(path), "", f"damaged: {error}", "", "export the model again") from error
