"""Writes the table of docs/metrics.md anew from the list in the code.

`python -m tests.metrics_doc`

A test fails where the two differ.
"""

from pathlib import Path

from worker.metric_names import table

DOC = Path(__file__).parents[1] / "docs/metrics.md"
BEGIN, END = "<!-- metrics -->\n", "<!-- /metrics -->"


def written() -> str:
    """The document as it is to be."""
    text = DOC.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}" + "".join(f"{line}\n" for line in table()) + f"{END}{after}"


if __name__ == "__main__":
    DOC.write_text(written())
