"""Fixtures for the whole suite: where the shared test data lies, and models made on the spot."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mullama.models.builtin import builtin_path
from tests.rank_models import write_encoder

# The same examples in every run where luck must not decide, other ones on a developer's machine.
# No example is timed anywhere: the machine may be busy.
settings.register_profile(
    "mullama",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    database=None if "CI" in os.environ else settings.default.database,
    print_blob=True,
)
settings.load_profile("mullama")

SHARED = Path(os.environ.get("MULLAMA_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def shared(name: str) -> Path:
    """A file or folder of the shared test data; skips the test where it is missing."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"shared test data {name!r} is missing; set MULLAMA_TEST_DATA to its folder")
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-answers",
        action="store_true",
        help="Write what the pages' examples answer into the pages, instead of comparing it.",
    )


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell starts what runs in the background with Ctrl-C ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The built-in chat model, which answers sensibly (ChatML, 4096 tokens of vocabulary)."""
    return builtin_path()


@pytest.fixture(scope="session")
def minilm_model() -> Path:
    """all-MiniLM-L6-v2: a real embedding model (BERT, 384 components)."""
    return shared("minilm/all-minilm-l6-v2.f16.gguf")


@pytest.fixture(scope="session")
def embed_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedding model, for tests that don't look at its numbers: MiniLM if it is there."""
    path = SHARED / "minilm" / "all-minilm-l6-v2.f16.gguf"
    return path if path.exists() else write_encoder(tmp_path_factory.mktemp("m") / "encoder.gguf")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("vocab/…")`: any file of the shared test data."""
    return shared
