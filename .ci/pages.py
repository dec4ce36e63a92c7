"""What mkdocs does to the pages: it has those that lie elsewhere too, and shows the recorded figures.

Links are written as they work in the repository. One that leads out of the site leads to the file in the repository,
where `extra.repository` says where that is, and is plain text else. One that leads nowhere fails the build.
"""

import json
import posixpath
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.report import RESULTS, Figure  # noqa: E402

ELSEWHERE = {
    "bench/README.md": "benchmarks.md",
    "charts/populate-operator/README.md": "chart.md",
    "examples/cardio/README.md": "cardio.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Pages of the site that are not in docs/: what each is called there."""
LINK = re.compile(r"(?P<label>\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^()\s]+)\)")
FIGURES = re.compile(r"^<!-- figures: (?P<names>.+) -->$", re.MULTILINE)
log = get_plugin_logger("pages")


def on_config(config: MkDocsConfig) -> None:
    """An entry of the navigation may be a pattern: all that it matches, in order of names."""
    for entry in config.nav or []:
        for title, pages in entry.items() if isinstance(entry, dict) else ():
            if isinstance(pages, str) and "*" in pages:
                docs = Path(config.docs_dir)
                entry[title] = [str(page.relative_to(docs)) for page in sorted(docs.glob(pages))]


def on_files(files: Files, config: MkDocsConfig) -> None:
    for source, name in ELSEWHERE.items():
        if (ROOT / source).exists():
            files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    name = page.file.src_uri
    lies = next((source for source, named in ELSEWHERE.items() if named == name), f"docs/{name}")
    shown = FIGURES.sub(lambda match: figures(match["names"].split()), markdown)
    repository = str(config.extra.get("repository") or "")
    return LINK.sub(lambda match: _link(match["label"], match["target"], lies, name, repository), shown)


def _link(label: str, target: str, lies: str, name: str, repository: str) -> str:
    """`lies` is the page's path in the repository, `name` in the site."""
    path, hash_sign, anchor = target.partition("#")
    if not path or "://" in target:
        return f"{label}({target})"
    to = posixpath.normpath(posixpath.join(posixpath.dirname(lies), path))
    if not (ROOT / to).exists():
        log.warning(f"{lies} has a link to {target}, which is not there")
    inside = ELSEWHERE.get(to) or (to.removeprefix("docs/") if to.startswith("docs/") and (ROOT / to).is_file() else "")
    if inside:
        return f"{label}({posixpath.relpath(inside, posixpath.dirname(name) or '.')}{hash_sign}{anchor})"
    return f"{label}({repository}/blob/main/{to})" if repository else label[1:-1]


def figures(names: list[str]) -> str:
    """The recorded figures whose names match one of these patterns, as a table."""
    recorded = [Figure(**row) for row in json.loads((RESULTS / "latest.json").read_text())]
    found = [figure for figure in recorded if any(fnmatch(figure.name, name) for name in names)]
    return "\n".join(_table(found)) if found else "*Not in the last recording.*"


def _table(figures: list[Figure]) -> Iterator[str]:
    yield "| figure | database | workers | here | beside it | limit |"
    yield "|---|---|---|---|---|---|"
    for figure in figures:
        beside, ratio = ("", "") if figure.peer is None else (f"{figure.peer:.4g}", f"ratio {figure.ratio:.3g} ")
        limit = f"{ratio}{figure.limit}" + ("" if figure.holds else " **missed**")
        cells = (f"`{figure.name}`", figure.backend, figure.workers or "", f"{figure.ours:.4g}", beside, limit)
        yield f"| {' | '.join(map(str, cells))} |"
