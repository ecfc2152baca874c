"""Classical numerical optimization, compiled by Numba, behind the interfaces of scipy.optimize and scikit-learn.

Public names are loaded when they are first asked for: ``import numopt`` imports neither Numba nor SciPy.
"""

import importlib as _importlib

__version__ = "0.1.0.dev0"

_HOME = {
    "minimize": "numopt.optimize._minimize",
    "maximize": "numopt.optimize._maximize",
    "kkt": "numopt.optimize._kkt",
    "KKT": "numopt.optimize._kkt",
    "Simplex": "numopt.optimize._sets",
    "Ball": "numopt.optimize._sets",
    "minimize_scalar": "numopt.optimize._minimize_scalar",
    "root_scalar": "numopt.optimize._root_scalar",
    "least_squares": "numopt.optimize._least_squares",
    "curve_fit": "numopt.optimize._curve_fit",
    "FitResult": "numopt.optimize._fit_result",
    "coordinate_descent": "numopt.optimize._penalised",
    "continuation": "numopt.optimize._continuation",
    "multistart": "numopt.optimize._multistart",
    "minimize_batch": "numopt.optimize._batch",
    "least_squares_batch": "numopt.optimize._batch_squares",
    "curve_fit_batch": "numopt.optimize._batch_fit",
    "lasso_batch": "numopt.optimize._batch_lasso",
    "mlp_batch": "numopt.neural_network._batch",
    "each": "numopt.optimize._batch_input",
    "BatchResult": "numopt.optimize._batch_result",
    "solve_qp": "numopt.optimize._solve_qp",
    "jit_solve_qp": "numopt.optimize._inline_qp",
    "resume": "numopt.optimize._resume",
    "scipy_method": "numopt.optimize._scipy",
    "check_derivatives": "numopt.optimize._check",
    "warmup": "numopt.drivers.warm",
    "jit_solver": "numopt.optimize._inline",
    "jit_minimize_scalar": "numopt.optimize._inline_scalar",
    "jit_root_scalar": "numopt.optimize._inline_scalar",
    "compare": "numopt.comparison._compare",
    "METHODS": "numopt.catalog",
    "OptimizeResult": "numopt.result",
    "OptimizeWarning": "numopt.optimize._warn",
    "RootResults": "numopt.result",
    "Status": "numopt.kernels.status",
    "LeastSquaresStatus": "numopt.kernels.status",
    "ScalarStatus": "numopt.scalar.status",
}

_PACKAGES = (
    "problems", "comparison", "plot", "dask", "linear_model", "models", "nonlinear_model", "neural_network",
)  # fmt: skip

__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name in _PACKAGES:
        return _importlib.import_module(f"numopt.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'numopt' has no attribute {name!r}")
    value = getattr(_importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
