"""The site as `make docs` builds it: whole, and of nothing but its own files."""

from __future__ import annotations

import html.parser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("link", "href")}
"""What a browser fetches by itself, as tag and attribute."""


def build(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


class Fetched(html.parser.HTMLParser):
    """The addresses that a page has its browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("rel") not in ("canonical", "alternate", "next", "prev"):
            self.addresses += [value for name, value in attrs if (tag, name) in LOADED and value]


def test_it_fetches_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        fetched = Fetched()
        fetched.feed(page.read_text(encoding="utf-8"))
        assert fetched.addresses, page
        assert [found for found in fetched.addresses if "//" in found] == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']*", style.read_text(encoding="utf-8")) == []


def test_it_has_the_pages_that_lie_elsewhere_and_the_recorded_figures(site: Path) -> None:
    assert "maxWorkersPerDatabase" in (site / "chart.html").read_text()
    assert "<td><code>keys_per_second</code></td>" in (site / "performance.html").read_text()
    assert 'href="../chart.html"' in (site / "decisions" / "0001-datajoints-own-jobs-table.html").read_text()


@pytest.mark.parametrize(
    "link", ["[dead](nowhere.md)", "[dead](concepts.md#nowhere)", "[dead](../operator/nowhere.py)"], ids=str
)
def test_a_dead_link_fails_it(link: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    (tmp_path / ".ci").symlink_to(ROOT / ".ci")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "index.md").open("a") as page:
        page.write(f"\n{link}\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere" in done.stderr
