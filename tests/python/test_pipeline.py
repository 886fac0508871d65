"""The pipeline from Python: the same masks as C's, memory that is shared and lives long enough,
waits that end, errors as exceptions."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
import weakref

import numpy as np

import support

support.use_package()

import vrseg  # noqa: E402
from vrseg import _abi, images, pipeline  # noqa: E402

WIDTH, HEIGHT = 97, 63
REASON = support.runs_here()


def frames(count: int, seed: int = 0) -> list[np.ndarray]:
    """Noise with a brighter part that moves."""
    random = np.random.default_rng(seed)
    made = random.integers(0, 128, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for i, frame in enumerate(made):
        frame[10:50, i:i + 40] += 100
    return list(made)


def make(config: object = None, **more) -> vrseg.AsyncPipeline:
    return vrseg.AsyncPipeline(support.MODEL, config, "cpu", **more)


def mask_of(frame: object, config: object = None, **more) -> np.ndarray:
    """The mask of one frame."""
    with make(config, **more) as pipeline:
        pipeline.submit_frame(frame)
        result = pipeline.get_result()
        result.raise_for_error()
        return result.mask.copy()


class Arrays(unittest.TestCase):
    """Without an engine."""

    def fill(self, frame: object) -> tuple[object, int]:
        picture = images.picture_of(frame)
        image = _abi.vrs_image()
        number = images.fill_image(image, picture)
        self.addCleanup(images.forget, number)
        images.check_image(image)
        import ctypes
        return image, ctypes.cast(image.planes[0], ctypes.c_void_p).value

    def test_no_copy(self) -> None:
        for shape, form in (((5, 7, 3), _abi.VRS_FORMAT_RGB24), ((5, 7, 4), _abi.VRS_FORMAT_BGRA),
                            ((5, 7), _abi.VRS_FORMAT_GRAY8), ((5, 7, 1), _abi.VRS_FORMAT_GRAY8)):
            frame = np.zeros(shape, np.uint8)
            image, address = self.fill(frame)
            self.assertEqual((image.format, image.width, image.height), (form, 7, 5))
            self.assertEqual(address, frame.ctypes.data)

    def test_strides(self) -> None:
        whole = np.zeros((20, 30, 3), np.uint8)
        for part in (whole[3:9, 4:11], whole[::-1], whole[::2]):
            image, address = self.fill(part)
            self.assertEqual(address, part.ctypes.data)
            self.assertEqual(image.strides[0], part.strides[0])
        image, address = self.fill(whole[:, ::-1])  # columns that do not lie side by side: copied
        self.assertNotEqual(address, whole[:, ::-1].ctypes.data)
        self.assertEqual(image.strides[0], 90)

    def test_pictures(self) -> None:
        rows = np.zeros((9, 7), np.uint8)
        half = np.zeros((5, 4), np.uint8)
        image, _ = self.fill(vrseg.Picture("yuv420p", [rows, half, half], matrix=1,
                                           full_range=False))
        self.assertEqual((image.format, image.color.matrix, image.color.range),
                         (_abi.VRS_FORMAT_YUV420P, 1, _abi.VRS_RANGE_LIMITED))
        self.fill(vrseg.Picture("nv12", [rows, np.zeros((5, 4, 2), np.uint8)]))
        self.fill(vrseg.Picture("p010", [np.zeros((9, 7), np.uint16),
                                         np.zeros((5, 4, 2), np.uint16)]))
        for form, planes, complaint in (
                ("yuv9", [rows], "no format"), ("nv12", [rows], "2 planes"),
                ("yuv420p", [rows, half, half[:4]], "has 4 columns and 5 rows"),
                ("yuv420p", [rows, half, half[:, :3]], "has 4 columns and 5 rows"),
                ("nv12", [rows, half], r"expected \(rows, columns, 2\)")):
            with self.subTest(complaint), self.assertRaisesRegex(ValueError, complaint):
                vrseg.Picture(form, planes)
        with self.assertRaisesRegex(TypeError, "expected uint16"):
            vrseg.Picture("p010", [rows, np.zeros((5, 4, 2), np.uint8)])

    def test_refused(self) -> None:
        for frame in (np.zeros((5, 7, 2), np.uint8), np.zeros(5, np.uint8),
                      np.zeros((2, 3, 4, 3), np.uint8), np.zeros((0, 7, 3), np.uint8)):
            with self.subTest(frame.shape), self.assertRaises(ValueError):
                images.picture_of(frame)
        with self.assertRaisesRegex(TypeError, "uint8"):
            images.picture_of(np.zeros((5, 7, 3), np.float32))
        with self.assertRaisesRegex(TypeError, "a NumPy array"):
            images.picture_of([[1, 2], [3, 4]])

    def test_wrong_arguments(self) -> None:
        for make_it, error, words in (
                (lambda: vrseg.AsyncPipeline(3), TypeError, "or a torch.nn.Module, not int"),
                (lambda: vrseg.Config([1]), TypeError, "the name of a configuration, not list"),
                (lambda: vrseg.Config({"tickts": 3}), vrseg.NotFoundError, '"tickets"'),
                (lambda: pipeline._output({"size": "big"}), ValueError, "'big' is no size"),
                (lambda: pipeline._output({"size": (1, 2, 3)}), ValueError, "is no size"),
                (lambda: pipeline._output({"memory": "disk"}), ValueError, "host or device"),
                (lambda: pipeline._output({"colour": 3}), ValueError, "'colour' is no setting")):
            with self.assertRaisesRegex(error, words):
                make_it()

    def test_dlpack(self) -> None:
        class Tensor:
            def __init__(self, array: np.ndarray, kind: int) -> None:
                self.array, self.kind = array, kind

            def __dlpack_device__(self) -> tuple[int, int]:
                return self.kind, 0

            def __dlpack__(self, **options: object) -> object:
                return self.array.__dlpack__(**options)

        frame = np.zeros((5, 7, 3), np.uint8)
        self.assertEqual(self.fill(Tensor(frame, 1))[1], frame.ctypes.data)
        with self.assertRaisesRegex(TypeError, "device type 7"):
            images.picture_of(Tensor(frame, 7))


@unittest.skipIf(REASON, REASON)
class Pipeline(unittest.TestCase):
    def tearDown(self) -> None:
        gc.collect()
        self.assertEqual(images.kept_count(), 0)  # every submitted picture was given back

    def test_reference_usage(self) -> None:
        pipeline = vrseg.AsyncPipeline(support.MODEL, {}, device_id="cpu")
        pipeline.start()
        pipeline.submit_frame(frames(1)[0], 42)
        result = pipeline.get_result()
        self.assertEqual((result.frame_id, result.error), (42, None))
        self.assertEqual((result.mask.shape, result.mask.dtype), ((HEIGHT, WIDTH), np.uint8))
        self.assertGreater(result.latency, 0)
        self.assertIn("cpu", pipeline.device)
        self.assertIn("openvino", pipeline.engine)
        pipeline.close()
        pipeline.close()

    def test_same_as_c(self) -> None:
        raw = frames(6)  # fewer than the example has tickets
        done = subprocess.run([os.environ["VRSEG_EXAMPLE"], str(WIDTH), str(HEIGHT)],
                              input=b"".join(frame.tobytes() for frame in raw), check=False,
                              capture_output=True, timeout=support.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        with make() as pipeline:
            found = [(r.frame_id, r.mask.tobytes()) for r in pipeline.results(raw)]
        self.assertEqual([number for number, _ in found], list(range(6)))
        self.assertEqual(b"".join(mask for _, mask in found), done.stdout)

    def test_views_of_arrays(self) -> None:
        frame = frames(1)[0]
        for view in (frame[::-1], frame[:, ::-1], frame[5:40, 3:80], frame[::2, ::2]):
            self.assertTrue(np.array_equal(mask_of(view), mask_of(view.copy())))

    def test_outputs(self) -> None:
        with make(outputs=["mask", {"kind": "mask", "size": "network"},
                           {"kind": "mask", "format": "gray10",
                            "size": (20, 10)}]) as pipeline:
            pipeline.submit_frame(frames(1)[0])
            outputs = pipeline.get_result().outputs
            self.assertEqual([o.shape for o in outputs],
                             [(HEIGHT, WIDTH), (144, 256), (10, 20)])
            self.assertEqual(outputs[2].dtype, np.uint16)
            del outputs
        rows, half = np.full((HEIGHT, WIDTH), 90, np.uint8), np.full((32, 49), 128, np.uint8)
        with make(outputs=["cutout"]) as pipeline:
            pipeline.submit_frame(vrseg.Picture("yuv420p", [rows, half, half]))
            planes = pipeline.get_result().outputs[0]
            self.assertEqual([p.shape for p in planes],
                             [(63, 97), (32, 49), (32, 49), (63, 97)])
            del planes
        with self.assertRaisesRegex(vrseg.VrsegError, "knows no classes"):
            make(outputs=["classes"])
        for output, complaint in (("masks", "no output"), ({"kind": "mask", "sice": 1}, "sice"),
                                  ({"format": "gray9"}, "no format")):
            with self.assertRaisesRegex(ValueError, complaint):
                make(outputs=[output])

    def test_arrays_keep_results(self) -> None:
        """A view of a view of a mask keeps all that it needs, whatever is deleted or closed."""
        pipeline = make().start()
        pipeline.submit_frame(frames(1)[0])
        result = pipeline.get_result()
        expected, corner = result.mask.copy(), result.mask[5:20].T[3:]
        handle = weakref.ref(result.mask.base._owner)
        library = weakref.ref(pipeline._handle)
        pipeline.close()
        del result, pipeline
        gc.collect()
        self.assertIsNotNone(handle())
        self.assertTrue(np.array_equal(corner, expected[5:20].T[3:]))
        del corner
        gc.collect()
        self.assertIsNone(handle())
        self.assertIsNone(library())

    def test_frames_are_kept(self) -> None:
        """A frame lives from its submit until its result is gone, without another reference."""
        with make() as pipeline:
            frame = frames(1)[0].copy()
            gone = weakref.ref(frame)
            pipeline.submit_frame(frame)
            del frame
            result = pipeline.get_result()
            self.assertIsNotNone(gone())
            del result
            gc.collect()
            self.assertIsNone(gone())

    def test_two_threads(self) -> None:
        raw, found = frames(40), []
        with make({"tickets": 6}) as pipeline:
            def submit() -> None:
                for frame in raw:
                    pipeline.submit_frame(frame)
                pipeline.finish()

            thread = threading.Thread(target=submit)
            thread.start()
            while True:
                try:
                    found.append(pipeline.get_result().frame_id)
                except EOFError:
                    break
            thread.join()
            self.assertEqual(pipeline.stats()["finished"], 40)
            self.assertEqual(pipeline.stats()["stages"]["infer"]["frames"], 40)
            with self.assertRaises(vrseg.ClosedError):
                pipeline.submit_frame(raw[0])
        self.assertEqual(found, list(range(40)))
        with self.assertRaises(vrseg.ClosedError):
            pipeline.stats()

    def test_waits_that_could_not_end(self) -> None:
        with make({"tickets": 4}) as pipeline:
            pipeline.submit_frame(frames(1)[0])
            pipeline.get_result()
            with self.assertRaisesRegex(vrseg.InvalidError, "no frame to wait for"):
                pipeline.get_result()
            with self.assertRaises(TimeoutError) as caught:
                pipeline.get_result(timeout=0.1)
            self.assertIsInstance(caught.exception, vrseg.WaitTimeout)
            for wrong in (-1, float("nan")):
                for call in (pipeline.get_result, pipeline.drain):
                    with self.assertRaisesRegex(vrseg.InvalidError, "expected seconds from 0 on"):
                        call(timeout=wrong)
            with self.assertRaisesRegex(vrseg.FullError, "get_result"):
                for frame in frames(9):
                    pipeline.submit_frame(frame)
            with self.assertRaises(vrseg.FullError):
                pipeline.submit_frame(frames(1)[0], timeout=0.2)
            pipeline.drain()

    def test_full_without_a_reader(self) -> None:
        """Nobody has ever fetched: told after two seconds of waiting, not never."""
        with make({"tickets": 4}) as pipeline:
            with self.assertRaises(vrseg.FullError):
                for frame in frames(9):
                    pipeline.submit_frame(frame)

    def test_streams(self) -> None:
        """A thread for each stream; a result each, in its stream's order; deadlines are told."""
        found: dict[int, list[int]] = {0: [], 1: [], 2: []}
        with make({"tickets": 6}) as pipeline:
            def submit(stream: int) -> None:
                for i, frame in enumerate(frames(15, stream)):
                    pipeline.submit_frame(frame, i, stream=stream,
                                          deadline=1e-9 if stream == 0 else 1e6)

            threads = [threading.Thread(target=submit, args=(stream,)) for stream in found]
            for thread in threads:
                thread.start()
            for _ in range(45):
                result = pipeline.get_result()
                self.assertEqual(result.late, result.stream == 0)
                found[result.stream].append(result.frame_id)
                del result
            for thread in threads:
                thread.join()
            self.assertEqual(pipeline.cancel_stream(1), 0)
        self.assertEqual(found, {stream: list(range(15)) for stream in found})

    def test_refused_frames(self) -> None:
        with make({"queue_overflow": "refuse", "max_queue_size": 1, "tickets": 20}) as pipeline:
            refused = 0
            for frame in frames(16):
                try:
                    pipeline.submit_frame(frame)
                except vrseg.RefusedError:
                    refused += 1
            pipeline.drain()
            self.assertEqual(pipeline.stats()["refused"], refused)

    def test_reset_stream(self) -> None:
        with make() as pipeline:
            pipeline.submit_frame(frames(1)[0])
            del_me = pipeline.get_result()
            with self.assertRaises(vrseg.InvalidError):
                pipeline.submit_frame(np.zeros((20, 30, 3), np.uint8))
            del del_me
            pipeline.reset_stream()
            pipeline.submit_frame(np.zeros((20, 30, 3), np.uint8))
            self.assertEqual(pipeline.get_result().mask.shape, (20, 30))

    def test_errors(self) -> None:
        for args, kind, words in (
                (("no-such-model",), FileNotFoundError, "no-such-model"),
                ((support.MODEL, {"mask": {"refine_radios": 1}}), vrseg.NotFoundError,
                 "refine_radius"),
                ((support.MODEL, {"tickets": 1}), ValueError, "from 2 to 256"),
                ((support.MODEL, "no-such-config"), vrseg.NotFoundError, "no-such-config"),
                ((support.MODEL, None, "gpu"), vrseg.InvalidError, "gpu"),
                ((support.MODEL, None, True), TypeError, "truth value"),
                ((17,), (TypeError, ImportError), "Module|PyTorch")):
            with self.subTest(args=args), self.assertRaisesRegex(kind, words):
                vrseg.AsyncPipeline(*args)
        with self.assertRaisesRegex(TypeError, "torch.nn.Module"):
            make(export={"size": (64, 64)})
        os.environ["VRSEG_CUDA_LIBRARY"] = "/nowhere/libcuda.so.1"
        self.addCleanup(os.environ.pop, "VRSEG_CUDA_LIBRARY")
        with self.assertRaisesRegex(vrseg.MissingError, "/nowhere/libcuda.so.1"):
            vrseg.AsyncPipeline(support.MODEL, None, 0)

    def test_config(self) -> None:
        path = support.FOLDER / "c.yaml"
        path.write_text("mask:\n  smooth: on\n  feather: 3\n", encoding="utf-8")
        config = vrseg.Config(path, "cpu")
        self.assertEqual((config["smooth"], config["mask.feather"], config["device"]),
                         ("on", "3", "cpu"))
        self.assertEqual(vrseg.Config({"mask": {"smooth": True}, "crf": 17.5})["smooth"], "on")
        self.assertIn("tickets", list(config))
        self.assertEqual(len(list(config)), len(config))
        self.assertNotIn("nothing", config)
        with self.assertRaises(KeyError):
            config["nothing"]
        config.save(support.FOLDER / "d.yaml")
        self.assertEqual(vrseg.Config(support.FOLDER / "d.yaml")["feather"], "3")
        self.assertEqual(vrseg.Config("cpu")["device"], "cpu")  # a configuration by its name


