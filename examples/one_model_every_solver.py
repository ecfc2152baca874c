"""One model, fitted by one solver after another: the same answer at other costs."""

import time

from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import StandardScaler

from numopt.linear_model import LogisticRegression, Ridge

SOLVERS = ("newton", "bfgs", "l-bfgs-b", "cg-pr", "cg-hz", "gd", "coordinate")


def table(title, estimator, X, y, own, **parameters):
    """Prints what each solver takes; gives back the largest distance to the most exact fit, relative."""
    reference = estimator(tol=1e-12, max_iter=1000).fit(X, y).coef_
    worst = 0.0
    print(f"{title:16} {'iterations':>10} {'ms':>8} {'distance':>10}")
    for solver in (*own, *SOLVERS):
        model = estimator(solver=solver, max_iter=100_000, **parameters)
        model.fit(X, y)
        begin = time.perf_counter()
        model.fit(X, y)
        taken = time.perf_counter() - begin
        distance = abs(model.coef_ - reference).max() / abs(reference).max()
        worst = max(worst, distance)
        print(f"{solver:16} {model.n_iter_.max():>10} {taken * 1e3:8.1f} {distance:10.1e}")
    return worst


def main():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    worst = table("logistic", LogisticRegression, X, y, ("newton-cholesky", "newton-cg"), tol=1e-7)
    X, y = load_diabetes(return_X_y=True)
    worst = max(worst, table("ridge", Ridge, X, y, ("cholesky", "svd", "lsqr", "sparse_cg"), tol=1e-6))
    print("all agree" if worst < 1e-3 else "they do not agree")


if __name__ == "__main__":
    main()
