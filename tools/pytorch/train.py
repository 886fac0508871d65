"""Trains or fine-tunes a network on a folder of pictures and masks of people and exports it, so
that `vrseg run --model` takes it.

A run is a folder: checkpoint.pt, log.jsonl, curves.png, and at the end NAME.onnx and NAME.yaml. It
goes on with --resume after whatever stopped it, and ends as it would have: the pictures, their
order and their augmentation depend on the seed and the step alone.

Exit status: 0 done or stopped by --stop-after, 1 failed, 2 wrong usage, 128 and the signal's number
stopped by one; a checkpoint is there.
"""

import argparse
import hashlib
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

import curves
import export
import graph
import pictures
import sources
from augment import augmented
from dataset import PairSet, clip_samples, split
from descriptor import Descriptor
from errors import UserError, report

VERSION = 1  # of the checkpoint's contents
CLASSES = ("background", "person")
WARM_UP, LAST_RATE = 0.05, 0.01  # part of the steps; part of the rate
MAX_NORM = 5.0  # of the gradient
EXPORT_CHECKS = 8  # pictures that the exported network is compared on
GIB = 1 << 30
# What a checkpoint must agree in with the run that it goes on with.
RECORDED = ("network", "weights", "init", "size", "mean", "std", "epochs", "batch", "rate", "decay",
            "seed", "precision", "deterministic")


def parser_of() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="vrseg-train", description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, metavar="DIR",
                        help="images/NAME.jpg with masks/NAME.png, or NAME.jpg with NAME.png "
                        "beside it; in a mask 0 is background and everything else a person")
    parser.add_argument("--clip", type=Path, nargs=2, action="append", metavar=("VIDEO", "MASKS"),
                        help="also train on a video's frames and their masks, a video of white on "
                        "black; vrseg's Python package reads them; may be given several times")
    parser.add_argument("--clip-every", type=int, default=5, metavar="N",
                        help="of clips, one frame of so many; 5")
    parser.add_argument("--network", default="deeplabv3plus-r50", help=sources.FORMS)
    parser.add_argument("--weights", metavar="NAME",
                        help="published weights to start with, of torchvision or of an encoder")
    parser.add_argument("--init", type=Path, metavar="FILE",
                        help="a checkpoint to start with; what does not fit is left out and said")
    parser.add_argument("--val", type=Path, action="append", metavar="DIR",
                        help="pairs to check with, never trained on; may be given several times")
    parser.add_argument("--val-share", type=float, default=0.1, metavar="PART",
                        help="part of DIR that is kept for checking where there is no --val; 0.1")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument("--epochs", type=int, default=60,
                        help="how often every picture is seen; 60")
    parser.add_argument("--batch", type=int, default=16, help="pictures in a step, from 2; 16")
    parser.add_argument("--rate", type=float, default=1e-3,
                        help="largest learning rate, of AdamW; 0.001")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay; 0.02")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("auto", "fp32", "fp16", "bf16"), default="auto",
                        help="of the convolutions (the weights stay in FP32); auto: bf16 or fp16 "
                        "on a GPU, fp32 on the CPU")
    parser.add_argument("--deterministic", action="store_true",
                        help="slower kernels with the same bits each time, on a GPU, too")
    parser.add_argument("--device", default="auto", help="cpu, cuda or cuda:N; auto")
    parser.add_argument("--memory", type=float, default=4, metavar="GIB",
                        help="for decoded pictures; 4")
    parser.add_argument("--save-every", type=int, default=1, metavar="N",
                        help="epochs between checkpoints; 1")
    parser.add_argument("--stop-after", type=float, metavar="SECONDS",
                        help="stop with a checkpoint at the next step")
    export.add_feed_options(parser)
    return parser


