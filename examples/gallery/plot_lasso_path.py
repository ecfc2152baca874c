r"""
The path of the lasso
=====================

The coefficients that minimise :math:`\frac{1}{2n}\|y - Xw - b\|^2 + \alpha \|w\|_1` are piecewise linear in
:math:`\alpha`: they leave zero one after another as the penalty falls. On the diabetes data, with the features
standardised, the ten enter in an order that says which of them explain most (Hastie, Tibshirani & Friedman, The
Elements of Statistical Learning, 2nd ed., section 3.4).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from numopt.linear_model import LassoCV, lasso_path

data = load_diabetes()
X, y = StandardScaler().fit_transform(data.data), data.target - data.target.mean()
alphas, coefs, gaps = lasso_path(X, y, alphas=200, tol=1e-10)
assert (gaps <= 1e-10 * y.var()).all()

# %%
# The dashed line is the penalty that cross-validation chooses.

chosen = LassoCV(tol=1e-8).fit(X, y).alpha_
fig, ax = plt.subplots(figsize=(7, 4.5))
for name, path in zip(data.feature_names, coefs, strict=True):
    ax.plot(alphas, path, label=name)
ax.axvline(chosen, color="0.4", linestyle="--")
ax.set(xscale="log", xlabel=r"$\alpha$", ylabel="coefficient")
ax.invert_xaxis()
ax.legend(ncols=2, fontsize="small", loc="lower left")
fig.tight_layout()

# %%
# From one kink to the next every coefficient is a straight line in :math:`\alpha`.

fig, ax = plt.subplots(figsize=(7, 4.5))
grid = np.linspace(45, 0.1, 300)
for name, path in zip(data.feature_names, lasso_path(X, y, alphas=grid, tol=1e-10)[1], strict=True):
    ax.plot(grid, path, label=name)
ax.set(xlabel=r"$\alpha$", ylabel="coefficient")
ax.invert_xaxis()
fig.tight_layout()
