"""Compiled units: the machine code of a solver or a line search, compiled once per machine and kept on disk.

A unit is a C function ``double unit(intptr table)``; the table holds the addresses that a
:class:`numopt.kernels.oracle.Run` is made of.  No unit depends on an objective, so there are few of them.  They
are kept as object files, which LLVM loads without Numba: importing Numba and asking its own cache would take
longer than a whole process that minimises a small function.
"""

import ctypes
import hashlib
import importlib
import importlib.util
import os
import sys
import tempfile
import threading
from pathlib import Path

# name -> (module, attribute, words): compiled as a function of a Run (one word: the address of its table), or of
# the machine words of the callback ABI; 0 words: of a ConstrainedRun
UNITS = {
    "search/strong-wolfe": ("numopt.linesearch.searches", "strong_wolfe", 1),
    "search/armijo": ("numopt.linesearch.searches", "armijo_backtracking", 1),
    "search/hager-zhang": ("numopt.linesearch.searches", "approximate_wolfe", 1),
    "search/exact": ("numopt.linesearch.searches", "line_minimisation", 1),
    "gd": ("numopt.solvers.gradient_descent", "run", 1),
    "first-order": ("numopt.solvers.first_order", "run", 1),
    "sqp": ("numopt.solvers.sqp", "run", 0),
    "lagrange-newton": ("numopt.solvers.lagrange_newton", "run", 0),
    "interior-point": ("numopt.solvers.interior_point", "run", 0),
    "projected-gradient": ("numopt.solvers.projected_gradient", "run", 0),
    "augmented-lagrangian": ("numopt.solvers.augmented_lagrangian", "run", 0),
    "quadratic-penalty": ("numopt.solvers.quadratic_penalty", "run", 0),
    "augmented/value_grad": ("numopt.kernels.augmented", "value_grad", 4),
    "norm-terms": ("numopt.kernels.norm_terms", "value_grad", 4),
    "cg": ("numopt.solvers.conjugate_gradient", "run", 1),
    "bfgs": ("numopt.solvers.bfgs", "run", 1),
    "lbfgs": ("numopt.solvers.lbfgs", "run", 1),
    "lbfgsb": ("numopt.solvers.lbfgsb", "run", 1),
    "newton": ("numopt.solvers.newton", "run", 1),
    "saddle-free": ("numopt.solvers.saddle_free", "run", 1),
    "truncated-newton": ("numopt.solvers.truncated_newton", "run", 1),
    "krylov": ("numopt.solvers.krylov", "run", 1),
    "trust-region": ("numopt.solvers.trust_region", "run", 1),
    "levenberg-marquardt": ("numopt.solvers.levenberg_marquardt", "run", 1),
    "trust-region-reflective": ("numopt.solvers.trust_region_reflective", "run", 1),
    "dogleg": ("numopt.solvers.dogleg", "run", 1),
    "squares/value": ("numopt.kernels.squares", "value", 3),
    "squares/grad": ("numopt.kernels.squares", "grad", 4),
    "squares/value_grad": ("numopt.kernels.squares", "value_grad", 4),
    "squares/block_value": ("numopt.kernels.squares_range", "block_value", 5),
    "squares/block_triangle": ("numopt.kernels.squares_range", "block_triangle", 5),
    "squares/merged": ("numopt.kernels.squares_range", "merged", 5),
    "squares/finish": ("numopt.kernels.squares_finish", "run", 1),
    "batch": ("numopt.kernels.batch", "run_batch", 2),
    "sparse-trust-region": ("numopt.solvers.sparse_trust_region", "run", 1),
    "sparse/grad": ("numopt.kernels.sparse_squares", "grad", 4),
    "sparse/value_grad": ("numopt.kernels.sparse_squares", "value_grad", 4),
    "sparse/colours": ("numopt.kernels.colouring", "unit", 3),
    "squares/curved": ("numopt.kernels.squares_curved", "curved", 5),
    "nelder-mead": ("numopt.solvers.nelder_mead", "run", 1),
    "powell": ("numopt.solvers.powell", "run", 1),
    "pattern-search": ("numopt.solvers.pattern_search", "run", 1),
    "random-search": ("numopt.solvers.random_search", "run", 1),
    "coordinate-descent": ("numopt.solvers.coordinate_descent", "run", 1),
    "composite/value_grad": ("numopt.kernels.composite", "value_grad", 4),
    "composite/value": ("numopt.kernels.composite", "value", 3),
    "composite/grad": ("numopt.kernels.composite", "grad", 4),
    "composite/hess": ("numopt.kernels.composite", "hess", 4),
    "composite/diagonal": ("numopt.kernels.composite", "diagonal", 4),
    "composite/hessp": ("numopt.kernels.composite", "hessp", 5),
    "constraints/con": ("numopt.kernels.constraint_blocks", "con", 5),
    "constraints/con_jac": ("numopt.kernels.constraint_blocks", "con_jac", 5),
    "constraints/lag_hess": ("numopt.kernels.constraint_blocks", "lag_hess", 5),
    "negated/value": ("numopt.kernels.negated", "value", 3),
    "negated/vector": ("numopt.kernels.negated", "vector", 4),
    "negated/matrix": ("numopt.kernels.negated", "matrix", 4),
    "negated/product": ("numopt.kernels.negated", "product", 5),
    "reduced/value": ("numopt.kernels.reduced", "value", 3),
    "reduced/vector": ("numopt.kernels.reduced", "vector", 4),
    "reduced/matrix": ("numopt.kernels.reduced", "matrix", 4),
    "reduced/product": ("numopt.kernels.reduced", "product", 5),
    "scalar/bisection": ("numopt.scalar.bisection", "unit", 3),
    "scalar/brent-zero": ("numopt.scalar.brent_zero", "unit", 3),
    "scalar/ridders": ("numopt.scalar.ridders", "unit", 3),
    "scalar/newton": ("numopt.scalar.newton_root", "unit", 3),
    "scalar/secant": ("numopt.scalar.secant", "unit", 3),
    "scalar/localmin": ("numopt.scalar.localmin", "unit", 3),
    "scalar/golden": ("numopt.scalar.golden_section", "unit", 3),
    "lasso/columns-float64": ("numopt.solvers.lasso_entry", "columns64", 2),
    "lasso/columns-float32": ("numopt.solvers.lasso_entry", "columns32", 2),
    "lasso/rows-float64": ("numopt.solvers.lasso_entry", "rows64", 2),
    "lasso/rows-float32": ("numopt.solvers.lasso_entry", "rows32", 2),
    "lasso/sparse-float64": ("numopt.solvers.lasso_entry", "sparse64", 2),
    "lasso/sparse-float32": ("numopt.solvers.lasso_entry", "sparse32", 2),
    "lasso/batch": ("numopt.solvers.lasso_batch", "unit", 2),
    "lasso/gram": ("numopt.solvers.lasso_gram", "unit", 2),
    "lasso/groups": ("numopt.solvers.lasso_groups", "unit", 2),
    "qp": ("numopt.kernels.qp_entry", "unit", 2),
    "glm/pointwise": ("numopt.solvers.glm", "pointwise", 2),
    "glm/newton": ("numopt.solvers.glm_newton", "unit", 2),
    "glm/sparse-float64": ("numopt.solvers.glm", "sparse64", 2),
    "glm/sparse-float32": ("numopt.solvers.glm", "sparse32", 2),
    "network/float64": ("numopt.network.engine", "float64", 2),
    "network/float32": ("numopt.network.engine", "float32", 2),
    "network/sweep64": ("numopt.network.curvature_kernels", "sweep64", 2),
    "network/sweep32": ("numopt.network.curvature_kernels", "sweep32", 2),
    "network/jacobian64": ("numopt.network.curvature_kernels", "jacobian64", 2),
    "network/jacobian32": ("numopt.network.curvature_kernels", "jacobian32", 2),
}

