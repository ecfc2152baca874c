"""A pipeline with scaling and a search over the penalty, with the estimators of numopt in scikit-learn's places."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from numopt.linear_model import ElasticNet


def main():
    X, y = load_diabetes(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    model = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), ElasticNet(max_iter=10_000))
    grid = {"elasticnet__alpha": np.geomspace(0.1, 10.0, 15), "elasticnet__l1_ratio": [0.5, 0.9, 1.0]}
    search = GridSearchCV(model, grid, cv=5).fit(X, y)
    kept = int((search.best_estimator_[-1].coef_ != 0).sum())
    best = search.best_params_
    print(f"best: alpha {best['elasticnet__alpha']:.3g}, l1_ratio {best['elasticnet__l1_ratio']}; {kept} of 65 terms")
    print(f"R2 {search.best_score_:.3f} in cross-validation, {search.score(X_test, y_test):.3f} on the rest")


if __name__ == "__main__":
    main()
