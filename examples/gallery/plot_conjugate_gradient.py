r"""
Conjugate gradient takes N steps
================================

On a quadratic function of :math:`N` variables conjugate gradient with exact line minimisation ends after at most
:math:`N` steps, and after at most :math:`r` if the Hessian has only :math:`r` different eigenvalues (Nocedal &
Wright, theorems 5.3 and 5.4): after :math:`k` steps it has minimised over a space in which it may place a polynomial
of degree :math:`k` on the eigenvalues.
"""

import numpy as np

import numopt
import numopt.plot

n = 24
rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((n, n)))[0]


def quadratic(eigenvalues):
    matrix = rotation @ np.diag(eigenvalues) @ rotation.T

    def fun(x):
        g = matrix @ x
        return 0.5 * x @ g, g

    return fun


spectra = {
    "24 eigenvalues": np.linspace(1.0, 60.0, n),
    "4 eigenvalues": np.repeat([1.0, 10.0, 30.0, 60.0], n // 4),
    "4 clusters": np.repeat([1.0, 10.0, 30.0, 60.0], n // 4) * np.tile(np.linspace(0.999, 1.001, n // 4), 4),
}
options = {"line_search": "exact", "line_tol": 1e-12, "history": True, "gtol": 1e-9}
start = rotation @ np.ones(n)
runs = [
    numopt.minimize(quadratic(values), start, method="cg-fr", jac=True, options=options) for values in spectra.values()
]
runs.append(
    numopt.minimize(
        quadratic(spectra["24 eigenvalues"]), start, method="gd", jac=True, options=options | {"maxiter": 40}
    )
)
names = [*spectra, "24 eigenvalues, gradient descent"]

# %%
# With four clusters of eigenvalues f falls in stairs: four steps deal with the middles of the clusters, the next four
# with what is left.

fig, ax = numopt.plot.convergence(runs, minimum=0.0, labels=names)

# %%
# Iterations to a gradient of 1e-9:

for name, run in zip(names, runs, strict=True):
    print(f"{name:35} {run.nit:3d} iterations, f = {run.fun:.1e}")

assert runs[1].nit == 4
assert runs[0].nit <= n + 2  # rounding costs a step or two
assert runs[3].fun > 1e-6
