"""The formulas of performance profiles and data profiles, apart from their drawing.

References
----------
E. D. Dolan and J. J. Moré, Benchmarking optimization software with performance profiles, Math. Program. 91 (2002),
201-213.
J. J. Moré and S. M. Wild, Benchmarking derivative-free optimization algorithms, SIAM J. Optim. 20 (2009), 172-191.
"""

import numpy as np


def performance_ratios(costs):
    """r[p, s] = c[p, s] / min_s c[p, s]  (Dolan and Moré, p. 203); inf where a solver failed.

    Parameters
    ----------
    costs : ndarray, shape (problems, solvers)
        Above zero; inf: not solved.

    Returns
    -------
    ndarray, shape (problems, solvers)
    """
    best = costs.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        ratios = costs / best
    ratios[~np.isfinite(costs)] = np.inf  # inf / inf where no solver solved the problem
    return ratios


def performance_steps(costs):
    """rho_s(tau) = share of problems with r[p, s] <= tau  (Dolan and Moré, eq. 2.1), at every tau where one steps.

    Parameters
    ----------
    costs : ndarray, shape (problems, solvers)

    Returns
    -------
    tau : ndarray, shape (k,)
        Ascending, from 1.
    rho : ndarray, shape (k, solvers)
    """
    return _shares(performance_ratios(costs), first=1.0)


def data_steps(evaluations, dimensions):
    """d_s(kappa) = share of problems with t[p, s] / (n_p + 1) <= kappa  (Moré and Wild, eq. 2.8).

    Parameters
    ----------
    evaluations : ndarray, shape (problems, solvers)
    dimensions : ndarray, shape (problems,)
        The numbers of variables.

    Returns
    -------
    kappa : ndarray, shape (k,)
        Ascending, from 0: units of the n + 1 values that a gradient by differences takes.
    d : ndarray, shape (k, solvers)
    """
    return _shares(evaluations / (dimensions[:, None] + 1.0), first=0.0)


def _shares(table, first):
    """At each finite value of the table, the share of the rows that are at most that, column by column."""
    at = np.unique(np.append(table[np.isfinite(table)], first))
    return at, (table[None, :, :] <= at[:, None, None]).mean(axis=1)
