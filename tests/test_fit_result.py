"""``FitResult``: its statistics against closed forms, its intervals against published ones, how it is shown."""

import json
import math
import pickle
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

import numopt
from numopt import FitResult

X = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1])
Y = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])  # Puromycin, treated: Bates and Watts, A1.3


def michaelis_menten(x, vmax, k):
    return vmax * x / (k + x)


def line(x, a, b):
    return a + b * x


def exponential(x, a, b):
    return a * np.exp(-b * x)


def constant_and_decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def slopes(model, params, x):
    """Derivatives by central differences."""
    columns = []
    for j, p in enumerate(params):
        h = 6e-6 * max(abs(p), 1e-3)
        up, down = params.copy(), params.copy()
        up[j], down[j] = p + h, p - h
        columns.append((model(x, *up) - model(x, *down)) / (up[j] - down[j]))
    return np.stack(columns, axis=1)


class Problem:
    """A fit by ``least_squares``, made into a FitResult: picklable."""

    def __init__(self, model, x, y, p0, sigma=None, absolute=False, bounds=None, fixed=None, loss="linear", names=None,
                 likelihood="gaussian", name=None):  # fmt: skip
        self.model, self.x, self.y, self.sigma, self.loss = model, x, y, sigma, loss
        self.likelihood, self.absolute, self.refits = likelihood, absolute, 0
        n = len(p0)
        low, high = (-np.inf, np.inf) if bounds is None else bounds
        self.lower = np.array(np.broadcast_to(np.asarray(low, float), n))
        self.upper = np.array(np.broadcast_to(np.asarray(high, float), n))
        self.held = dict(fixed or {})
        self.names = names or tuple("abcdefg"[:n])
        self.title = name or getattr(model, "__name__", "model")
        self.p0 = np.array(p0, float)

    def residuals(self, p):
        f = self.model(self.x, *p)
        if self.likelihood == "poisson":
            f = np.maximum(f, 1e-300)
            each = 2 * (scipy.special.xlogy(self.y, self.y / f) - (self.y - f))
            return np.sign(f - self.y) * np.sqrt(np.maximum(each, 0.0))
        if self.sigma is None:
            return f - self.y
        if self.sigma.ndim == 1:
            return (f - self.y) / self.sigma
        return scipy.linalg.solve_triangular(np.linalg.cholesky(self.sigma), f - self.y, lower=True)

    def solve(self, held, start):
        held = {**self.held, **held}
        lower, upper, start = self.lower.copy(), self.upper.copy(), np.array(start, float)
        for j, value in held.items():
            lower[j] = upper[j] = start[j] = value
        return numopt.least_squares(
            self.residuals, start, jac="3-point", bounds=(lower, upper), loss=self.loss, ftol=1e-14, xtol=1e-14,
            gtol=1e-14,
        )  # fmt: skip

    def refit(self, held, start):
        self.refits += 1
        if len({**self.held, **held}) == start.size:
            p = start.copy()
            p[list(held)] = list(held.values())
            return p, 0.5 * float(np.sum(self.residuals(p) ** 2))
        result = self.solve(held, start)
        return result.x, result.cost

    def jacobian(self, x, p):
        return slopes(self.model, np.array(p, float), x)

    def fit(self):
        result = self.solve({}, self.p0)
        fixed = np.isin(np.arange(result.x.size), list(self.held))
        J = self.jacobian(self.x, result.x)[:, ~fixed]
        if self.likelihood == "poisson":
            J = J / np.sqrt(self.model(self.x, *result.x))[:, None]
        elif self.sigma is not None and self.sigma.ndim == 1:
            J = J / self.sigma[:, None]
        elif self.sigma is not None:
            J = scipy.linalg.solve_triangular(np.linalg.cholesky(self.sigma), J, lower=True)
        pcov = np.zeros((result.x.size, result.x.size))
        scale = 1.0
        if not self.absolute and self.likelihood == "gaussian":
            scale = 2 * result.cost / (self.y.size - J.shape[1])
        pcov[np.ix_(~fixed, ~fixed)] = scale * np.linalg.inv(J.T @ J)
        return FitResult(
            (result.x, pcov), names=self.names, popt=result.x, pcov=pcov, x=self.x, y=self.y, sigma=self.sigma,
            absolute_sigma=self.absolute, likelihood=self.likelihood, loss=self.loss, f_scale=1.0, model=self.model,
            model_name=self.title, jacobian=self.jacobian, cost=result.cost, lower=self.lower, upper=self.upper,
            fixed=fixed, tied={}, active_mask=np.where(fixed, 0, result.active_mask), nfev=result.nfev,
            njev=result.njev, nit=result.nit, status=result.status, message=result.message, success=result.success,
            method="lm", refit=self.refit,
        )  # fmt: skip


@pytest.fixture(scope="module")
def puromycin():
    return Problem(michaelis_menten, X, Y, [200.0, 0.1], names=("vmax", "k")).fit()


def test_puromycin(puromycin):
    p = puromycin
    print(p.popt, p.stderr, p.confidence_intervals())
    print(p)
    print(repr(p))
    print(p.to_json())
    p.to_html("/tmp/fitresult/p.html")
    fig, ax = p.plot()
    fig.savefig("/tmp/fitresult/p.png")
