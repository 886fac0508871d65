"""Runs of the program on a real GPU: budgets of memory, another program that takes the memory away,
kernels one by one, several GPUs. Skipped where NVIDIA's driver shows none, unless
$VRSEG_REQUIRE_CUDA is set.

A run needs no ffmpeg here: frames are made from tests/data/person.ppm as Y4M, and a clip that NVDEC
decodes is made of them by the program. $VRSEG_GPU_GRAB is a command that takes `DEVICE LEFT` behind
its arguments, fills that GPU but for so many bytes, prints a line and holds them until its input
ends.
"""

import json
import os
import re
import shlex
import subprocess
import threading
import unittest
from pathlib import Path

from support import MODEL, PROGRAM, SKIPPED, SOURCE, CliTest, doctor, run, start, summary

WIDTH, HEIGHT, COUNT = 640, 384, 90
GRAB = shlex.split(os.environ.get("VRSEG_GPU_GRAB", ""))
RUN = ("--device", "cuda:0", "--engine", "cuda", "--model", MODEL, "--progress", "none")
UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9}


def y4m_frames(count: int) -> list[bytes]:
    """A photograph that wanders from left to right over a gray picture."""
    data = (SOURCE / "tests" / "data" / "person.ppm").read_bytes()[-48 * 48 * 3:]
    luma = [[(66 * data[i] + 129 * data[i + 1] + 25 * data[i + 2]) // 256 + 16
             for i in range(row * 144, row * 144 + 144, 3)] for row in range(48)]
    rows = [b"".join(bytes([value]) * 8 for value in row) for row in luma for _ in range(8)]
    made = []
    for i in range(count):
        left = (WIDTH - 384) * i // max(1, count - 1)
        picture = b"".join(bytes([96]) * left + row + bytes([96]) * (WIDTH - 384 - left)
                           for row in rows)
        made.append(b"FRAME\n" + picture + bytes([128]) * (WIDTH * HEIGHT // 2))
    return made


HEAD = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F30:1 C420jpeg\n".encode()
FRAMES = y4m_frames(COUNT)


def masks(path: Path) -> list[bytes]:
    """The luma of each frame of a Y4M file."""
    return [part[:WIDTH * HEIGHT] for part in path.read_bytes().split(b"FRAME\n")[1:]]


def grab(device: str, left: int) -> subprocess.Popen:
    """A second program, once it holds all but `left` bytes of a GPU."""
    held = subprocess.Popen([*GRAB, device, str(left)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    assert held.stdout is not None
    if not held.stdout.readline():
        raise AssertionError("the second program got nothing")
    return held


def let_go(held: subprocess.Popen) -> None:
    held.communicate()
    assert held.returncode == 0


class GpuTest(CliTest):
    expected: list[bytes] = []  # masks of a run without limits

    def setUp(self) -> None:
        super().setUp()
        self.clip = self.folder / "clip.y4m"
        self.clip.write_bytes(HEAD + b"".join(FRAMES))
        self.figures = self.folder / "f.json"
        if not GpuTest.expected:
            GpuTest.expected = self.masks_of(self.run_on_gpu(self.clip))

    def run_on_gpu(self, source: object, *args: object, **more: object) -> Path:
        """A run that must succeed with every frame; the masks' file."""
        out = self.out / f"m{len(os.listdir(self.out))}.y4m"
        done = run("run", source, "-o", out, "--json", self.figures, *RUN, *args, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = summary(self.figures)
        self.assertEqual(figures["failed"], 0)
        self.assertEqual(figures["device"].split()[0], "cuda:0")
        return out

    def masks_of(self, path: Path) -> list[bytes]:
        found = masks(path)
        self.assertEqual([len(mask) for mask in found], [WIDTH * HEIGHT] * len(found))
        self.assertGreater(sum(found[0]), 20 * WIDTH * HEIGHT)  # somebody is there
        return found

    def assert_same(self, found: list[bytes], expected: list[bytes], iou: float = 0.999) -> None:
        """As many, and pooled the same but for what other plans round otherwise."""
        self.assertEqual(len(found), len(expected))
        both = either = 0
        for mask, wanted in zip(found, expected):
            a = int.from_bytes(mask.translate(HALF), "big")
            b = int.from_bytes(wanted.translate(HALF), "big")
            both += (a & b).bit_count()
            either += (a | b).bit_count()
        self.assertGreaterEqual(both / either, iou)

    def test_budgets(self) -> None:
        """With each every frame comes out, and the ledger keeps within it. What a budget that is
        too small asks for is enough in the end."""
        sizes = {"24GB": 24e9, "8GB": 8e9, "4GB": 4e9}
        for text, size in sizes.items():
            with self.subTest(text):
                self.assert_same(self.masks_of(self.run_on_gpu(self.clip, "--gpu-memory", text)),
                                 self.expected)
                self.assertLessEqual(summary(self.figures)["gpu_memory_bytes"], size)
        least = 1e6
        for _ in range(40):
            text = f"{int(least)}B"
            done = run("run", self.clip, "-o", self.out / "least.y4m", "--json", self.figures, *RUN,
                       "--gpu-memory", text)
            if done.returncode == 0:
                break
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, "gpu_memory")
            print(done.stderr.strip())
            needed = re.search(r"at least ([\d.]+) ([KMG]B) are needed", done.stderr)
            if needed is None:
                needed = re.search(r"makes ([\d.]+) ([KMG]B) of a budget|"
                                   r"context alone takes ([\d.]+) ([KMG]B)|"
                                   r"needs .*, ([\d.]+) ([KMG]B) with all", done.stderr)
            self.assertIsNotNone(needed, done.stderr)
            number, unit = [text for text in needed.groups() if text]
            more = float(number) * UNITS[unit] * 1.02  # two or three digits are said
            self.assertGreater(more, least)
            least = more
        print(f"the least budget that works: {least / 1e6:.0f} MB")
        self.assert_same(self.masks_of(self.out / "least.y4m"), self.expected)
        self.assertLessEqual(summary(self.figures)["gpu_memory_bytes"], least)

    @unittest.skipUnless(GRAB, "there is no second program")
    def test_second_program(self) -> None:
        """The memory is taken away in mid-run and given back: every frame comes out."""
        for args in ((), ("--gpu-memory", "8GB", "--gpu-reserve", "2GB"), ("--layout", "sbs")):
            with self.subTest(args):
                out = self.out / f"second{len(os.listdir(self.out))}.y4m"
                child = start("run", "-", "-o", out, "--json", self.figures, *RUN, *args)
                said: list[bytes] = []
                reader = threading.Thread(target=lambda c=child, s=said: s.append(c.stderr.read()))
                reader.start()
                child.stdin.write(HEAD + b"".join(FRAMES))
                held = grab("cuda:0", 100_000_000)
                for _ in range(4):
                    child.stdin.write(b"".join(FRAMES))
                let_go(held)
                child.stdin.write(b"".join(FRAMES))
                child.stdin.close()
                child.stdout.read()
                reader.join()
                self.assertEqual(child.wait(), 0, said)
                child.stdout.close()
                child.stderr.close()
                figures = summary(self.figures)
                self.assertEqual((figures["frames"], figures["failed"]), (6 * COUNT, 0))
                self.assertEqual(figures["device"].split()[0], "cuda:0")
                if "--layout" not in args:
                    self.assert_same(self.masks_of(out), 6 * self.expected)

    @unittest.skipUnless(GRAB, "there is no second program")
    def test_no_room_at_the_start(self) -> None:
        """Another program has it all: one sentence, or by itself the CPU."""
        held = grab("cuda:0", 1_000_000)
        done = run("run", self.clip, "-o", "null", *RUN)
        let_go(held)
        print(done.stderr)
        self.assertIn(done.returncode, (1, 2))
        self.assertRegex(done.stderr, "memory")

    def test_deep(self) -> None:
        """Kernels with the nodes they are of, also inside of CUDA graphs, on the host's clock."""
        trace = self.folder / "t.trace"
        self.run_on_gpu(self.clip, "--trace", trace, "--deep", "--report", self.folder / "r.html")
        lines = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
        notes = {line["note"][0]: line["note"][1] for line in lines if "note" in line}
        print(notes)
        nodes = {line["node"][1] for line in lines if "node" in line}
        kernels = [line["kernel"] for line in lines if "kernel" in line]
        named = {k[1] for k in kernels if k[1]}
        self.assertTrue(named)
        self.assertLessEqual(named, nodes)
        self.assertGreater(len(named), 0.8 * len(nodes), sorted(nodes - named))
        ids = {line["kernel_id"][0]: line["kernel_id"] for line in lines if "kernel_id" in line}
        runs = [line["kernel_run"] for line in lines if "kernel_run" in line]
        tracks = {line["track"][0]: line["track"] for line in lines if "track" in line}
        self.assertTrue(runs)
        self.assertTrue(any(ids[r[1]][2] for r in runs if r[1] in ids))
        infer = sorted((s[3], s[3] + s[4]) for s in (line["span"] for line in lines
                                                      if "span" in line) if s[1] == "infer")
        begin, end = infer[0][0], max(last for _, last in infer)
        inside = 0
        # Those before belong to the making of the engine.
        of_nodes = [r for r in runs if r[1] in ids and ids[r[1]][2] and r[2] >= begin - 200_000]
        self.assertTrue(of_nodes)
        for _, _, first, length in of_nodes:
            inside += any(b - 200_000 <= first and first + length <= e + 200_000
                          for b, e in infer)
        print(f"{len(kernels)} kernels of {len(named)} nodes of {len(nodes)}, {len(runs)} runs, "
              f"{inside} of {len(of_nodes)} within spans of the network, on tracks "
              f"{[t[1:] for t in tracks.values()]}, the network from {begin} to {end}")
        self.assertGreater(inside, 0.95 * len(of_nodes))
        page = (self.folder / "r.html").read_text(encoding="utf-8")
        self.assertIn(next(iter(named)), page)

    def test_doctor(self) -> None:
        found = doctor("--self-test", "--device", "cuda:0", "--model", MODEL)
        gpu = found["gpus"][0]
        self.assertTrue(gpu["usable"])
        self.assertGreater(gpu["memory_free_bytes"], 0)
        wrong = {name: check for name, check in found["self_test"].items()
                 if check["state"] == "failed" and "cuda" in name.lower()}
        print({n: (c["state"], c["found"]) for n, c in found["self_test"].items()})
        self.assertEqual(wrong, {})

    def test_monitor(self) -> None:
        done = run("monitor", "--count", 2, "--interval", 0.2)
        self.assertEqual(done.returncode, 0, done.stderr)
        print(done.stdout)
        for reading in map(json.loads, done.stdout.splitlines()):
            self.assertGreater(reading["memory_total_bytes"], reading["memory_used_bytes"])
            for name in ("gpu_percent", "sm_mhz", "power_watts", "temperature_c"):
                self.assertIsNotNone(reading[name])

    def test_no_such_gpu(self) -> None:
        count = len(doctor()["gpus"])
        done = run("run", self.clip, "-o", "null", "--device", f"cuda:{count}")
        self.assert_refused(done, 2, f"there is no GPU cuda:{count}: the driver shows cuda:0")
        none = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        done = run("run", self.clip, "-o", "null", "--device", "cuda:0", env=none)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"^vrseg: [^\n]+\n$")
        print(done.stderr)

    def test_decoders(self) -> None:
        """NVDEC, and several inputs side by side: the masks of what the CPU decodes."""
        clip = self.folder / "clip.mp4"
        done = run("run", self.clip, "-o", f"green:{clip}", "--codec", "h264", *RUN)
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = self.masks_of(self.run_on_gpu(clip, "--decoder", "cpu"))
        found = self.masks_of(self.run_on_gpu(clip, "--decoder", "nvdec"))
        self.assertEqual(summary(self.figures)["decoder"], "nvdec")
        self.assert_same(found, expected)
        clips = []
        for i in range(8):
            clips.append(self.folder / f"c{i}.mp4")
            os.link(clip, clips[-1])
        done = run("run", *clips, "-o", self.out / "{name}.y4m", "--json", self.figures, *RUN)
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = summary(self.figures)
        self.assertEqual((figures["frames"], figures["failed"], figures["inputs_failed"]),
                         (8 * COUNT, 0, 0))
        self.assertEqual({i["decoder"] for i in figures["inputs"]}, {"nvdec"})
        for i in range(8):
            self.assert_same(self.masks_of(self.out / f"c{i}.y4m"), expected)

    def test_visible_devices(self) -> None:
        """What NVML says is of the GPU that the driver means, however GPUs are numbered."""
        every = doctor()["gpus"]
        if len(every) < 2 or not GRAB:
            self.skipTest("one GPU alone, or no second program")
        unset = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
        last = len(every) - 1
        held = grab(f"cuda:{last}", 20_000_000_000)
        try:
            for visible in (str(last), "0", f"{last},0", f"0,{last}"):
                env = unset | {"CUDA_VISIBLE_DEVICES": visible}
                numbers = [int(n) for n in visible.split(",")]
                found = doctor(env=env)["gpus"]
                self.assertEqual([g["pci"] for g in found], [every[n]["pci"] for n in numbers])
                for number, gpu in zip(numbers, found):
                    taken = gpu["memory_total_bytes"] - gpu["memory_free_bytes"]
                    self.assertEqual(taken > 30e9, number == last, (visible, gpu))
                for place, number in enumerate(numbers):
                    trace = self.folder / "v.trace"
                    done = run("run", self.clip, "-o", "null", "--trace", trace, "--engine", "cuda",
                               "--progress", "none", "--device", f"cuda:{place}", env=env)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    samples = [json.loads(line)["sample"][1] for line in
                               trace.read_text(encoding="utf-8").splitlines() if '"sample"' in line]
                    memory = [value for s in samples for name, value in s.items()
                              if re.fullmatch(r"gpu\d* ?memory|gpu\d+ memory|memory", name)]
                    print(visible, place, memory[:3], sorted(samples[-1]))
                    self.assertTrue(memory)
                    for value in memory:
                        self.assertEqual(value > 30e9, number == last, (visible, place))
        finally:
            let_go(held)

    def test_all_gpus(self) -> None:
        if len(doctor()["gpus"]) < 2:
            self.skipTest("one GPU alone")
        inputs = []
        for i in range(8):
            inputs.append(self.folder / f"i{i}.y4m")
            os.link(self.clip, inputs[-1])
        done = run("run", *inputs, "-o", self.out / "{name}.y4m", "--json", self.figures,
                   "--device", "all", "--engine", "cuda", "--progress", "none")
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = summary(self.figures)
        print(figures["device"], figures["fps"])
        self.assertEqual((figures["frames"], figures["failed"]), (8 * COUNT, 0))
        for i in range(8):
            self.assert_same(self.masks_of(self.out / f"i{i}.y4m"), self.expected)


HALF = bytes(value >= 128 for value in range(256))


def gpu_missing() -> str:
    """Why no test can run here; empty where they can."""
    if "state: installed" not in run("models", "show", MODEL).stdout:
        return f"the weights of {MODEL} are not installed"
    gpus = [gpu for gpu in doctor()["gpus"] if gpu["usable"]]
    return "" if gpus else "there is no GPU"


if __name__ == "__main__":
    import sys
    import tempfile
    assert PROGRAM, "VRSEG_PROGRAM must name the program"
    REASON = gpu_missing()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(1 if os.environ.get("VRSEG_REQUIRE_CUDA") else SKIPPED)
    with tempfile.TemporaryDirectory(prefix="vrseg-cache-") as CACHE:
        os.environ["XDG_CACHE_HOME"] = CACHE  # the user's own stays as it is
        unittest.main(verbosity=2)
