"""Makes the sample clip: a camera that pans, zooms and sways over one photograph of a person.

The photograph is NASA's portrait of the astronaut Eileen Collins, in the public domain, from the
package scikit-image. The clip has 300 frames of 1280x720 at 30 per second, H.264, and a quiet tone.
With --stereo it is two such pictures side by side: in the right one the person is shifted, as what
is near is for the right eye. The frames are the same on every run.
A clip that is newer than the photograph and this script is left as it is.
"""

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT, RATE, FRAMES = 1280, 720, 30, 300
PHOTO = 512  # the photograph's width and height
DETAIL = 3   # how much larger it is made once, well, before each frame is cut out of it fast

# Where the camera looks: time, centre x and y, width of the cut-out, in the photograph's pixels.
CAMERA = ((0.00, 256, 148, 486), (0.25, 224, 122, 330), (0.50, 196, 164, 360),
          (0.75, 292, 156, 410), (1.00, 256, 148, 486))
SWAY_DEGREES, SWAY_PIXELS = 0.8, 2.5

# The person's outline, roughly: a head and the body with the helmet.
HEAD = (150, 12, 304, 200)
BODY = ((128, 160), (290, 160), (310, 240), (345, 270), (362, 345), (470, 350), (512, 420),
        (512, 512), (20, 512), (40, 280), (110, 230))
PARALLAX, SOFTNESS = 10.0, 10.0


class SampleError(Exception):
    """A sentence for the user."""


def load_photo(path: Path) -> np.ndarray:
    """The photograph as height x width x RGB."""
    with Image.open(path) as photo:
        if photo.size != (PHOTO, PHOTO):
            raise SampleError(f"{path} is {photo.width}x{photo.height}, and {PHOTO}x{PHOTO} is "
                              "expected")
        return np.asarray(photo.convert("RGB"))


def second_eye(photo: np.ndarray) -> np.ndarray:
    """What the right eye sees: the person, being near, further to the left. Each pixel is looked up
    to its right by its parallax, which falls off softly, so that no holes open at the outline."""
    near = Image.new("L", (PHOTO, PHOTO))
    draw = ImageDraw.Draw(near)
    draw.ellipse(HEAD, fill=255)
    draw.polygon(BODY, fill=255)
    near = near.filter(ImageFilter.GaussianBlur(SOFTNESS))
    rows, columns = np.mgrid[0:PHOTO, 0:PHOTO]
    x = np.minimum(columns + PARALLAX * np.asarray(near) / 255.0, PHOTO - 1)
    left = x.astype(int)
    right = np.minimum(left + 1, PHOTO - 1)
    part = (x - left)[:, :, np.newaxis]
    return np.rint(photo[rows, left] * (1 - part) + photo[rows, right] * part).astype(np.uint8)


def camera_at(time: float) -> tuple[float, float, float]:
    """Centre and width of the cut-out at a time from 0 to 1: eased from key to key."""
    for (start, *before), (end, *after) in zip(CAMERA, CAMERA[1:]):
        if time <= end:
            break
    part = (time - start) / (end - start)
    part = part * part * (3 - 2 * part)
    return tuple(a + (b - a) * part for a, b in zip(before, after))


def cut_out(time: float) -> tuple[float, ...]:
    """The affine map from a frame's pixels to the enlarged photograph's, as Pillow wants it."""
    x, y, width = camera_at(time)
    x += SWAY_PIXELS * math.sin(2 * math.pi * 3 * time)
    y += SWAY_PIXELS * math.sin(2 * math.pi * 5 * time)
    angle = math.radians(SWAY_DEGREES) * math.sin(2 * math.pi * 2 * time)
    scale = DETAIL * width / WIDTH
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    return (cosine, -sine, DETAIL * x - cosine * WIDTH / 2 + sine * HEIGHT / 2,
            sine, cosine, DETAIL * y - sine * WIDTH / 2 - cosine * HEIGHT / 2)


def frames(eyes: list[np.ndarray]) -> Iterator[bytes]:
    """The clip's frames as RGB bytes, the eyes side by side."""
    enlarged = [Image.fromarray(eye).resize((PHOTO * DETAIL,) * 2, Image.Resampling.LANCZOS)
                for eye in eyes]
    frame = Image.new("RGB", (WIDTH * len(eyes), HEIGHT))
    for number in range(FRAMES):
        view = cut_out(number / (FRAMES - 1))
        for place, eye in enumerate(enlarged):
            frame.paste(eye.transform((WIDTH, HEIGHT), Image.Transform.AFFINE, view,
                                      Image.Resampling.BILINEAR), (WIDTH * place, 0))
        yield frame.tobytes()


def encoder_command(width: int, stereo: bool, output: Path) -> list[str]:
    """FFmpeg, reading the frames from its input. A fixed number of threads, as x264's result
    depends on it."""
    tone = f"sine=frequency=220:sample_rate=48000:duration={FRAMES / RATE},volume=0.3"
    packing = ["-x264-params", "frame-packing=3"] if stereo else []  # 3: side by side
    return ["ffmpeg", "-nostdin", "-loglevel", "error", "-y",
            "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{width}x{HEIGHT}",
            "-framerate", str(RATE), "-i", "pipe:0", "-f", "lavfi", "-i", tone,
            "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
            "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709",
            "-color_trc", "bt709", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18",
            "-threads", "2", *packing, "-c:a", "aac", "-b:a", "96k", "-fflags", "+bitexact",
            "-flags", "+bitexact", "-movflags", "+faststart", "-f", "mp4", str(output)]


def encode(eyes: list[np.ndarray], output: Path) -> None:
    """Writes the clip."""
    if not shutil.which("ffmpeg"):
        raise SampleError("the program ffmpeg is missing: install the Debian package ffmpeg")
    command = encoder_command(WIDTH * len(eyes), len(eyes) > 1, output)
    with tempfile.TemporaryFile() as messages:
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages)
        try:
            for frame in frames(eyes):
                encoder.stdin.write(frame)
            encoder.stdin.close()
        except BrokenPipeError:
            pass  # its messages say why it stopped reading
        finally:
            status = encoder.wait()
        if status != 0:
            messages.seek(0)
            said = messages.read().decode(errors="replace").strip().splitlines()
            raise SampleError(f"ffmpeg could not write {output}: "
                              f"{said[-1] if said else f'status {status}'}")


def is_newer(output: Path, sources: list[Path]) -> bool:
    """Whether the output stands and was made after all that it is made from."""
    return output.is_file() and all(output.stat().st_mtime_ns >= source.stat().st_mtime_ns
                                    for source in sources)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("photo", type=Path, help="astronaut.png of scikit-image")
    parser.add_argument("output", type=Path, help="the MP4 file to write")
    parser.add_argument("--stereo", action="store_true", help="two eyes, side by side")
    arguments = parser.parse_args()
    output = arguments.output
    try:
        if is_newer(output, [arguments.photo, Path(__file__)]):
            return 0
        photo = load_photo(arguments.photo)
        print(f"Making the sample clip {output}", file=sys.stderr, flush=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".sample-", dir=output.parent) as scratch:
            fresh = Path(scratch) / output.name
            encode([photo, second_eye(photo)] if arguments.stereo else [photo], fresh)
            fresh.replace(output)
    except (SampleError, OSError) as error:
        print(f"make_sample.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
