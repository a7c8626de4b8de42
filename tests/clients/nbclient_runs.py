"""Runs notebooks with nbclient, two at a time, and writes what comes out: FOLDER OUT RUNS.

FOLDER holds the notebooks; OUT/1, OUT/2, ... get the executed ones. Every notebook must be valid nbformat, before and
after. A cell that fails ends the program.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def execute(source: Path, target: Path) -> None:
    notebook = nbformat.read(source, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": source.parent}}
    NotebookClient(notebook, kernel_name="deno", timeout=300, resources=resources).execute()
    nbformat.validate(notebook)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


folder, out, runs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with ThreadPoolExecutor(2) as pool:
    jobs = [
        pool.submit(execute, source, out / str(run) / source.name)
        for run in range(1, runs + 1)
        for source in sorted(folder.glob("*.ipynb"))
    ]
    for job in jobs:
        job.result()
