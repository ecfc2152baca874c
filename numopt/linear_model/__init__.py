"""Linear models with scikit-learn's interface, over numopt's compiled solvers."""

from numopt.linear_model._code import loading
from numopt.linear_model._constrained_lasso import ConstrainedLasso
from numopt.linear_model._constrained_regression import ConstrainedLinearRegression
from numopt.linear_model._constrained_ridge import ConstrainedRidge
from numopt.linear_model._elastic_net import ElasticNet, Lasso
from numopt.linear_model._elastic_net_cv import ElasticNetCV, LassoCV
from numopt.linear_model._glm import PoissonRegressor
from numopt.linear_model._group_lasso import GroupLasso, MultiTaskElasticNet, MultiTaskLasso
from numopt.linear_model._huber import HuberRegressor
from numopt.linear_model._least_squares import LinearRegression
from numopt.linear_model._logistic import LogisticRegression
from numopt.linear_model._logistic_cv import LogisticRegressionCV
from numopt.linear_model._paths import enet_path, lasso_path
from numopt.linear_model._ridge import Ridge
from numopt.linear_model._ridge_classifier import RidgeClassifier
from numopt.linear_model._ridge_cv import RidgeClassifierCV, RidgeCV

__all__ = [
    "ConstrainedLasso",
    "ConstrainedLinearRegression",
    "ConstrainedRidge",
    "ElasticNet",
    "ElasticNetCV",
    "GroupLasso",
    "HuberRegressor",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MultiTaskElasticNet",
    "MultiTaskLasso",
    "PoissonRegressor",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "enet_path",
    "lasso_path",
]

loading.join()  # so that no thread outlives the import, across a fork
