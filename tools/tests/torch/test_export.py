"""vrseg-export on small networks: the file gives what torch gives, for any batch, with constant
scales; the program takes it; mistakes are one sentence."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

from pytorch_path import DATA, VRSEG, run
import export
import graph
import networks
import sources

USER_FILE = '''
import torch
from torch import nn

class PerPicture(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x):
        return self.conv(x).reshape(int(x.shape[0]), 2, *x.shape[2:])

class Mixing(PerPicture):
    def forward(self, x):
        return self.conv(x) - x.mean()

def sized(classes, height):
    return nn.Conv2d(3, classes, 3, padding=1)

def one():
    return nn.Conv2d(3, 1, 3, padding=1)

def small():
    return nn.Conv2d(3, 2, 2, stride=2)

def flat():
    return nn.Flatten()

def number():
    return 3

def broken():
    raise RuntimeError("no luck")
'''


class Sizes(nn.Module):
    """Resizes to sizes that are computed from others', as torchvision's networks do."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = sizes
        self.conv = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        for size in self.sizes:
            y = functional.interpolate(y, size=size, mode="bilinear", align_corners=False)
        return functional.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)


class GraphTest(unittest.TestCase):
    def assert_same(self, network: nn.Module, model: onnx.ModelProto, height: int,
                    width: int) -> None:
        network.eval()
        session = graph.session(model, threads=1)
        for batch in (1, 2, 3):
            x = torch.randn(batch, 3, height, width)
            with torch.no_grad():
                expected = network(x).numpy()
            found = session.run(None, {graph.INPUT: x.numpy()})[0]
            self.assertEqual(found.shape, expected.shape)
            self.assertLess(np.abs(found - expected).max(), 1e-5 * max(np.ptp(expected), 1))

    def test_sizes_become_scales(self) -> None:
        torch.manual_seed(3)
        for sizes in ([(7, 5)], [(65, 33), (5, 129)], [(513, 3)], [(1, 1)]):
            network = Sizes(sizes)
            model = graph.export(network, 24, 40)
            resizes = [node for node in model.graph.node if node.op_type == "Resize"]
            self.assertEqual(len(resizes), len(sizes) + 1)
            for node in resizes:
                self.assertEqual(len(node.input), 3, "scales, no sizes")
            self.assertFalse([node for node in model.graph.node if node.op_type == "Shape"])
            self.assert_same(network, model, 24, 40)

    def test_scale_of(self) -> None:
        for before in range(1, 600, 7):
            for after in range(1, 600, 5):
                scale = np.float32(graph.scale_of(before, after))
                self.assertEqual(int(np.floor(np.float32(before) * scale)), after)

    def test_own_networks(self) -> None:
        torch.manual_seed(0)
        network = networks.build("deeplabv3plus-tiny", 2, 64, 96)
        networks.settle(network, 64, 96)
        model = graph.export(network, 64, 96)
        kinds = {node.op_type for node in model.graph.node}
        self.assertEqual(kinds, {"Conv", "Relu", "MaxPool", "Add", "GlobalAveragePool", "Resize",
                                 "Concat"})
        self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "batch")
        self.assertEqual(graph.output_shape(model), (2, 64, 96))
        self.assertEqual([(entry.domain, entry.version) for entry in model.opset_import],
                         [("", graph.OPSET)])
        self.assert_same(network, model, 64, 96)

    def test_structure_of_r50(self) -> None:
        with torch.device("meta"):
            network = networks.DeepLabV3Plus(networks.PLANS["deeplabv3plus-r50"], 2, 512, 512)
        convs = {name: module for name, module in network.named_modules()
                 if isinstance(module, nn.Conv2d)}
        self.assertEqual(len(convs), 63)
        self.assertEqual(convs["pyramid.join.0"].weight.shape, (256, 1280, 1, 1))
        self.assertEqual(convs["decoder.0.0"].weight.shape, (256, 304, 3, 3))
        self.assertEqual([convs[f"pyramid.branches.{i}.0"].dilation for i in range(4)],
                         [(1, 1), (6, 6), (12, 12), (18, 18)])
        self.assertEqual([convs[f"stage4.{i}.spatial.0"].dilation for i in range(3)],
                         [(1, 1), (2, 2), (2, 2)])
        self.assertEqual(network(torch.empty(2, 3, 512, 512, device="meta")).shape,
                         (2, 2, 512, 512))


class ExportTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.user = self.folder / "user.py"
        self.user.write_text(USER_FILE, encoding="utf-8")

    def export(self, network: str, *arguments: object) -> tuple[int, str, str]:
        """vrseg-export with what all these tests give."""
        return run(export.main, network, "--size", "64x48", "--pictures", DATA / "person.ppm",
                   "--out", self.folder / "out", *arguments)

    def assert_refused(self, words: str, network: str, *arguments: object) -> None:
        """One sentence with these words, exit status 1, and no file."""
        status, _, said = self.export(network, *arguments)
        self.assertEqual(status, 1, said)
        self.assertIn(words, said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertFalse(list((self.folder / "out").glob("*")))

    def test_random_weights_by_seed(self) -> None:
        bytes_of = []
        for seed in (5, 5, 6):
            status, said, error = self.export("deeplabv3plus-tiny", "--random-weights", "--seed",
                                              seed)
            self.assertEqual((status, error), (0, ""))
            self.assertIn("random, batch 3", said)
            self.assertIn("mean IoU 1.00000", said)
            bytes_of.append((self.folder / "out" / "deeplabv3plus-tiny.onnx").read_bytes())
        self.assertEqual(bytes_of[0], bytes_of[1])
        self.assertNotEqual(bytes_of[0], bytes_of[2])

    def test_checkpoint(self) -> None:
        torch.manual_seed(9)
        network = sources.make(f"{self.user}:sized", 2, 48, 64)
        checkpoint = self.folder / "weights.pt"
        torch.save({"state_dict": network.state_dict()}, checkpoint)
        status, _, error = self.export(f"{self.user}:sized", "--checkpoint", checkpoint)
        self.assertEqual((status, error), (0, ""))
        model = onnx.load(self.folder / "out" / "user-sized.onnx")
        weights = onnx.numpy_helper.to_array(model.graph.initializer[0])
        np.testing.assert_array_equal(weights, network.network.weight.detach().numpy())

    def test_wrong_checkpoints(self) -> None:
        good = sources.make(f"{self.user}:sized", 2, 48, 64).network.state_dict()
        path = self.folder / "weights.pt"
        for words, state in (("no weights bias", {"weight": good["weight"]}),
                             ("has shape [3, 3, 3, 3]",
                              {**good, "weight": torch.zeros(3, 3, 3, 3)}),
                             ("has weights more", {**good, "more": torch.zeros(1)}),
                             ("no dictionary of tensors", [1, 2]),
                             ("without running code", nn.Conv2d(3, 2, 3))):
            torch.save(state, path)
            self.assert_refused(words, f"{self.user}:sized", "--checkpoint", path)
        path.write_bytes(b"no checkpoint")
        self.assert_refused("without running code", f"{self.user}:sized", "--checkpoint", path)
        path.unlink()
        self.assert_refused("no such checkpoint", f"{self.user}:sized", "--checkpoint", path)

    def test_networks_that_cannot_be(self) -> None:
        for words, network in (("give deeplabv3plus-r50", "resnet"),
                               ("no such file", "absent.py:make"),
                               ("no callable absent", f"{self.user}:absent"),
                               ("gives a int", f"{self.user}:number"),
                               ("no luck", f"{self.user}:broken"),
                               ("2 x classes x height x width", f"{self.user}:flat"),
                               ("batch built in", f"{self.user}:PerPicture"),
                               ("depend on its batch", f"{self.user}:Mixing"),
                               ("has 1 classes and not 2", f"{self.user}:one"),
                               ("segmentation network resnet18", "torchvision:resnet18")):
            self.assert_refused(words, network, "--random-weights")
        self.assert_refused("no weights BEST of lraspp_mobilenet_v3_large; it has",
                            "torchvision:lraspp_mobilenet_v3_large", "--weights", "BEST")
        self.assert_refused("no network lrasp", "torchvision:lrasp", "--weights", "DEFAULT")
        self.assert_refused("no weights BEST of deeplabv3plus-tiny", "deeplabv3plus-tiny",
                            "--weights", "BEST")
        self.assert_refused("multiples of 16", "deeplabv3plus-tiny", "--random-weights", "--size",
                            "65x48")
        self.assert_refused("no class is called person", f"{self.user}:sized", "--random-weights",
                            "--classes", "3")
        self.assert_refused("no name of a model", f"{self.user}:sized", "--random-weights",
                            "--name", "../x")
        self.assert_refused("cannot be read as a picture", f"{self.user}:sized",
                            "--random-weights", "--pictures", self.user)

    def test_wrong_usage(self) -> None:
        for arguments in (("--size", "64"), ("--size", "0x64"), ("--mean", "1,2"),
                          ("--classes", "99"), ("--classes", "a,,b")):
            status, _, said = self.export(f"{self.user}:sized", "--random-weights", *arguments)
            self.assertEqual(status, 2)
            self.assertIn(arguments[0], said)
        status, _, _ = self.export(f"{self.user}:sized")
        self.assertEqual(status, 2)

    def test_published_weights(self) -> None:
        from torchvision import models

        name = "lraspp_mobilenet_v3_large"
        torch.manual_seed(1)
        published = models.get_model(name, weights=None, weights_backbone=None, num_classes=21)
        real = models.get_model

        def get_model(wanted: str, weights: str | None, **options: object) -> nn.Module:
            return published if weights == "DEFAULT" else real(wanted, weights=weights, **options)

        with mock.patch.object(models, "get_model", get_model):
            whole = sources.make(f"torchvision:{name}", 21, 64, 64, "DEFAULT")
            for key, value in published.state_dict().items():
                self.assertTrue(torch.equal(whole.network.state_dict()[key], value), key)
            other = sources.make(f"torchvision:{name}", 2, 64, 64, "DEFAULT").network.state_dict()
        self.assertEqual(other["classifier.low_classifier.weight"].shape[0], 2)
        self.assertTrue(torch.equal(other["backbone.0.0.weight"],
                                    published.state_dict()["backbone.0.0.weight"]))
        names = sources.weight_names(f"torchvision:{name}", "DEFAULT")
        self.assertEqual((len(names), names[0], names[15]), (21, "background", "person"))

    def test_fixed_batch_and_another_size_out(self) -> None:
        status, _, error = self.export(f"{self.user}:PerPicture", "--random-weights",
                                       "--fixed-batch")
        self.assertEqual((status, error), (0, ""))
        text = (self.folder / "out" / "user-perpicture.yaml").read_text(encoding="utf-8")
        self.assertIn("batch: fixed", text)
        status, _, error = self.export(f"{self.user}:small", "--random-weights")
        self.assertEqual((status, error), (0, ""))
        text = (self.folder / "out" / "user-small.yaml").read_text(encoding="utf-8")
        self.assertIn("  width: 32\n  height: 24\n", text)

    @unittest.skipUnless(VRSEG, "the program is known when Meson runs the tests")
    def test_the_program_takes_it(self) -> None:
        status, _, error = self.export("deeplabv3plus-tiny", "--random-weights")
        self.assertEqual((status, error), (0, ""))
        environment = dict(os.environ, VRSEG_MODELS_DIR=str(self.folder / "out"))
        listed = subprocess.run([VRSEG, "models"], env=environment, text=True, check=True,
                                capture_output=True).stdout
        line = next(line for line in listed.splitlines() if line.startswith("deeplabv3plus-tiny "))
        self.assertIn("installed", line)
        done = subprocess.run([VRSEG, "run", DATA / "person.ppm", "-o", self.folder / "mask.png",
                               "--model", "deeplabv3plus-tiny"], env=environment, text=True,
                              check=False, capture_output=True)
        if "OpenVINO" in done.stderr and done.returncode == 2:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.folder / "mask.png").is_file())


if __name__ == "__main__":
    unittest.main()