@unittest.skipIf(REASON, REASON)
class Interrupts(unittest.TestCase):
    def interrupted(self, program: str) -> str:
        """What a program says whose wait is interrupted after its first line."""
        environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
        process = subprocess.Popen([sys.executable, "-B", "-c", program], env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.kill)
        assert process.stdout
        self.assertEqual(process.stdout.readline(), "waits\n")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 0, said)
        return said

    HEAD = ("import numpy, vrseg\n"
            f"p = vrseg.AsyncPipeline('{support.MODEL}', {{'tickets': 4}}, 'cpu').start()\n"
            "frame = numpy.zeros((40, 50, 3), numpy.uint8)\n")
    TAIL = ("except KeyboardInterrupt:\n"
            "    print('interrupted')\n"
            "p.close()\n")

    def test_get_result(self) -> None:
        said = self.interrupted(self.HEAD + "print('waits', flush=True)\n"
                                "try:\n    p.get_result()\n" + self.TAIL)
        self.assertEqual(said, "interrupted\n")

    def test_submit(self) -> None:
        """All tickets hold results of another thread's: submitting waits."""
        said = self.interrupted(
            self.HEAD + "import threading\nheld = []\n"
            "def fetch():\n    for i in range(3):\n        held.append(p.get_result(timeout=60))\n"
            "t = threading.Thread(target=fetch)\nt.start()\n"
            "for i in range(4):\n    p.submit_frame(frame)\nt.join()\n"
            "print('waits', flush=True)\n"
            "try:\n    p.submit_frame(frame)\n" + self.TAIL)
        self.assertEqual(said, "interrupted\n")


if __name__ == "__main__":
    support.main()
