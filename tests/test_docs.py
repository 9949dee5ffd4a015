"""What the documentation says is there, and what is there is in the documentation."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import mullama
from mullama.api.app import create_app
from mullama.cli import mullama as group
from mullama.config import ServerOptions
from mullama.engine.disk import DiskStats, Drop, Miss
from mullama.engine.misses import Reason
from mullama.engine.stats import Stats, flat

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
COUNTER_PAGES = ["caching.md", "scheduling.md", "server.md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_derived_pages_are_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_generator().main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_page_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = load_generator()
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    monkeypatch.setattr(generator, "PAGES", {"cli.md": generator.cli_page})
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    (tmp_path / "cli.md").write_text("old")
    assert generator.main(["--check"]) == 1


def test_an_evaluation_becomes_a_table() -> None:
    families = {name: {"n": 4, "right": 3, "percent": 75.0} for name in ("a", "b", "c")}
    model = {"name": "mullama-tiny", "version": "1.0", "bytes": 6000000}
    text = load_generator().evaluation({"model": model, "families": families})
    first, *_, one, other = text.splitlines()
    assert first == "mullama-tiny 1.0, 6,000,000 bytes: 75.0% of 12 questions."
    assert one == "| `a` | 4 | 75.0 | `c` | 4 | 75.0 |"
    assert other == "| `b` | 4 | 75.0 |  |  |  |"


def anchors(page: Path) -> set[str]:
    """A page's headings as GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def endpoints() -> Iterator[str]:
    app = create_app(backend=None, options=ServerOptions())  # type: ignore[arg-type]
    for path, methods in app.openapi()["paths"].items():
        yield from (f"{method.upper()} {path}" for method in methods if method != "head")


@pytest.mark.parametrize("endpoint", list(endpoints()))
def test_every_endpoint_has_its_heading(endpoint: str) -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "server.md").read_text(), re.MULTILINE)
    assert any(endpoint in heading for heading in headings)


def error_codes() -> set[str]:
    """Every `code="..."` in the source, and every class's own."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            values = []
            if isinstance(node, ast.Call):
                values = [word.value for word in node.keywords if word.arg == "code"]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
                values = [node.value]
            found |= {v.value for v in values if isinstance(v, ast.Constant) and v.value}
    return found


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_error_code_is_explained(code: str) -> None:
    assert f"`{code}`" in (ROOT / "docs" / "server.md").read_text()


@pytest.mark.parametrize("command", sorted(group.commands))
def test_the_readme_knows_every_command(command: str) -> None:
    assert f"mullama {command}" in (ROOT / "README.md").read_text()


def test_the_changelog_knows_this_version() -> None:
    assert f"## {mullama.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_name_their_language_or_are_output(page: Path) -> None:
    """An unclosed block would swallow the rest of a page."""
    assert page.read_text().count("\n```") % 2 == 0


def test_every_counter_is_explained() -> None:
    pages = "".join((ROOT / "docs" / page).read_text() for page in COUNTER_PAGES)
    for name in flat(Stats(disk=DiskStats())):
        assert f"`{name}`" in pages or f"`{name.rpartition('.')[0]}.<reason>`" in pages, name
    for reason in (*Reason, *Drop, *Miss):
        assert f"`{reason}`" in pages, reason
