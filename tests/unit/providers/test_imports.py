"""What importing costs and needs."""

import subprocess
import sys

import pytest


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_the_package_loads_no_sdk():
    code = (
        "import sys, par.providers; print([m for m in ('openai', 'anthropic', 'httpx2', 'httpx') if m in sys.modules])"
    )

    assert run(code).stdout == "[]\n"


@pytest.mark.parametrize(("module", "extra"), [("openai", "openai"), ("ollama", "openai"), ("anthropic", "anthropic")])
def test_an_absent_sdk_is_named_with_its_extra(module, extra):
    code = (
        f"import sys; sys.modules['{extra}'] = None\n"
        "from par.errors import MissingExtra\n"
        f"try:\n    import par.providers.{module}\n"
        "except MissingExtra as error:\n    print(error.extra, error.module)"
    )

    result = run(code)

    assert result.stdout == f"{extra} {extra}\n", result.stderr


@pytest.mark.parametrize(("module", "other"), [("openai", "anthropic"), ("anthropic", "openai")])
def test_one_adapter_does_not_load_the_others_sdk(module, other):
    code = f"import sys, par.providers.{module}; print('{other}' in sys.modules)"

    assert run(code).stdout == "False\n"