_PACKAGE = Path(__file__).resolve().parent.parent
PACKAGE_FOLDER = str(_PACKAGE) + os.sep
_lock = threading.RLock()
_loaded: dict = {}  # name -> address
_keep: list = []  # the LLVM engines that own the code
_state: dict = {}


def _binding():
    """llvmlite's binding, started, with the target machine."""
    if "machine" not in _state:
        import llvmlite.binding as ll

        ll.initialize_native_target()
        ll.initialize_native_asmprinter()
        target = ll.Target.from_default_triple()
        _state["machine"] = target.create_target_machine(jit=True, codemodel="jitdefault")
        _state["cpu"] = ll.get_host_cpu_name() + ll.get_host_cpu_features().flatten()
        _state["ll"] = ll
    return _state["ll"]


def source(unit):
    """The function that a unit is compiled from."""
    module, name, _ = UNITS[unit]
    return getattr(importlib.import_module(module), name)


def _numba_version():
    """The text that names Numba's version, without importing Numba."""
    spec = importlib.util.find_spec("numba")
    if spec is None or spec.origin is None:
        raise ImportError("numopt needs Numba, which is not installed: pip install numba")
    return (Path(spec.origin).parent / "_version.py").read_bytes()


def key():
    """What the machine code depends on: sources, versions, processor."""
    if "key" not in _state:
        ll = _binding()
        import llvmlite

        digest = hashlib.sha256()
        for folder in ("kernels", "losses", "penalties", "linesearch", "solvers", "scalar", "drivers", "network"):
            for path in sorted((_PACKAGE / folder).glob("*.py")):
                digest.update(path.name.encode() + path.read_bytes())
        digest.update(_numba_version())
        for text in (llvmlite.__version__, sys.version, _state["cpu"], ll.get_default_triple()):
            digest.update(text.encode())
        _state["key"] = digest.hexdigest()[:16]
    return _state["key"]


