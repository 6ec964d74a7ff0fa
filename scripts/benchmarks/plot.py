"""Cost against size, as a picture: log-log, a line a figure."""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import Line

TITLES = {
    "events/s": ("How many", "events a second"),
    "µs": ("How long a question takes", "microseconds"),
    "MiB": ("How much memory", "MiB at the peak"),
}

SUFFIXES = (".svg", ".png", ".pdf")


def writable(text: str) -> Path:
    """Where a picture is to be, once it is found that one can be there: to measure takes long."""
    path = Path(text)
    if path.suffix not in SUFFIXES:
        raise ArgumentTypeError(f"{path} does not end in one of {', '.join(SUFFIXES)}")
    try:
        path.open("ab").close()
    except OSError as error:
        raise ArgumentTypeError(f"{path}: {error.strerror}") from None
    return path


def draw(lines: Sequence[Line], path: Path) -> None:
    """Write an SVG, PNG or PDF, as the suffix says, of every figure that was measured at sizes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(TITLES), figsize=(16, 7), layout="constrained")
    for axis, (unit, (title, label)) in zip(axes, TITLES.items(), strict=True):
        for name, points in _series(lines, unit).items():
            sizes = sorted(points)
            axis.plot(sizes, [points[size] for size in sizes], marker="o", label=name)
        axis.set(title=title, xlabel="events in the log, or periods in the table", ylabel=label)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.grid(visible=True, which="both", alpha=0.2)
        if axis.lines:
            axis.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.12))
    figure.savefig(path)
    plt.close(figure)


def _series(lines: Sequence[Line], unit: str) -> dict[str, dict[int, float]]:
    """By figure and store its values at sizes, of those that have several."""
    found: dict[str, dict[int, float]] = {}
    for line in lines:
        if line.size is not None and line.unit == unit:
            found.setdefault(f"{line.figure}, {line.store}", {})[line.size] = line.value
    return {name: points for name, points in found.items() if len(points) > 1}
