"""Interrupts, closed pipes, and two runs onto one output."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import support
from support import clip, frames, run, start, summary

WIDTH, HEIGHT = 64, 48
HEADER = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 Ip C420jpeg\n".encode()
PICTURE = b"FRAME\n" + bytes(range(256)) * (WIDTH * HEIGHT * 3 // 2 // 256)


class Feeder:
    """Writes pictures into a program's standard input from a thread until the pipe breaks."""

    def __init__(self, process: subprocess.Popen, pictures: int = 1 << 30) -> None:
        self.process, self.pictures = process, pictures
        self.thread = threading.Thread(target=self.feed)
        self.thread.start()

    def feed(self) -> None:
        try:
            self.process.stdin.write(HEADER)
            for _ in range(self.pictures):
                self.process.stdin.write(PICTURE)
                self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass


def wait_for(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    """Polls until the condition holds while the process lives."""
    end = time.monotonic() + support.PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"what was waited for did not come; exit code {process.poll()}")
        time.sleep(0.02)


class Progress:
    """Reads --progress json lines from standard error, so that its pipe never fills."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.lines: list[str] = []
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.decode())

    def frames(self) -> int:
        shown = [line for line in self.lines if line.startswith('{"frames":')]
        return int(shown[-1].split(":")[1].split(",")[0]) if shown else 0

    def text(self) -> str:
        """What else was said; after the end of the process."""
        self.thread.join()
        return "".join(line for line in self.lines if not line.startswith("{"))


class Stop(support.CliTest):
    def endless(self, *args: object) -> tuple[subprocess.Popen, Progress]:
        """A run on a pipe without end, some frames on its way."""
        process = start("run", "-", "--progress", "json", *args)
        feeder, progress = Feeder(process), Progress(process)
        self.addCleanup(self.end, process, feeder, progress)
        wait_for(lambda: progress.frames() > 20, process)
        return process, progress

    def end(self, process: subprocess.Popen, feeder: Feeder, progress: Progress) -> None:
        """Leaves no process, thread or pipe behind, whatever a test did."""
        process.kill()
        process.wait()
        feeder.thread.join()
        progress.thread.join()
        process.stdout.close()
        process.stderr.close()
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass  # what was still to be written

    def test_interrupted_once(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                output = self.out / "o.mp4"
                figures = self.folder / "run.json"
                process, progress = self.endless("-o", output, "--json", figures)
                process.send_signal(number)
                self.assertEqual(process.wait(support.PATIENCE), 130)
                self.assertRegex(progress.text(), r"^vrseg: [^\n]*stopped after \d+ frames\n$")
                self.assert_left("o.mp4")
                self.assertGreater(frames(output), 20)
                self.assertEqual(frames(output), summary(figures)["frames"])

    def test_interrupted_twice(self) -> None:
        process, progress = self.endless("-o", self.out / "o.mp4", "--segment-frames", 10)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)  # signals that are pending together are one
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.PATIENCE), 130)
        self.assertRegex(progress.text(), r"^vrseg: [^\n]+\n$")
        left = os.listdir(self.out)
        # Either the finished segments with their journal, or, if all was done by then, the whole.
        self.assertIn(left, (["o.mp4.vrseg"], ["o.mp4"]))
        if left == ["o.mp4.vrseg"]:
            inside = sorted(os.listdir(self.out / left[0]))
            self.assertIn("journal.jsonl", inside)
            segments = [name for name in inside if name.startswith("seg-")]
            self.assertGreater(len(segments), 1)
            for name in segments:
                self.assertEqual(frames(self.out / left[0] / name), 10)

    def test_next_run_replaces_what_was_left(self) -> None:
        left = self.out / "o.mp4.vrseg"
        process, progress = self.endless("-o", self.out / "o.mp4", "--segment-frames", 10)
        process.kill()
        process.wait()
        progress.text()
        self.assertTrue(left.is_dir())
        source = clip(self.folder / "a.mp4", 5)
        done = run("run", source, "-o", self.out / "o.mp4", "--overwrite", "off")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertTrue(left.is_dir())
        done = run("run", source, "-o", self.out / "o.mp4")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_sentences(done.stderr)
        self.assert_left("o.mp4")
        self.assertEqual(frames(self.out / "o.mp4"), 5)

    def test_two_runs_one_output(self) -> None:
        output = self.out / "o.mp4"
        process, progress = self.endless("-o", output)
        source = clip(self.folder / "a.mp4", 5)
        done = run("run", source, "-o", output)
        self.assert_refused(done, 1, r"o\.mp4.*another run")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.PATIENCE), 130)
        progress.text()
        self.assert_left("o.mp4")
        self.assertGreater(frames(output), 20)

    def test_reader_goes_away(self) -> None:
        source = clip(self.folder / "a.mp4", 200)
        process = start("run", source, "-o", "-", "--mask-size", "640x480")
        process.stdin.close()
        self.assertTrue(process.stdout.read(10000).startswith(b"YUV4MPEG2"))
        process.stdout.close()
        text = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(support.PATIENCE), 1, text)
        self.assertRegex(text, r"(?m)^vrseg: [^\n]*standard output[^\n]*\n", text)


class Pipes(support.CliTest):
    def test_pipe_to_pipe(self) -> None:
        process = start("run", "-", "-o", "-", "--mask-size", "32x24", "--progress", "none")
        Feeder(process, 30).thread.join()
        process.stdin.close()
        data, errors = process.stdout.read(), process.stderr.read()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(support.PATIENCE), 0, errors)
        header, rest = data.split(b"\n", 1)
        self.assertRegex(header, rb"^YUV4MPEG2 W32 H24 F25:1")
        self.assertEqual(rest.count(b"FRAME\n"), 30)

    def test_cut_pipe(self) -> None:
        done = run("run", "-", "-o", "null", "--json", self.folder / "run.json", text=False,
                   input=HEADER + PICTURE * 5 + PICTURE[:1000])
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(summary(self.folder / "run.json")["frames"], 5)

    def test_raw_pipe(self) -> None:
        done = run("run", "-", "-o", self.out / "o.mp4", "--raw-format", "16x8:rgb24:30",
                   text=False, input=bytes(16 * 8 * 3) * 7)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(frames(self.out / "o.mp4"), 7)


if __name__ == "__main__":
    support.main(needs_engine=True)
