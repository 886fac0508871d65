"""One network in ONNX Runtime: an RGB picture of the network's size in, a person mask out."""

from __future__ import annotations

import os

import cv2
import numpy as np
import onnxruntime

from onnx_models import OnnxModel
from peer_io import PeerError

# Channels and divisor of the recurrent states r1..r4 of RVM with a MobileNetV3.
RVM_STATES = ((16, 2), (20, 4), (40, 8), (64, 16))


class Network:
    """A session with one reused input array. Not for several threads."""

    def __init__(self, model: OnnxModel, path: str, threads: int):
        if not os.path.isfile(path):
            raise PeerError(f"there is no model file {path}")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(path, options,
                                                        providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no common class for its errors
            raise PeerError(f"ONNX Runtime cannot load {path}: {error}") from None
        self.model = model
        height, width = model.size
        shape = (1, height, width, 3) if model.nhwc else (1, 3, height, width)
        self.input = np.empty(shape, np.float32)
        self.factor = 1 / np.array(model.scale, np.float32)
        self.bias = -np.array(model.mean, np.float32) * self.factor
        first = self.session.get_outputs()[0].name
        self.output = "segments" if model.output == "heatmap" else first
        self.input_name = self.session.get_inputs()[0].name
        self.reset()

    def reset(self) -> None:
        """Forgets what a recurrent network has seen."""
        height, width = self.model.size
        self.states = [np.zeros((1, channels, height // by, width // by), np.float32)
                       for channels, by in RVM_STATES]

    def run(self, rgb: np.ndarray) -> np.ndarray:
        """Probability of a person (0 or 1 after an arg-max), float32, at the output's size."""
        planes = cv2.split(rgb)
        for channel, plane in enumerate(reversed(planes) if self.model.bgr else planes):
            place = (0, ..., channel) if self.model.nhwc else (0, channel)
            target = self.input[place]
            # A plane at a time: one call over the interleaved picture takes ten times as long.
            np.multiply(plane, self.factor[channel], out=target)
            if self.bias[channel]:
                np.add(target, self.bias[channel], out=target)
        if self.model.output == "recurrent":
            feed = {self.input_name: self.input}
            feed.update({f"r{i + 1}i": state for i, state in enumerate(self.states)})
            alpha, *self.states = self.session.run(["pha", "r1o", "r2o", "r3o", "r4o"], feed)
            return alpha[0, 0]
        result = self.session.run([self.output], {self.input_name: self.input})[0]
        return self._person(result[0])

    def _person(self, result: np.ndarray) -> np.ndarray:
        if self.model.output == "heatmap":
            return 1 / (1 + np.exp(-result[:, :, 0]))
        if self.model.output == "probability":
            return result[self.model.person[0]]
        if self.model.output == "arg-max":
            return np.isin(result.argmax(axis=0), self.model.person).astype(np.float32)
        exponent = np.exp(result - result.max(axis=0))
        return exponent[list(self.model.person)].sum(axis=0) / exponent.sum(axis=0)
