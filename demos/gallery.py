"""The pictures that the README shows, drawn again.

    python demos/gallery.py                 into demos/gallery/: two seconds
    python demos/gallery.py --out my_folder

Each kind once: a small expression, the lecture's net 6-4-3-1, the same with the numbers of a sample, its cost with all
gradients, the cost of 784-30-10 folded by layer, a pendulum's swing folded to its first and last step, what the compiler
finds in a convolution written number by number, and the live page of the expression and of a net 2-3-2-1, with a
still of the first. Everything but the still needs only the extra `dot`;
the still is photographed in Chromium and left as it is where there is none.

The files are the same on every machine: the layout is graphviz-pure's, whatever else is installed (its version is
written beside them), and the exact numbers on hover are cut to six digits, since the last ones belong to the
machine's exp and the Python's sum.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

import convolution
import numpy as np
from graphviz.backend import dot_command  # type: ignore[import-untyped]

from microgradnet import MLP, Value, compile, draw, quadratic

GALLERY = Path(__file__).parent / "gallery"
BROWSERS = "chromium", "chromium-browser", "google-chrome", "chrome"
STILL = 8  # the step that the still shows


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Draw the README's pictures.")
    parser.add_argument("--out", type=Path, default=GALLERY, help="folder for the pictures (demos/gallery)")
    options = parser.parse_args(argv)
    pure = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    if pure is None:
        print("gallery.py: this needs graphviz-pure: pip install microgradnet[dot]", file=sys.stderr)
        return 2
    dot_command.DOT_BINARY = Path(pure)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"gallery.py: {options.out} is no folder to save in: {error.strerror}", file=sys.stderr)
        return 2
    version = subprocess.run([pure, "-V"], capture_output=True, text=True, check=True)
    (options.out / "graphviz-pure.txt").write_text(
        re.findall(r"version (\S+)", version.stdout + version.stderr)[0] + "\n"
    )
    for name, content in pictures().items():
        (options.out / name).write_text(content, encoding="utf-8", newline="\n")
        print(f"{options.out / name}  {len(content.encode()) / 1000:.0f} kB")
    still = photograph(options.out / "steps.html", STILL)
    if still is None:
        print(f"{options.out / 'steps.svg'} is left as it is: there is no Chromium to photograph the page with")
    else:
        (options.out / "steps.svg").write_text(still, encoding="utf-8", newline="\n")
        print(f"{options.out / 'steps.svg'}  {len(still.encode()) / 1000:.0f} kB")
    return 0


def pictures() -> dict[str, str]:
    """What is written: a name and its content."""
    y = expression()
    net, x, r = MLP(6, [4, 3, 1], seed=1), [0.1, 0.9, 0.3, 0.5, 0.7, 0.2], [1.0]
    cost = quadratic(net(x), r)
    cost.label = "C"
    cost.backward()
    drawn = {
        "expression.svg": draw(y),
        "net.svg": draw(net),
        "slide.svg": draw(net, x=x, r=r),
        "gradients.svg": draw(cost),
        "folded.svg": draw(large_cost()),
        "loop.svg": draw(pendulum(steps=100), "TB"),
        "program.svg": draw(compile(convolution.Convolution(convolution.made_up_theta()).cost, 784, 10)),
    }
    pages = {"steps.html": page_of(y), "net_steps.html": page_of(small_cost())}
    texts = {name: d.pipe(encoding="utf-8") for name, d in drawn.items()} | pages
    return {name: six_digits(text) for name, text in texts.items()}


def page_of(value: Value) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return Path(draw(value).steps(Path(folder) / "steps.html")).read_text(encoding="utf-8")


def small_cost() -> Value:
    cost = quadratic(MLP(2, [3, 2, 1], seed=1)([0.5, -1.0]), [1.0])
    cost.label = "C"
    return cost


def expression() -> Value:
    w, x = Value(0.4, label="w"), Value(2.0, label="x")
    y = (w * x * x.sin()).tanh()
    y.label = "y"
    y.backward()
    return y


def pendulum(steps: int) -> Value:
    """Its angle after so many steps of Euler's method, and how it depends on where and how fast it started."""
    angle, speed = Value(1.0, label="angle"), Value(0.0, label="speed")
    for _ in range(steps):
        speed = speed - 0.2 * angle.sin()
        angle = angle + 0.02 * speed
    angle.label = "angle at the end"
    angle.backward()
    return angle


def large_cost() -> Value:
    """The cost of one made-up image of 28×28 pixels, with the desired output of a 4."""
    net = MLP(784, [30, 10], seed=1)
    cost = quadratic(
        net(np.random.default_rng(2).uniform(0.0, 1.0, 784).tolist()), [float(digit == 4) for digit in range(10)]
    )
    cost.label = "C"
    cost.backward()
    return cost


def six_digits(text: str) -> str:
    return re.sub(r"-?\d+\.\d{7,}(e-?\d+)?", lambda number: f"{float(number[0]):.6g}", text)


def photograph(page: Path, step: int) -> str | None:
    """The drawing in a step-through page at a step, as an SVG file; None without a browser."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1366,700", "--dump-dom"]
    with tempfile.TemporaryDirectory() as profile:
        address = f"{page.resolve().as_uri()}#{step}"
        run = subprocess.run(
            [browser, *flags, f"--user-data-dir={profile}", address], capture_output=True, check=True, timeout=60
        )
    drawing, _ = re.findall(r"<svg.*?</svg>", run.stdout.decode(), re.DOTALL)  # the other is the curve
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing}\n'


if __name__ == "__main__":
    sys.exit(main())
