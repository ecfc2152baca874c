"""solve_qp beside quadprog, DAQP, PIQP, ProxQP, Clarabel, OSQP: 200 random convex problems, all to the same accuracy.

Run it with ``python benchmarks/qp.py``; what is installed takes part.  Each problem has 100 variables and 200
inequalities G x <= h, drawn around a point that fulfils them, with the minimiser of the objective some way off it:
about 40 of them are active at the solution.  With ``--slack 0.5`` there are more than 80.

"Solved" means that the residuals computed here, in NumPy, are at most 1e-9: violation of a row over |h| + |G||x|,
stationarity over its largest term, and duality gap over the terms of the objective.  Peers with a tolerance are run
with falling ones until they get there, and the time of the first run that does counts: no one stops earlier than
another.  Each solver's problem is handed over in the form that it takes, before the clock starts; times are those of
the Python call, set-up of the solver included.  The solvers take turns on each problem.
"""

import argparse
import statistics
import time

import numpy as np

GOAL = 1e-9
TOLERANCES = (1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13)


def problem(seed, n, m, slack):
    """P, q, G, h."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n))
    P = X.T @ X / n + 0.1 * np.eye(n)
    G = rng.standard_normal((m, n))
    x0 = rng.standard_normal(n)
    q = -P @ (x0 + rng.standard_normal(n))
    return P, q, G, G @ x0 + slack * rng.exponential(size=m)


def error(P, q, G, h, x, y):
    """The largest of the three relative residuals; y >= 0: P x + q + G'y = 0."""
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return np.inf
    y = np.maximum(y, 0.0)
    Px, Gx = P @ x, G @ x
    primal = (np.maximum(Gx - h, 0.0) / (np.abs(h) + np.abs(G) @ np.abs(x))).max()
    dual = np.abs(Px + q + G.T @ y).max() / max(np.abs(Px).max(), np.abs(q).max(), np.abs(G.T * y).max())
    gap = abs(x @ Px + q @ x + h @ y) / (abs(x @ Px) + abs(q @ x) + np.abs(h * y).sum())
    return max(primal, dual, gap)


def ours():
    """numopt.solve_qp."""
    import numopt

    def prepare(P, q, G, h):
        def solve(tol):
            found = numopt.solve_qp(P, q, G=G, h=h)
            return found.x, -found.ineq_multipliers

        return solve

    return prepare, (None,)


def quadprog():
    import quadprog as peer

    def prepare(P, q, G, h):
        C, b = -G.T.copy(), -h

        def solve(tol):
            found = peer.solve_qp(P, -q, C, b)
            return found[0], found[4]

        return solve

    return prepare, (None,)


def daqp():
    import daqp as peer

    def prepare(P, q, G, h):
        low, sense = np.full(h.size, -1e30), np.zeros(h.size, np.int32)

        def solve(tol):
            x, _, _, info = peer.solve(P, q, G, h, low, sense, primal_tol=tol, dual_tol=1e-12)
            return x, info["lam"]

        return solve

    return prepare, TOLERANCES


def piqp():
    import piqp as peer

    def prepare(P, q, G, h):
        def solve(tol):
            solver = peer.DenseSolver()
            solver.settings.eps_abs = solver.settings.eps_rel = tol
            solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = tol
            solver.setup(P, q, None, None, G, None, h, None, None)
            solver.solve()
            return solver.result.x, solver.result.z_u

        return solve

    return prepare, TOLERANCES


def proxqp():
    from proxsuite import proxqp as peer

    def prepare(P, q, G, h):
        low = np.full(h.size, -1e20)

        def solve(tol):
            solver = peer.dense.QP(q.size, 0, h.size)
            solver.settings.eps_abs, solver.settings.eps_rel = tol, 0.0
            solver.init(P, q, None, None, G, low, h)
            solver.solve()
            return solver.results.x, solver.results.z

        return solve

    return prepare, TOLERANCES


def clarabel():
    import clarabel as peer
    import scipy.sparse as sp

    def prepare(P, q, G, h):
        P, G = sp.csc_matrix(np.triu(P)), sp.csc_matrix(G)

        def solve(tol):
            settings = peer.DefaultSettings()
            settings.verbose = False
            settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tol
            found = peer.DefaultSolver(P, q, G, h, [peer.NonnegativeConeT(h.size)], settings).solve()
            return np.array(found.x), np.array(found.z)

        return solve

    return prepare, TOLERANCES


def osqp():
    import osqp as peer
    import scipy.sparse as sp

    def prepare(P, q, G, h):
        P, G, low = sp.csc_matrix(np.triu(P)), sp.csc_matrix(G), np.full(h.size, -np.inf)

        def solve(tol):
            solver = peer.OSQP()
            solver.setup(P, q, G, low, h, verbose=False, eps_abs=tol, eps_rel=0.0, max_iter=100_000, polishing=True)
            found = solver.solve()
            return found.x, found.y

        return solve

    return prepare, TOLERANCES


SOLVERS = {"numopt": ours, "quadprog": quadprog, "daqp": daqp, "piqp": piqp, "proxqp": proxqp, "clarabel": clarabel,
           "osqp": osqp}  # fmt: skip


def best_of(solve, repeats):
    """(seconds, what it returns) of the fastest of some runs."""
    seconds = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        found = solve()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, found


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variables", type=int, default=100)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--slack", type=float, default=10.0, help="mean distance of the rows from the point inside")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3, help="of each solve, of which the fastest counts")
    parser.add_argument("--solvers", nargs="*", choices=list(SOLVERS), default=list(SOLVERS))
    options = parser.parse_args()
    solvers = {}
    for name in options.solvers:
        try:
            solvers[name] = SOLVERS[name]()
        except ImportError:
            print(f"{name} is not installed")
    seconds = {name: [] for name in solvers}
    worst, active, known = dict.fromkeys(solvers, 0.0), [], {}
    for seed in range(options.problems):
        data = problem(seed, options.variables, options.rows, options.slack)
        for name, (prepare, tolerances) in solvers.items():
            solve = prepare(*data)
            # from the tolerance that was enough before: a looser one would only cost time
            for tol in tolerances[known.get(name, 0) :]:
                took, (x, y) = best_of(lambda solve=solve, tol=tol: solve(tol), options.repeats)
                reached = error(*data, np.asarray(x, float), np.asarray(y, float))
                if reached <= GOAL:
                    break
            if reached <= GOAL:
                seconds[name].append(took)
                worst[name] = max(worst[name], reached)
            if name == "numopt":
                active.append(int((np.asarray(y) > 0.0).sum()))
    title = f"{options.problems} problems, {options.variables} variables, {options.rows} inequalities"
    if active:
        title += f", {statistics.mean(active):.0f} of them active"
    print(title)
    print(f"{'':10} {'solved':>8} {'median ms':>10} {'slowest ms':>11} {'worst residual':>15} {'times numopt':>13}")
    base = statistics.median(seconds["numopt"]) if seconds.get("numopt") else np.nan
    for name, taken in seconds.items():
        if taken:
            median = statistics.median(taken)
            print(
                f"{name:10} {len(taken):4}/{options.problems:<3} {1e3 * median:10.3f} {1e3 * max(taken):11.3f} "
                f"{worst[name]:15.1e} {median / base:13.2f}"
            )
        else:
            print(f"{name:10} {0:4}/{options.problems:<3}")


if __name__ == "__main__":
    main()