def _writable(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder():
    """Where compiled units are kept.

    ``$NUMOPT_CACHE_DIR`` if set; else a folder inside the package, if that can be written to; else the user's
    cache folder; else None, and nothing is kept.
    """
    if "folder" not in _state:
        named = os.environ.get("NUMOPT_CACHE_DIR")
        if named:
            candidates = [Path(named).expanduser()]
        else:
            from platformdirs import user_cache_path

            candidates = [_PACKAGE / "__pycache__" / "units", user_cache_path("numopt")]
        _state["folder"] = next((f for f in candidates if _writable(f)), None)
    return _state["folder"]


def _path(name):
    folder = cache_folder()
    return None if folder is None else folder / f"{name.replace('/', '-')}-{key()}.o"


def is_cached(name):
    """Whether a unit need not be compiled."""
    path = _path(name)
    return name in _loaded or (path is not None and path.exists())


def _compile(name):
    """(name of the C function, object code) of a unit."""
    from numba import carray, types

    from numopt.kernels.compiling import compile_unit
    from numopt.kernels.oracle import Run, void_pointer
    from numopt.kernels.slots import (
        A_C,
        A_DATA,
        A_GRAD,
        A_HESS,
        A_HESSP,
        A_HISTORY,
        A_P,
        A_SEARCH,
        A_TICK,
        A_VALUE,
        A_VALUE_GRAD,
        A_W,
        A_W_SIZE,
        HISTORY_SIZE,
        N_COUNTERS,
        N_SCALARS,
        N_TABLE,
    )

    module, attribute, words = UNITS[name]
    function = getattr(importlib.import_module(module), attribute)
    word, real = types.intp, types.float64
    if words > 1:
        return compile_unit(function, real(*[word] * words))
    if words == 0:
        return compile_unit(_of_constrained_run(function), real(word))

    def unit(table):
        a = carray(void_pointer(table), (N_TABLE,), word)
        c = carray(void_pointer(a[A_C]), (N_COUNTERS,), types.int64)
        p = carray(void_pointer(a[A_P]), (N_SCALARS,), real)
        w = carray(void_pointer(a[A_W]), (a[A_W_SIZE],), real)
        h = carray(void_pointer(a[A_HISTORY]), (5 * c[HISTORY_SIZE],), real)
        R = Run(
            a[A_VALUE_GRAD],
            a[A_VALUE],
            a[A_GRAD],
            a[A_HESS],
            a[A_HESSP],
            a[A_DATA],
            a[A_SEARCH],
            table,
            a[A_TICK],
            c,
            p,
            w,
            h,
        )
        return function(R)

    return compile_unit(unit, real(word))


def _of_constrained_run(function):
    """The function of a table's address that calls one of a ConstrainedRun."""
    from numopt.kernels.constrained import run_at

    return lambda table: function(run_at(table))


def _unreachable():
    """Stands in for the parts of Numba's runtime that compiled units name and never call."""
    raise SystemError("numopt: compiled code called a function that it must not reach")


_UNREACHABLE = ctypes.CFUNCTYPE(None)(_unreachable)
_RUNTIME = (
    "numba_gil_ensure",
    "numba_gil_release",
    "numba_do_raise",
    "numba_unpickle",
    "numba_runtime_build_excinfo_struct",
    "NRT_Free",
    "NRT_MemInfo_call_dtor",
)


def load(symbol, code, keep=_keep):
    """The address of a function in an object file; what owns the code is put into ``keep``."""
    ll = _binding()
    if "stubs" not in _state:
        # Once Numba compiles something, LLVM knows these names already; Numba puts its own in place of ours.
        _state["stubs"] = True
        for name in _RUNTIME:
            if not ll.address_of_symbol(name):
                ll.add_symbol(name, ctypes.cast(_UNREACHABLE, ctypes.c_void_p).value)
    engine = ll.create_mcjit_compiler(ll.parse_assembly(""), _state["machine"])
    engine.add_object_file(ll.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol)
    keep.append(engine)
    return address


def _store(path, symbol, code):
    """Write a unit so that other processes see all of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        head = symbol.encode()
        file.write(len(head).to_bytes(4, "little") + head + hashlib.sha256(code).digest() + code)
    os.replace(temporary, path)
    for old in path.parent.glob(path.name.rsplit("-", 1)[0] + "-????????????????.o"):
        if old != path:
            old.unlink(missing_ok=True)


def _read(path):
    """(symbol, code) from a file, or None if it is not there or damaged."""
    try:
        blob = path.read_bytes()
    except OSError:
        return None
    size = int.from_bytes(blob[:4], "little")
    symbol, check, code = blob[4 : 4 + size], blob[4 + size : 36 + size], blob[36 + size :]
    if not code or hashlib.sha256(code).digest() != check:
        return None
    return symbol.decode(), code


def address(name):
    """The address of a compiled unit; compiles it where the cache doesn't hold it."""
    found = _loaded.get(name)
    if found is not None:
        return found
    with _lock:
        if name not in _loaded:
            path = _path(name)
            unit = None if path is None else _read(path)
            if unit is None:
                unit = _compile(name)
                if path is not None:
                    _store(path, *unit)
            _loaded[name] = load(*unit)
        return _loaded[name]


def load_cached(name):
    """Load a unit if the cache holds it; never compiles."""
    with _lock:
        path = None if name in _loaded else _path(name)
        unit = None if path is None else _read(path)
        if unit is not None:
            _loaded[name] = load(*unit)


_prototype = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_ssize_t)
_functions: dict = {}


def function(name):
    """A compiled unit as a Python callable of the table's address.  The call releases the GIL."""
    found = _functions.get(name)
    if found is None:
        found = _functions[name] = _prototype(address(name))
    return found
