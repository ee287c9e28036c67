"""The house rules that no linter knows. Every message says the number that was measured."""

import ast
import inspect
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import safelight
from safelight import errors
from tests.support import BUNDLES, ROOT

PACKAGE = ROOT / "src" / "safelight"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(p for folder in ("tests", "tools", "benchmarks", "examples") for p in (ROOT / folder).rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES + SCRIPTS}
MANY_PARAMETERS = {
    "degrade/noise.py camera_noise": "pixels, a generator, and one keyword for each number of a recipe",
    "runtime/restore/restorer.py enhance": "the call that people write most: one keyword for each wish",
    "picture/write.py write": "one keyword for each property of a file",
}
"""Functions that may have more than six parameters, and why. At most three."""
ONCE = ("Task", "Step", "Record", "Kind", "Score")
"""Names so plain that a second meaning would confuse."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(TREES[path]) if isinstance(node, Function))


def where(path: Path, node: Function | ast.Call) -> str:
    name = node.name if isinstance(node, Function) else ast.unparse(node)[:60]
    return f"{path.relative_to(PACKAGE if PACKAGE in path.parents else ROOT)}:{node.lineno} {name}"


def test_there_is_something_to_check():
    assert len(SOURCES) > 40 and len(SCRIPTS) > 15


def test_files_have_at_most_300_lines():
    long = {str(p.relative_to(ROOT)): n for p in TREES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long, f"{len(long)} files are too long: {long}"


def test_functions_have_at_most_50_lines():
    lengths = {where(p, f): (f.end_lineno or 0) - f.lineno + 1 for p in TREES for f in functions(p)}
    long = {name: length for name, length in lengths.items() if length > 50}
    assert not long, f"{len(long)} functions are too long: {long}"


def parameters(function: Function) -> list[str]:
    names = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [name.arg for name in names if name.arg not in ("self", "cls")]


def test_functions_have_at_most_6_parameters():
    counts = {
        f"{path.relative_to(PACKAGE)} {function.name}": len(parameters(function))
        for path in SOURCES
        for function in functions(path)
    }
    many = {name: count for name, count in counts.items() if count > 6}
    beyond = {name: count for name, count in many.items() if name not in MANY_PARAMETERS}
    assert not beyond, f"{len(beyond)} functions have more than 6 parameters; pass a record by keyword: {beyond}"
    assert MANY_PARAMETERS.keys() == many.keys() and len(many) <= 3, f"no exemption that nobody needs: {many}"


def test_calls_have_at_most_4_positional_values():
    calls = [(path, node) for path in SOURCES for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)]
    many = [where(path, call) for path, call in calls if len(call.args) > 4]
    assert not many, f"{len(many)} calls; name the values:\n" + "\n".join(many)


def test_the_plainest_names_are_defined_once():
    homes = defaultdict(list)
    for path in SOURCES:
        for node in TREES[path].body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            for name in [node.name] if isinstance(node, ast.ClassDef) else names:
                homes[name].append(str(path.relative_to(PACKAGE)))
    twice = {name: homes[name] for name in ONCE if len(homes[name]) > 1}
    assert not twice, f"{len(twice)} names have two meanings: {twice}"


def test_settings_and_options_are_typed_without_exemptions():
    exempt = [path.name for path in (PACKAGE / "settings.py", PACKAGE / "cli" / "options.py")]
    counts = {name: next(p for p in SOURCES if p.name == name).read_text().count("type: ignore") for name in exempt}
    assert not any(counts.values()), counts


def raised(function: Function) -> set[str]:
    """Names of errors that a function raises itself, not in a function within it."""
    names, nodes = set(), list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            names.add(node.exc.func.id)
        nodes += ast.iter_child_nodes(node)
    return {name for name in names if hasattr(errors, name)}


def test_public_docstrings_say_what_is_raised():
    silent = [
        f"{where(path, function)}: {', '.join(sorted(missing))}"
        for path in SOURCES
        for function in functions(path)
        if not function.name.startswith("_")
        if (missing := {name for name in raised(function) if name not in (ast.get_docstring(function) or "")})
    ]
    assert not silent, f"{len(silent)} docstrings miss a 'Raises':\n" + "\n".join(silent)


def test_public_docstrings_say_the_shapes_of_arrays():
    silent, spoken = [], 0
    for name in safelight.__all__:
        kind = getattr(safelight, name)
        methods = inspect.getmembers(kind, inspect.isfunction) if inspect.isclass(kind) else []
        for method, function in methods:
            returns = str(inspect.signature(function).return_annotation)
            if method.startswith("_") or not re.search("ndarray|Array|Rungs", returns):
                continue
            spoken += 1
            if not re.search(r"\([A-Z1][\w, ]*[,)]", function.__doc__ or ""):
                silent.append(f"{name}.{method}")
    assert spoken > 8 and not silent, f"{len(silent)} docstrings miss a shape such as (N, H, W, C): {silent}"


def test_the_error_tree_is_drawn_and_documented():
    drawn, page = errors.__doc__ or "", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(kinds) > 5
    for kind in kinds:
        assert kind.__name__ in drawn and kind.exit_code in (1, 2, 3)
    missing = [kind.__name__ for kind in kinds if f"`{kind.__name__}`" not in page]
    assert not missing, f"{len(missing)} error classes are not in docs/settings.md: {missing}"


def test_every_environment_variable_is_documented():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    pattern = re.compile(r"""environ(?:\.get\(|\[)\s*["'](\w+)["']|getenv\(["'](\w+)["']""")
    found = {name for path in SOURCES for pair in pattern.findall(path.read_text()) for name in pair if name}
    assert {"SAFELIGHT_MODELS", "XDG_CACHE_HOME"} <= found
    missing = sorted(name for name in found if f"`{name}`" not in page)
    assert not missing, f"{len(missing)} environment variables are not in docs/settings.md: {missing}"


def test_everything_exported_is_there():
    assert safelight.__all__ == sorted(safelight.__all__)
    for name in safelight.__all__:
        assert getattr(safelight, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = safelight.nonsense


def test_tests_stand_where_their_modules_do():
    whole = {ROOT / "tests", ROOT / "tests" / "hostile", ROOT / "tests" / "interrupted"}  # of all commands
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")} - whole
    lost = [str(f.relative_to(ROOT)) for f in folders if not (PACKAGE / f.relative_to(ROOT / "tests")).is_dir()]
    assert not lost, f"{len(lost)} folders of tests have no folder of this name in src/safelight: {lost}"


def test_nothing_of_this_machine_is_committed():
    texts = [*ROOT.glob("docs/*.md"), *ROOT.glob("recipes/*"), ROOT / "README.md", *BUNDLES.rglob("card.json")]
    for path in [*SOURCES, *SCRIPTS, *texts]:
        assert "/work/" + "main" not in path.read_text(encoding="utf-8"), path
    for folder in (PACKAGE / "bundle" / "shipped", BUNDLES):
        for path in folder.rglob("*.onnx"):
            assert b"site-packages" not in path.read_bytes(), path


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "start", ["import safelight", "from safelight.cli.app import app; app(['--help'], standalone_mode=False)"]
)
def test_the_start_loads_no_heavy_library(start):
    heavy = ("torch", "onnxruntime", "cv2", "pyvips", "numpy", "PIL", "tifffile")
    code = f"import sys; {start}; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code).splitlines()[-1] == "[]"


STATE = """
import importlib, logging, pkgutil, signal, sys, warnings
import cv2, numpy, pyvips, safelight
{imports}

def state():
    return {{
        "threads of cv2": cv2.getNumThreads(),
        "caches of pyvips": [pyvips.cache_get_max(), pyvips.cache_get_max_files(), pyvips.cache_get_max_mem()],
        "errors of numpy": numpy.geterr(),
        "state of numpy.random": str(numpy.random.get_state()),
        "handler of Ctrl-C": str(signal.getsignal(signal.SIGINT)),
        "handlers of logging": list(logging.getLogger().handlers),
        {more}
    }}

before = state()
for module in pkgutil.walk_packages(safelight.__path__, "safelight."):
    room = module.name.split(".")[1]
    if room != "__main__" and (room in ("learn", "ladder", "downstream")) == {learning}:
        importlib.import_module(module.name)
after = state()
print({{name: (before[name], after[name]) for name in before if before[name] != after[name]}})
"""
TORCH = '"torch": [torch.get_num_threads(), torch.get_default_dtype(), torch.initial_seed(), torch.is_grad_enabled()],'


def test_importing_the_pixel_side_changes_nothing_for_others():
    assert run_python(STATE.format(imports="", more="", learning=False)) == "{}"


@pytest.mark.slow
def test_importing_the_learning_side_changes_nothing_for_others():
    pytest.importorskip("torch")
    assert run_python(STATE.format(imports="import torch", more=TORCH, learning=True)) == "{}"
