"""How the tests run a notebook of the demos, and what of its outputs they compare.

PYTHONPATH=. python tests/notebooks.py      runs all of them and keeps the new outputs
"""

import os
import re
import tempfile
from pathlib import Path

import nbformat
from demo_runs import FOLDER, environment
from nbclient import NotebookClient

NAMES = ["from_micrograd", "lecture", "your_own"]


def kept(name):
    """The notebook as it lies in the folder."""
    return nbformat.read(path(name), as_version=4)


def path(name):
    return FOLDER / f"{name}.ipynb"


def executed(name, folder):
    """The notebook, run anew in a folder. An error in a cell is raised. Nothing in it tells who ran it, or when."""
    notebook = kept(name)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": folder}},
    )
    found = os.pathsep.join([str(FOLDER.parent), str(FOLDER)])
    client.execute(env=environment(PYTHONPATH=found, OMP_NUM_THREADS="1", IPYTHONDIR=str(folder)))
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if "data" in output:
                output.metadata = {}
                output.data["text/plain"] = re.sub(" at 0x[0-9a-f]+", "", output.data["text/plain"])
    return notebook


def printed(cell):
    """What a code cell printed and the tables it shows, as lines of text, without times and rounding errors."""
    lines = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "<table>" in data.get("text/html", ""):
            lines += _table(data["text/html"])
        else:
            lines += (output.get("text") or data["text/plain"]).splitlines()
    return [re.sub(r"[\d.]+ ms", "… ms", line) for line in lines]


def _table(html):
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]
    compared = [i for i, name in enumerate(rows[0]) if name not in ("seconds", "max error", "±")]
    return [" | ".join(row[i] for i in compared) for row in rows] + re.findall("<p>(.*?)</p>", html)


def keep_all():
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            text = nbformat.writes(executed(name, Path(folder)), indent=1, ensure_ascii=False)
        path(name).write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    keep_all()
