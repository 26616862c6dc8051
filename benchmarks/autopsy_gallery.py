"""Takes the five reference reports apart: `docs/gallery/*.json` -> a page for each, and the list of what was found.

python benchmarks/autopsy_gallery.py
"""

from __future__ import annotations

import json
from pathlib import Path

from hilum.autopsy import Autopsy, read_report, take_apart
from hilum.autopsy.describe import describe_autopsy
from hilum.report.autopsy_page import write_autopsy_page

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
HEAD = """# Five reports taken apart

Each file holds the figures of a report as it prints them, and nothing else; each page is what
`hilum autopsy FILE --out PAGE` makes of it. Written by `python benchmarks/autopsy_gallery.py`. What stands behind the
mistakes is in [mistakes](../mistakes.md); what printed numbers cannot betray, and why, in [autopsy](../autopsy.md).
"""


def render_gallery() -> str:
    """`docs/gallery/README.md`."""
    return "\n".join([HEAD, *(_entry(path, take_apart(read_report(path))) for path in sorted(GALLERY.glob("*.json")))])


def _entry(path: Path, found: Autopsy) -> str:
    comment = json.loads(path.read_text(encoding="utf-8")).get("comment", "")
    page = f"[page]({path.stem}.html), [figures]({path.name})"
    lines = [f"## {found.report.name}", "", f"{describe_autopsy(found)} {comment} ({page})", ""]
    for each in found.findings:
        if each.code != "intervals":
            where = f"{each.where}: " if each.where else ""
            lines.append(f"- **{each.severity}** ({each.code}) {where}{each.sentence}")
    return "\n".join([*lines, ""])


def main() -> None:
    """Writes the list and the pages."""
    for path in sorted(GALLERY.glob("*.json")):
        write_autopsy_page(take_apart(read_report(path)), path.with_suffix(".html"))
    (GALLERY / "README.md").write_text(render_gallery(), encoding="utf-8")


if __name__ == "__main__":
    main()