@dataclass
class Run:
    """What changes while a run goes on, and what a checkpoint keeps."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    loss: float = 0.0  # sum over the epoch's steps so far
    history: curves.History = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What does not change during a run."""

    arguments: argparse.Namespace
    device: torch.device
    precision: torch.dtype
    train: PairSet
    check: PairSet
    recorded: dict[str, object]

    @property
    def steps_an_epoch(self) -> int:
        return len(self.train) // self.arguments.batch

    @property
    def steps(self) -> int:
        return self.steps_an_epoch * self.arguments.epochs


def device_of(name: str) -> torch.device:
    """The device of that name. UserError: it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name}: {graph.first_line(error)}") from error
    return device


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """What convolutions are computed in. UserError: the device has it not."""
    if name == "auto" and device.type == "cuda":
        name = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if name == "fp16" and device.type == "cpu":
        raise UserError("--precision fp16 needs a GPU; give bf16 or fp32 for the CPU")
    return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(name, torch.float32)


def rate_at(step: int, steps: int, rate: float) -> float:
    """The learning rate of a step: a short rise, then half a cosine."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return rate * (step + 1) / rise
    part = (step - rise) / max(1, steps - rise)
    return rate * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * part)) / 2)


def loss_of(scores: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy and the person's Dice loss (Milletari et al., 2016), of N x 2 x h x w scores
    and N x h x w masks."""
    logarithms = functional.log_softmax(scores.float(), dim=1)
    # Not torch's cross_entropy, which has no deterministic kernel on a GPU.
    entropy = -torch.where(masks > 0.5, logarithms[:, 1], logarithms[:, 0]).mean()
    person = logarithms[:, 1].exp()
    both, total = (person * masks).sum(dim=(1, 2)), (person + masks).sum(dim=(1, 2))
    return entropy + (1 - (2 * both + 1) / (total + 1)).mean()


def indices_at(plan: Plan, step: int) -> list[int]:
    """The pictures of a step: each epoch has an order of its own by the seed."""
    epoch, place = divmod(step, plan.steps_an_epoch)
    random = torch.Generator().manual_seed(plan.arguments.seed * 1_000_003 + epoch)
    order = torch.randperm(len(plan.train), generator=random)
    batch = plan.arguments.batch
    return order[place * batch:(place + 1) * batch].tolist()


def normalised(plan: Plan, images: Tensor) -> Tensor:
    """Pictures in 0..1 as the network's input."""
    mean = images.new_tensor(plan.arguments.mean).view(1, 3, 1, 1)
    std = images.new_tensor(plan.arguments.std).view(1, 3, 1, 1)
    result = (images - mean) / std
    return result.contiguous(memory_format=torch.channels_last) \
        if plan.device.type == "cuda" else result


def train_step(plan: Plan, run: Run, codes: Tensor, masks: Tensor) -> Tensor:
    """One step; the loss, still on the device."""
    arguments = plan.arguments
    random = torch.Generator(plan.device)
    random.manual_seed(arguments.seed * 1_000_003 + run.step)
    torch.manual_seed(arguments.seed * 1_000_003 + run.step)  # of dropout
    images, masks = augmented(codes.to(plan.device, non_blocking=True),
                              masks.to(plan.device, non_blocking=True), random)
    for group in run.optimiser.param_groups:
        group["lr"] = rate_at(run.step, plan.steps, arguments.rate)
    run.optimiser.zero_grad(set_to_none=True)
    with torch.autocast(plan.device.type, plan.precision,
                        enabled=plan.precision != torch.float32):
        scores = run.network(normalised(plan, images))
    loss = loss_of(scores, masks)
    run.scaler.scale(loss).backward()
    run.scaler.unscale_(run.optimiser)
    nn.utils.clip_grad_norm_(run.network.parameters(), MAX_NORM)
    run.scaler.step(run.optimiser)
    run.scaler.update()
    run.step += 1
    return loss.detach()


@torch.no_grad()
def checked_iou(plan: Plan, network: nn.Module) -> float:
    """The mean over the checked pictures of the person's IoU, at the network's size."""
    network.eval()
    total = 0.0
    for start in range(0, len(plan.check), plan.arguments.batch):
        indices = list(range(start, min(start + plan.arguments.batch, len(plan.check))))
        codes, masks = plan.check.batch(indices)
        images = normalised(plan, codes.to(plan.device).float() / 255)
        with torch.autocast(plan.device.type, plan.precision,
                            enabled=plan.precision != torch.float32):
            scores = network(images)
        found, truth = scores[:, 1] > scores[:, 0], masks.to(plan.device).bool()
        union = (found | truth).sum(dim=(1, 2))
        both = (found & truth).sum(dim=(1, 2))
        total += torch.where(union > 0, both / union.clamp(min=1), 1.0).sum().item()
    network.train()
    return total / len(plan.check)


def save(plan: Plan, run: Run, folder: Path) -> None:
    """Puts checkpoint.pt, log.jsonl and curves.png of this moment into the run's folder, each whole
    or not at all."""
    state = {"version": VERSION, "recorded": json.dumps(plan.recorded), "step": run.step,
             "loss": run.loss, "history": json.dumps(run.history),
             "network": run.network.network.state_dict(),
             "optimiser": run.optimiser.state_dict(), "scaler": run.scaler.state_dict()}
    handle, name = tempfile.mkstemp(prefix=".checkpoint-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, folder / "checkpoint.pt")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    lines = "".join(json.dumps(entry) + "\n" for entry in run.history)
    graph.publish(lines.encode(), folder / "log.jsonl")
    if run.history:
        title = f"{plan.arguments.network}, {len(plan.train)} pairs"
        graph.publish(curves.drawn(run.history, title), folder / "curves.png")


def restore(plan: Plan, run: Run, path: Path) -> None:
    """Puts a run where its checkpoint left it. UserError: it is none, or of another run."""
    if not path.is_file():
        raise UserError(f"{path}: there is no checkpoint to go on with")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        version, recorded = state["version"], json.loads(state["recorded"])
    except Exception as error:  # of pickle, zipfile, torch, json
        raise UserError(f"{path}: is no checkpoint of vrseg-train, or a damaged one") from error
    if version != VERSION:
        raise UserError(f"{path}: is of another version of vrseg-train")
    for key in RECORDED:
        if recorded.get(key) != plan.recorded[key]:
            raise UserError(f"{path}: is of a run with --{key.replace('_', '-')} "
                            f"{recorded.get(key)}, and this has {plan.recorded[key]}")
    if recorded.get("pairs") != plan.recorded["pairs"]:
        raise UserError(f"{path}: is of a run on other pictures than those in "
                        f"{plan.arguments.data} now")
    run.network.network.load_state_dict(state["network"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.scaler.load_state_dict(state["scaler"])
    run.step, run.loss = state["step"], state["loss"]
    run.history = json.loads(state["history"])


class Stop:
    """Whether to stop: a signal, or the time that was given."""

    def __init__(self, seconds: float | None) -> None:
        self.signal = 0
        self._end = None if seconds is None else time.monotonic() + seconds
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self.signal:  # the second one stops at once
            raise KeyboardInterrupt
        self.signal = number

    def __bool__(self) -> bool:
        return bool(self.signal) or (self._end is not None and time.monotonic() >= self._end)


def end_epoch(plan: Plan, run: Run, rate: float) -> None:
    """Checks, records and says how an epoch went."""
    arguments = plan.arguments
    entry = {"epoch": run.step // plan.steps_an_epoch, "step": run.step,
             "loss": round(run.loss / plan.steps_an_epoch, 6),
             "rate": run.optimiser.param_groups[0]["lr"]}
    said = f"epoch {entry['epoch']}/{arguments.epochs}: loss {entry['loss']:.4f}"
    if len(plan.check):
        entry["iou"] = round(checked_iou(plan, run.network), 6)
        said += f", IoU {entry['iou']:.4f}"
    run.history.append(entry)
    run.loss = 0.0
    print(f"{said}, {rate:.0f} pictures/s", flush=True)


def train(plan: Plan, run: Run, stop: Stop) -> bool:
    """Runs until the last step or until it is stopped. Returns whether it is done."""
    arguments = plan.arguments
    run.network.train()
    began, first = time.monotonic(), run.step
    # The loss is fetched once an epoch, so that the host never waits for the GPU in between.
    total = torch.tensor(run.loss, dtype=torch.float64)
    total = total.to(plan.device)
    coming = plan.train.ahead(indices_at(plan, run.step)) if run.step < plan.steps else None
    while run.step < plan.steps and not stop:
        codes, masks = coming.result()
        if run.step + 1 < plan.steps:
            coming = plan.train.ahead(indices_at(plan, run.step + 1))
        total += train_step(plan, run, codes, masks)
        if run.step % plan.steps_an_epoch == 0:
            run.loss = float(total)
            if not math.isfinite(run.loss):
                raise UserError(f"the loss is no number any more in epoch "
                                f"{run.step // plan.steps_an_epoch}; give a smaller --rate")
            seconds = time.monotonic() - began
            end_epoch(plan, run, (run.step - first) * arguments.batch / max(seconds, 1e-9))
            began, first = time.monotonic(), run.step
            total.zero_()
            if run.step < plan.steps and len(run.history) % arguments.save_every == 0:
                save(plan, run, arguments.out)
    run.loss = float(total)
    save(plan, run, arguments.out)
    return run.step == plan.steps


def names_digest(*sets: list[pictures.Pair], clips: Sequence[str] = ()) -> str:
    """Tells sets of pairs apart by their pictures' names, and clips by theirs and how many frames
    were taken; folders may be moved."""
    names = [[pair.picture.name for pair in pairs] for pairs in sets]
    names += [list(clips)] if clips else []
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def explained(error: RuntimeError, arguments: argparse.Namespace) -> UserError | None:
    """What a user can do about an error of torch's, where there is something."""
    if isinstance(error, torch.OutOfMemoryError):
        return UserError(f"the device's memory does not hold a batch of {arguments.batch}; give a "
                         "smaller --batch or --size")
    if "deterministic implementation" in str(error):
        return UserError(f"{arguments.network} has a layer without a deterministic kernel on this "
                         f"device; leave --deterministic out: {graph.first_line(error)}")
    return None


def prepared(arguments: argparse.Namespace) -> Plan:
    """Checks the arguments and reads the folders. UserError: what is wrong."""
    if arguments.batch < 2 or arguments.epochs < 1 or arguments.save_every < 1:
        raise UserError("--batch is at least 2, --epochs and --save-every are at least 1")
    if not 0 <= arguments.val_share <= 0.5:
        raise UserError("--val-share is a part from 0 to 0.5")
    width, height = arguments.size
    budget = int(arguments.memory * GIB)
    trained, checked = split(arguments.data, 0 if arguments.val else arguments.val_share)
    for folder in arguments.val or []:
        checked += pictures.pairs_in(folder)
    if arguments.clip_every < 1:
        raise UserError("--clip-every is at least 1")
    samples = clip_samples([tuple(clip) for clip in arguments.clip], width, height,
                           arguments.clip_every, budget) if arguments.clip else []
    if len(trained) + len(samples) < arguments.batch:
        raise UserError(f"{arguments.data}: has {len(trained)} pairs to train on, and a step takes "
                        f"{arguments.batch}; give a smaller --batch")
    recorded = {key: getattr(arguments, key) for key in RECORDED}
    clips = [video.name for video, _ in arguments.clip or []]
    digest = names_digest(trained, checked, clips=[*clips, str(len(samples))] if clips else [])
    recorded = json.loads(json.dumps({**recorded, "pairs": digest}, default=str))
    device = device_of(arguments.device)
    pinned = device.type == "cuda"
    torch.use_deterministic_algorithms(arguments.deterministic)
    torch.backends.cudnn.benchmark = not arguments.deterministic
    return Plan(arguments, device, precision_of(arguments.precision, device),
                PairSet(trained, width, height, budget, pinned, samples),
                PairSet(checked, width, height, budget, pinned), recorded)


def started(plan: Plan) -> Run:
    """The run at its first step."""
    arguments = plan.arguments
    width, height = arguments.size
    torch.manual_seed(arguments.seed)
    network = sources.make(arguments.network, len(CLASSES), height, width, arguments.weights)
    classes, rows, columns = sources.tried(network, arguments.network, 2, height, width)
    if classes != len(CLASSES) or (rows, columns) != (height, width):
        raise UserError(f"{arguments.network}: gives {classes} x {rows} x {columns}, and "
                        f"{len(CLASSES)} x {height} x {width} is trained")
    if arguments.init:
        left = sources.apply_fitting(network, arguments.init)
        if left:
            print(f"{arguments.init.name}: has no fitting weights for {len(left)} tensors, from "
                  f"{left[0]} on; they start at random")
    network.to(plan.device)
    if plan.device.type == "cuda":
        network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(groups(network, arguments.decay), lr=arguments.rate,
                                  fused=plan.device.type == "cuda" or None)
    scaler = torch.amp.GradScaler(plan.device.type, enabled=plan.precision == torch.float16)
    return Run(network, optimiser, scaler)


def groups(network: nn.Module, decay: float) -> list[dict]:
    """Weights decay, biases and norms do not."""
    parameters = list(network.parameters())
    return [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}]


def export_run(plan: Plan, run: Run) -> None:
    """Exports the trained network beside the checkpoint, checked as vrseg-export does."""
    arguments = plan.arguments
    width, height = arguments.size
    network = run.network.cpu().float().to(memory_format=torch.contiguous_format).eval()
    model = graph.export(network, height, width)
    name = arguments.name or export.plain_name(arguments.network)
    title = f"{arguments.network}, {width}x{height}, trained on {len(plan.train)} pairs"
    d = Descriptor(title=title[:120], licence=arguments.licence,
                   source=f"bring your own: trained by vrseg-train on {arguments.data.name}",
                   width=width, height=height, classes=CLASSES, person=(1,), activation="softmax",
                   mean=tuple(255 * value for value in arguments.mean),
                   divisors=tuple(255 * value for value in arguments.std), input=graph.INPUT,
                   output=graph.OUTPUT)
    check = export.Check(network, model)
    export.check_random(check, d)
    pairs = (plan.check.pairs or plan.train.pairs)[:EXPORT_CHECKS]
    export.check_pictures(check, d, pairs)
    export.write(d, model, arguments.out, name)


def main() -> int:
    # cuBLAS reads it when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    arguments = parser_of().parse_args()
    export.check_name(arguments.name or export.plain_name(arguments.network))
    plan = prepared(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.out / "checkpoint.pt"
    if checkpoint.exists() and not arguments.resume:
        raise UserError(f"{arguments.out}: holds a run; --resume goes on with it, another --out "
                        "begins anew")
    stop = Stop(arguments.stop_after)
    run = started(plan)
    if arguments.resume:
        restore(plan, run, checkpoint)
    precision = str(plan.precision).removeprefix("torch.")
    print(f"{arguments.network} on {plan.device}, {precision}: {len(plan.train)} pairs to train "
          f"on, {len(plan.check)} to check with, step {run.step} of {plan.steps}", flush=True)
    try:
        done = train(plan, run, stop)
    except RuntimeError as error:
        known = explained(error, arguments)
        if known is None:
            raise
        raise known from error
    if not done:
        print(f"stopped at step {run.step} of {plan.steps}; --resume goes on", flush=True)
        return 128 + stop.signal if stop.signal else 0
    export_run(plan, run)
    return 0


if __name__ == "__main__":
    sys.exit(report("vrseg-train", main))
