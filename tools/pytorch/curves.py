"""Loss and IoU over the epochs as a picture."""

import io

History = list[dict[str, float]]  # an epoch each: epoch, loss, rate, iou where it was checked


def drawn(history: History, title: str) -> bytes:
    """A PNG of the curves: loss on the left axis, IoU of the checked pictures on the right one."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    figure, left = pyplot.subplots(figsize=(8, 4.5), dpi=120, layout="constrained")
    epochs = [entry["epoch"] for entry in history]
    left.plot(epochs, [entry["loss"] for entry in history], color="tab:red", label="loss")
    left.set_xlabel("epoch")
    left.set_ylabel("loss, training")
    left.set_ylim(bottom=0)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.grid(alpha=0.3)
    right = left.twinx()
    checked = [entry for entry in history if "iou" in entry]
    right.plot([entry["epoch"] for entry in checked], [entry["iou"] for entry in checked],
               color="tab:blue", marker=".", label="IoU")
    right.set_ylabel("mean person IoU, checked pictures")
    right.set_ylim(0, 1)
    lines = left.get_lines() + right.get_lines()
    left.legend(lines, [line.get_label() for line in lines], loc="lower center")
    left.set_title(title, fontsize="medium")
    data = io.BytesIO()
    figure.savefig(data, format="png")
    pyplot.close(figure)
    return data.getvalue()
