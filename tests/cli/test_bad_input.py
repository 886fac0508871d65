"""Input that is wrong, damaged or odd: one sentence, the right exit code, nothing half-written."""

import hashlib
import os
import pty
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import support
from support import clip, ffmpeg, frames, pattern, run, summary, video

LOSSLESS = ("-c:v", "ffv1")


class Refused(support.CliTest):
    """Exit code 2 and an empty folder."""

    def refuse(self, source: object, complaint: str, *args: object) -> None:
        done = run("run", source, "-o", self.out / "o.mp4", *args)
        self.assert_refused(done, 2, complaint)
        self.assert_left()

    def test_missing_file(self) -> None:
        self.refuse(self.folder / "none.mp4", r"none\.mp4.*No such file")
        loop = self.folder / "loop.mp4"
        loop.symlink_to(loop)
        self.refuse(loop, r"loop\.mp4.*links")
        self.refuse("x" * 300, "cannot be opened: File name too long")

    def test_files_beside_the_output(self) -> None:
        """None overwrites the input or the output, and none is unwritable at the end of a run."""
        source = clip(self.folder / "beside.mp4", 3)
        before = source.read_bytes()
        link = self.folder / "link.mp4"
        link.symlink_to(source)
        for flag in ("--json", "--trace", "--report"):
            with self.subTest(flag):
                self.refuse(source, "is the input itself", flag, source)
                self.refuse(source, "is the input itself", flag, link)
                self.refuse(source, "is the output itself", flag,
                            self.out.parent / "." / self.out.name / "o.mp4")
        self.refuse(source, "--json .* is --report itself", "--json", self.out / "x", "--report",
                    self.out / "x")
        self.refuse(source, "--json .*its folder does not exist", "--json", "/nowhere/x")
        self.refuse(source, "--json .*is a folder", "--json", self.out)
        self.refuse(source, "--plots .*a file has its name", "--plots", source)
        self.assertEqual(source.read_bytes(), before)

    def test_no_room(self) -> None:
        """Outputs of both inputs together, known to the byte, are more than the disk has."""
        free = shutil.disk_usage(self.out).free
        size = 64 * 48 * 3 // 2
        sources = []
        for name in ("a", "b"):
            path = self.folder / f"{name}.y4m"
            with open(path, "wb") as file:
                file.write(b"YUV4MPEG2 W64 H48 F25:1 Ip C420jpeg\n")
                file.write((b"FRAME\n" + bytes(size)) * 4)
                try:
                    file.truncate(int(free * 1.2) // size * (size + 6))
                except OSError as error:
                    self.skipTest(f"no large file with holes can be made here: {error}")
            sources.append(path)
        done = run("run", *sources, "-o", self.out / "{name}.y4m")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "free there, and 2 outputs of the run need at least")
        self.assert_left()
        for flags in (sources[:1], (*sources, "--max-frames", 2),
                      (*sources, "--disk-check", "off")):
            done = run("run", *flags, "-o", self.out / "{name}.y4m")
            self.assertNotIn("free there", done.stderr)
            self.assertEqual(done.returncode, 0 if "--max-frames" in flags else 3)

    def test_folder_without_pictures(self) -> None:
        empty = self.folder / "empty"
        empty.mkdir()
        self.refuse(empty, "empty: .*folder without pictures")

    def test_text(self) -> None:
        text = self.folder / "text.mp4"
        text.write_text("This is no video.\n" * 500)
        self.refuse(text, r"text\.mp4: .*no video or picture")

    def test_empty_file(self) -> None:
        empty = self.folder / "empty.mp4"
        empty.touch()
        self.refuse(empty, r"empty\.mp4: .*empty")

    def test_empty_pipe(self) -> None:
        self.refuse("-", "standard input: .*no data")

    def test_noise(self) -> None:
        noise = self.folder / "noise.mp4"
        noise.write_bytes(b"".join(hashlib.sha256(bytes([i])).digest() for i in range(200)))
        self.refuse(noise, r"noise\.mp4")

    def test_audio_alone(self) -> None:
        sound = self.folder / "sound.m4a"
        ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac", sound)
        self.refuse(sound, r"sound\.m4a: .*no video.*audio")

    def test_data_alone(self) -> None:
        data = self.folder / "data.ts"
        text = self.folder / "text.bin"
        text.write_bytes(b"data " * 1000)
        ffmpeg("-f", "data", "-i", text, "-map", 0, "-c", "copy", "-f", "mpegts", data)
        self.refuse(data, r"data\.ts: .*(no video|no known format|no frame)")

    def test_unknown_model(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        self.refuse(source, 'did you mean "selfie"', "--model", "selfi")

    def test_output_names(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        for name, complaint in (("o", "no output format"), ("none/o.mp4", "folder .*none"),
                                ("o.avi", "no output format")):
            with self.subTest(name):
                done = run("run", source, "-o", self.out / name)
                self.assert_refused(done, 2, complaint)
        self.assert_refused(run("run", source, "-o", f"cutout:{self.out}/o.mp4"), 2, "prores")
        self.assert_refused(run("run", source, "-o", f"classes:{self.out}/o.mkv"), 2, "no classes")
        twice = self.out / "o.mp4"
        self.assert_refused(run("run", source, "-o", twice, "-o", f"green:{twice}"), 2, "two outp")
        self.assert_refused(run("run", source, "-o", "/dev/null"), 2, "the output null")
        for command in ("run", "tune", "bench"):
            done = run(command, source, "-o", "gren:o.mp4", cwd=self.out)
            self.assert_refused(done, 2, '"gren" is no kind of output, expected mask, .*green')
        self.assert_left()
        done = run("run", source, "-o", "./gren:o.mp4", "--progress", "none", cwd=self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_left("gren:o.mp4")

    def test_settings(self) -> None:
        for flag, value, complaint in (("--background", "red", "#rrggbb"),
                                       ("--mask-size", "0x4", "WxH"),
                                       ("--preset", "slowish", 'no preset "slowish"'),
                                       ("--encoder-options", "a=b", 'no option "a"'),
                                       ("--gpu-memory", "4XB", 'gpu_memory: "4XB" is no amount')):
            with self.subTest(flag):
                source = clip(self.folder / "a.mp4", 3)
                self.refuse(source, complaint, flag, value)

    def test_raw_format(self) -> None:
        done = run("run", "-", "-o", self.out / "o.mp4", "--raw-format", "64:rgb", input="x" * 99)
        self.assert_refused(done, 2, "64:rgb")
        self.assert_left()

    def test_output_is_input(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        before = source.read_bytes()
        link = self.out / "link.mp4"
        for output in (source, link):
            with self.subTest(output.name):
                if output == link:
                    link.symlink_to(source)
                done = run("run", source, "-o", output)
                self.assert_refused(done, 2, "input")
                self.assertEqual(source.read_bytes(), before)
        self.assert_left("link.mp4")
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.mp4", "out"])

    def test_not_overwritten(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        output = self.out / "o.mp4"
        output.write_text("precious")
        done = run("run", source, "-o", output, "--overwrite", "off")
        self.assert_refused(done, 2, "exists|overwrite")
        self.assertEqual(output.read_text(), "precious")
        self.assert_left("o.mp4")


class Models(support.CliTest):
    """Networks and descriptors that do not fit."""

    def setUp(self) -> None:
        super().setUp()
        self.source = clip(self.folder / "a.mp4", 3)
        models = Path(os.environ["VRSEG_MODELS_DIR"])
        self.weights = models / f"{support.MODEL}.onnx"
        self.descriptor = self.folder / "own.yaml"
        text = (support.SOURCE / "models" / f"{support.MODEL}.yaml").read_text()
        self.text = "".join(line for line in text.splitlines(keepends=True)
                            if not line.startswith(("sha256", "fetchable")))

    def refuse(self, complaint: str) -> None:
        done = run("run", self.source, "-o", self.out / "o.mp4", "--model", self.descriptor)
        self.assert_refused(done, 2, complaint)
        self.assert_left()

    def write(self, text: str) -> None:
        self.descriptor.write_text(text)

    def test_own_model_runs(self) -> None:
        shutil.copy(self.weights, self.folder / "own.onnx")
        self.write(self.text)
        for name in ("own.yaml", "own.onnx"):
            with self.subTest(name):
                done = run("run", self.source, "-o", "null", "--model", self.folder / name)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_other_shape(self) -> None:
        shutil.copy(self.weights, self.folder / "own.onnx")
        self.write(self.text.replace("height: 144", "height: 160"))
        self.refuse("160")

    def test_cut_network(self) -> None:
        data = self.weights.read_bytes()
        self.write(self.text)
        for size in (0, 10, len(data) // 2, len(data) - 1):
            with self.subTest(size):
                (self.folder / "own.onnx").write_bytes(data[:size])
                self.refuse(r"own\.onnx")

    def test_no_network(self) -> None:
        (self.folder / "own.onnx").write_text("This is no network.\n" * 50)
        self.write(self.text)
        self.refuse(r"own\.onnx")

    def test_missing_network(self) -> None:
        self.write(self.text)
        self.refuse(r"own\.onnx")

    def test_wrong_keys(self) -> None:
        shutil.copy(self.weights, self.folder / "own.onnx")
        for right, wrong in (("width", "widht"), ("licence", "license"), ("classes", "clases")):
            with self.subTest(wrong):
                text = self.text.replace(f"{right}:", f"{wrong}:")
                line = next(i for i, row in enumerate(text.splitlines(), 1) if wrong in row)
                self.write(text)
                self.refuse(rf'own\.yaml:{line}\b.*"{wrong}".*"{right}"')

    def test_no_yaml(self) -> None:
        self.write("input: [1, 2\n")
        self.refuse(r"own\.yaml:\d")


class Read(support.CliTest):
    """What is odd but can be read."""

    def run_on(self, source: Path, code: int, *args: object, name: str = "o.mkv") -> dict:
        """Runs into a lossless mask; returns the figures."""
        figures = self.folder / "run.json"
        done = run("run", source, "-o", self.out / name, "--codec", "ffv1", "--json", figures,
                   *args)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assert_sentences(done.stderr)
        return summary(figures)

    def test_damaged_packets(self) -> None:
        source = clip(self.folder / "a.mp4", 40)
        data = bytearray(source.read_bytes())
        begin, end = data.index(b"mdat") + 4, data.rindex(b"moov")
        for place in (0.4, 0.6):
            at = begin + int((end - begin) * place)
            data[at:at + 300] = bytes(300)
        source.write_bytes(data)
        figures = self.run_on(source, 3)
        self.assert_left("o.mkv")
        self.assertGreater(figures["damaged"], 0)
        self.assertIn("a.mp4", figures["note"])
        self.assertEqual(frames(self.out / "o.mkv"), figures["frames"])
        self.assertGreater(figures["frames"], 10)

    def test_data_track(self) -> None:
        source = self.folder / "a.mov"
        clip(source, 5, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-timecode", "01:00:00:00")
        figures = self.run_on(source, 0)
        self.assertEqual(figures["frames"], 5)

    def test_tiny_sizes(self) -> None:
        for size in ("1x1", "17x9", "2x1", "1x40"):
            with self.subTest(size):
                source = clip(self.folder / f"{size}.mkv", 3, *LOSSLESS, "-pix_fmt", "yuv420p",
                              size=size)
                self.assertEqual(self.run_on(source, 0, name=f"{size}.mkv")["frames"], 3)
                shown = video(self.out / f"{size}.mkv")
                self.assertEqual(f"{shown['width']}x{shown['height']}", size)

    def test_tiny_composite(self) -> None:
        for size, coded in (("1x1", (2, 2)), ("17x9", (18, 10))):
            with self.subTest(size):
                source = clip(self.folder / f"{size}.mkv", 3, *LOSSLESS, "-pix_fmt", "yuv420p",
                              size=size)
                output = self.out / f"{size}.mp4"
                done = run("run", source, "-o", f"green:{output}")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(frames(output), 3)
                self.assertEqual((video(output)["width"], video(output)["height"]), coded)

    def joined(self, first: list[object], second: list[object]) -> Path:
        """Two clips of five frames one after the other in one H.264 stream."""
        whole = self.folder / "whole.h264"
        parts = []
        for i, (size, pixels) in enumerate((first, second)):
            part = clip(self.folder / f"{i}.h264", 5, "-c:v", "libx264", "-pix_fmt", pixels,
                        "-bf", 0, size=size)
            parts.append(part.read_bytes())
        whole.write_bytes(b"".join(parts))
        return whole

    def test_size_changes(self) -> None:
        source = self.joined(["64x48", "yuv420p"], ["96x80", "yuv420p"])
        self.assertEqual(self.run_on(source, 0)["frames"], 10)
        shown = video(self.out / "o.mkv")
        self.assertEqual((shown["width"], shown["height"], shown["nb_read_frames"]),
                         (64, 48, "10"))

    def test_pixel_format_changes(self) -> None:
        source = self.joined(["64x48", "yuv420p"], ["64x48", "yuv444p"])
        self.assertEqual(self.run_on(source, 0)["frames"], 10)
        source = self.joined(["64x48", "yuv420p10le"], ["64x48", "yuv420p"])
        self.assertEqual(self.run_on(source, 0, name="p.mkv")["frames"], 10)

    def test_formats(self) -> None:
        for pixels, encoder in (("yuv420p10le", "libx264"), ("yuv444p", "libx264"),
                                ("yuv422p10le", "libx264"), ("gray", "ffv1"), ("bgra", "ffv1"),
                                ("yuv444p12le", "ffv1"), ("rgb48le", "png")):
            with self.subTest(pixels):
                source = clip(self.folder / f"{pixels}.mkv", 4, "-c:v", encoder, "-pix_fmt", pixels)
                self.assertEqual(self.run_on(source, 0, name=f"{pixels}.mkv")["frames"], 4)
                green = self.out / f"{pixels}-green.mp4"
                done = run("run", source, "-o", f"green:{green}", "--preset", "ultrafast")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(frames(green), 4)
        self.assertEqual(video(self.out / "yuv420p10le-green.mp4")["pix_fmt"], "yuv420p10le")

    def test_pictures(self) -> None:
        pictures = self.folder / "pictures"
        pictures.mkdir()
        for i, size in enumerate(("64x48", "64x48", "33x21")):
            ffmpeg(*pattern(1, size), "-frames:v", 1, pictures / f"p{i}.png")
        (pictures / "p1b.png").write_text("This is no picture.\n")
        figures = self.folder / "run.json"
        done = run("run", pictures, "-o", f"{self.out}/m/", "--json", figures)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(sorted(os.listdir(self.out / "m")), ["p0.png", "p1.png", "p2.png"])
        self.assertEqual(video(self.out / "m" / "p2.png")["width"], 33)
        self.assertEqual(summary(figures)["damaged"], 1)


class Terminal(support.CliTest):
    def test_narrow(self) -> None:
        """Each line of the progress is cut at the terminal's width: of one that the terminal breaks
        in two, only the second half is overwritten by the next."""
        source = clip(self.folder / "narrow.mkv", 300, *LOSSLESS, size="640x480")
        child, terminal = pty.fork()
        if child == 0:
            os.execv(support.PROGRAM, [support.PROGRAM, "run", str(source), "-o", "null"])
        shown = b""
        while True:
            try:
                read = os.read(terminal, 65536)
            except OSError:  # the end of a terminal whose program has ended
                read = b""
            if not read:
                break
            shown += read
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, shown)
        lines = re.findall(rb"\r\x1b\[K(.*? frames, .*? fps.*?)(?=\r)", shown.split(b"latency")[0])
        # What is said once of the time is a line of its own, which stays.
        lines = [line for line in lines if not line.startswith(b"vrseg: time: ")]
        self.assertGreater(len(lines), 0, shown)
        for line in lines[:-1]:
            self.assertRegex(line, rb"^\x1b\[\?7l[^\x1b]*\x1b\[\?7h$")


class Disk(support.CliTest):
    """Folders that cannot be written, disks that are full."""

    def setUp(self) -> None:
        super().setUp()
        # Noise cannot be made small.
        self.source = clip(self.folder / "noise.mkv", 50, "-vf", "noise=alls=100:allf=t", "-c:v",
                           "ffv1", "-pix_fmt", "yuv420p", size="160x120")

    def run_under(self, *command: object) -> subprocess.CompletedProcess:
        return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=support.PATIENCE)

    def test_unwritable_folder(self) -> None:
        drop = [] if os.geteuid() != 0 else ["setpriv", "--bounding-set",
                                             "-dac_override,-dac_read_search", "--"]
        self.out.chmod(0o555)
        self.addCleanup(self.out.chmod, 0o755)
        probe = self.run_under(*drop, "sh", "-c", f"touch {self.out}/x 2>/dev/null && echo can")
        if probe.returncode > 1 or "can" in probe.stdout or probe.stderr:
            self.skipTest(f"privileges cannot be dropped here: {probe.stderr.strip()}")
        for output in (f"{self.out}/o.mp4", f"{self.out}/o.png", f"{self.out}/o.y4m",
                       f"{self.out}/o/"):
            with self.subTest(output):
                done = self.run_under(*drop, support.PROGRAM, "run", self.source, "-o", output)
                self.assert_refused(done, 2, "[Pp]ermission|writable|write")
                self.assert_left()

    def run_full(self, size: str, *args: object) -> tuple[str, str]:
        """Runs on a disk of that size until it is full; returns the message and what is left."""
        listed = self.folder / "list"
        listed.unlink(missing_ok=True)
        words = " ".join(map(str, [support.PROGRAM, "run", self.source, *args]))
        script = (f"mount -t tmpfs -o size={size} none {self.out} || exit 77\n{words}\ncode=$?\n"
                  f"ls -A {self.out} >{listed}\nexit $code")
        done = self.run_under("unshare", "-Urm", "sh", "-c", script)
        if not listed.exists():
            self.skipTest(f"no file system can be mounted here: {done.stderr.strip()}")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"vrseg: .*(full|[Nn]o space)")
        self.assert_sentences(done.stderr)
        return done.stderr, listed.read_text()

    def test_full_disk(self) -> None:
        out = f"green:{self.out}"
        for name, args in (("o.mkv", ["--codec", "ffv1"]), ("o.mp4", ["--crf", 0]),
                           ("o.y4m", [])):
            with self.subTest(name):
                _, left = self.run_full("64k", "-o", f"{out}/{name}", "--disk-check", "off", *args)
                self.assertEqual(left, "")

    def test_full_disk_keeps_segments(self) -> None:
        args = ["--codec", "ffv1", "--segment-frames", 5, "--disk-check", "off"]
        message, left = self.run_full("256k", "-o", f"green:{self.out}/o.mkv", *args)
        self.assertEqual(left, "o.mkv.vrseg\n")
        self.assertRegex(message, r"frames in finished segments are kept in .*o\.mkv\.vrseg")

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_full_device(self) -> None:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([support.PROGRAM, "run", self.source, "-o", "-"], stdout=full,
                                  stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                                  check=False, timeout=support.PATIENCE)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"vrseg: .*(full|[Nn]o space)")


if __name__ == "__main__":
    support.main(needs_engine=True)
