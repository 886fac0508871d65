"""vrseg: segments the people in video, as `libvrseg` does, for NumPy and PyTorch.

    import vrseg
    with vrseg.AsyncPipeline("selfie-landscape", device_id="auto") as pipeline:
        for result in pipeline.results(frames):      # arrays of RGB, (rows, columns, 3)
            use(result.mask)                          # (rows, columns), 0..255

Exceptions are VrsegError and its kinds; `requirements()` says what is missing here.
"""

from ._library import version
from .config import Config, Model, ModelInfo, models
from .errors import (ClosedError, DeviceError, FullError, InvalidError, MissingError,
                     NotFoundError, OutOfMemoryError, RefusedError, VrsegError, WaitTimeout)
from .gpu import DeviceArray
from .images import FORMATS, Picture
from .pipeline import AsyncPipeline, Result
from .reader import Reader, ReaderInfo, TensorSpec
from .system import Check, deploy_check, gpus, requirements, self_test, system_info

__all__ = [
    "FORMATS", "AsyncPipeline", "Check", "ClosedError", "Config", "DeviceArray", "DeviceError",
    "FullError", "InvalidError", "MissingError", "Model", "ModelInfo", "NotFoundError", "OutOfMemoryError",
    "Picture", "Reader", "ReaderInfo", "RefusedError", "Result", "TensorSpec", "VrsegError",
    "WaitTimeout", "deploy_check", "gpus", "models", "requirements", "self_test", "system_info",
    "version",
]
