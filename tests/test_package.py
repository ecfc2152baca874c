"""The package as a whole: imports, layers, the cache of compiled units."""

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import numopt
from numopt.drivers import units

PACKAGE = Path(numopt.__file__).parent

# who may import whom: only from a lower rank, or from the same folder
RANKS = {"kernels": 0, "linesearch": 1, "drivers": 1, "losses": 1, "penalties": 1, "solvers": 2, "scalar": 2,
         "callbacks": 2, "inverse": 2, "catalog": 2.5, "constrained_catalog": 3, "cuda": 3.5, "result": 3,
         "optimize": 4, "problems": 4, "plot": 3,
         "models": 4, "network": 4, "estimators": 4, "linear_model": 5, "nonlinear_model": 5, "neural_network": 5,
         "comparison": 5, "dask": 6, "cli": 6, "__main__": 7}  # fmt: skip


def _imports(path):
    """(module, at the top level?) of everything that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module, id(node) in top


def _files():
    return [p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts and p.name != "__init__.py"]


def test_layers():
    for path in _files():
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for module, _ in _imports(path):
            if module.startswith("numopt."):
                other = module.split(".")[1]
                assert other == part or RANKS[other] < RANKS[part], f"{path} imports {module}"


def test_heavy_and_optional_packages_stay_where_they_belong():
    for path in _files():
        folder = path.relative_to(PACKAGE).parts[0]
        for module, _top in _imports(path):
            root = module.split(".")[0]
            assert root != "torch", f"{path} imports {module}"
            if root in ("dask", "distributed"):
                assert folder == "dask" and not _top, f"{path} imports {module}"
            if root in ("matplotlib", "jinja2"):
                assert folder in ("plot", "comparison") and not _top, f"{path} imports {module}"
            if root == "sklearn":
                homes = ("estimators", "linear_model", "nonlinear_model", "neural_network", "problems", "comparison")
                assert folder in (*homes, "dask"), f"{path} imports {module}"
            if module.startswith("numba.cuda"):
                assert folder == "cuda", f"{path} imports {module}"


def test_no_solver_imports_another_loop():
    for path in (PACKAGE / "solvers").glob("*.py"):
        for module, _ in _imports(path):
            # the limited-memory ones share the curvature test of bfgs; lasso_... and glm_... are parts of one solver
            shared = path.stem in ("lbfgs", "lbfgsb") and module == "numopt.solvers.bfgs"
            shared |= any(
                path.stem.startswith(name) and module.startswith(("numopt.solvers." + name, "numopt.solvers"))
                for name in ("lasso", "glm")
            )
            assert shared or not module.startswith("numopt.solvers")


def test_no_module_bears_the_name_of_a_public_function():
    stems = {path.stem for path in PACKAGE.glob("*.py")} | {p.name for p in PACKAGE.iterdir() if p.is_dir()}
    functions = {name for name in numopt.__all__ if callable(getattr(numopt, name)) and name.islower()}
    assert not stems & functions


def test_files_are_short():
    for path in _files():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def _python(code, **env):
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
                         env={**os.environ, **env})  # fmt: skip
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_import_is_light():
    out = _python("import sys, numopt; print(sorted({m.split('.')[0] for m in sys.modules} & "
                  "{'numpy', 'scipy', 'numba', 'sklearn', 'llvmlite', 'rich', 'typer'}))")  # fmt: skip
    assert out.strip() == "[]"


def test_a_python_objective_needs_neither_numba_nor_scipy():
    code = (
        "import sys, numopt\n"
        "r = numopt.minimize(lambda x: ((x - 1)**2).sum(), [3.0, 2.0])\n"
        "assert r.success\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'scipy', 'numba', 'sklearn'}))"
    )
    _python(code)  # compiles what is missing
    assert _python(code).strip() == "[]"


def test_every_public_name_has_a_docstring():
    for name in numopt.__all__:
        thing = getattr(numopt, name)
        if callable(thing):
            assert thing.__doc__ and len(thing.__doc__) > 20, name


class TestCache:
    CODE = (
        "import numopt; from numopt.drivers import units\n"
        "compiled = []\n"
        "inner = units._compile\n"
        "units._compile = lambda name: (compiled.append(name), inner(name))[1]\n"
        "r = numopt.minimize(lambda x: (x @ x, 2 * x), [3.0], jac=True, method='gd-fixed', options={'step': 0.4})\n"
        "print(r.success, compiled, units.cache_folder())"
    )

    def test_second_process_compiles_nothing_and_damage_is_noticed(self, tmp_path):
        env = {"NUMOPT_CACHE_DIR": str(tmp_path)}
        assert "True ['gd']" in _python(self.CODE, **env)
        assert "True []" in _python(self.CODE, **env)
        (unit,) = tmp_path.glob("gd-*.o")
        blob = bytearray(unit.read_bytes())
        blob[len(blob) // 2] ^= 255
        unit.write_bytes(bytes(blob))
        assert "True ['gd']" in _python(self.CODE, **env)
        unit.write_bytes(b"")
        assert "True ['gd']" in _python(self.CODE, **env)

    def test_old_units_are_removed(self, tmp_path):
        old = tmp_path / "gd-0123456789abcdef.o"
        old.write_bytes(b"old")
        _python(self.CODE, NUMOPT_CACHE_DIR=str(tmp_path))
        assert not old.exists() and len(list(tmp_path.glob("gd-*.o"))) == 1

    def test_read_only_package_falls_back_to_the_users_folder(self, tmp_path, monkeypatch):
        package, user = tmp_path / "package", tmp_path / "user"
        package.mkdir()
        monkeypatch.setattr(units, "_PACKAGE", package)
        monkeypatch.setattr(units, "_state", dict(units._state))
        monkeypatch.delenv("NUMOPT_CACHE_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(user))
        units._state.pop("folder", None)
        assert package in units.cache_folder().parents
        package.chmod(stat.S_IRUSR | stat.S_IXUSR)
        (package / "__pycache__" / "units").rmdir()
        (package / "__pycache__").chmod(stat.S_IRUSR | stat.S_IXUSR)
        units._state.pop("folder", None)
        # root may write everywhere, so say so to the test
        real = units._writable
        monkeypatch.setattr(units, "_writable", lambda f: package not in f.parents and real(f))
        try:
            folder = units.cache_folder()
            assert folder is not None and package not in folder.parents
        finally:
            package.chmod(0o700)
            (package / "__pycache__").chmod(0o700)

    def test_nowhere_to_write(self, monkeypatch):
        monkeypatch.setattr(units, "_state", dict(units._state))
        monkeypatch.setattr(units, "_writable", lambda folder: False)
        units._state.pop("folder", None)
        assert units.cache_folder() is None and units._path("gd") is None

    def test_the_key_follows_sources_and_versions(self, monkeypatch):
        monkeypatch.setattr(units, "_state", dict(units._state))
        before = units.key()
        units._state.pop("key")
        assert units.key() == before
        units._state.pop("key")
        monkeypatch.setattr(units, "_numba_version", lambda: b"another")
        assert units.key() != before


def test_warmup_compiles_every_unit():
    seconds = numopt.warmup()
    assert set(seconds) == set(units.UNITS) and all(units.is_cached(name) for name in units.UNITS)
    with pytest.raises(KeyError):
        units.address("nonsense")
