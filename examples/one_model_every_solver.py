"""Logistic regression on the breast cancer data, fitted by one solver after another: the same answer at other costs."""

import time

from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from numopt.linear_model import LogisticRegression

SOLVERS = ("newton-cholesky", "newton-cg", "newton", "bfgs", "l-bfgs-b", "cg-pr", "cg-hz", "gd")


def main():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    reference = LogisticRegression(tol=1e-12, max_iter=1000).fit(X, y).coef_
    worst = 0.0
    print(f"{'solver':16} {'iterations':>10} {'ms':>8} {'distance':>10}")
    for solver in SOLVERS:
        model = LogisticRegression(solver=solver, tol=1e-7, max_iter=100_000)
        model.fit(X, y)
        begin = time.perf_counter()
        model.fit(X, y)
        taken = time.perf_counter() - begin
        distance = abs(model.coef_ - reference).max()
        worst = max(worst, distance)
        print(f"{solver:16} {model.n_iter_.max():10} {taken * 1e3:8.1f} {distance:10.1e}")
    print("all agree" if worst < 1e-3 else "they do not agree")


if __name__ == "__main__":
    main()
