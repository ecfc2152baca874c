r"""
Ridge against lasso
===================

Both keep the loss small within a ball: ridge within :math:`\|w\|_2 \le t`, the lasso within
:math:`\|w\|_1 \le t`. The solution is where the smallest level line of the loss meets the ball. The lasso's ball has
corners, and where a corner is met a coefficient is zero.
"""

import matplotlib.pyplot as plt
import numpy as np

from numopt.linear_model import Lasso, LinearRegression, Ridge

rng = np.random.default_rng(0)
X = rng.standard_normal((80, 2)) @ [[1.0, 0.4], [0.0, 0.8]]
y = X @ [0.6, 2.0] + 0.5 * rng.standard_normal(80)
free = LinearRegression(fit_intercept=False).fit(X, y).coef_
fits = {
    "ridge": Ridge(alpha=60.0, fit_intercept=False).fit(X, y).coef_,
    "lasso": Lasso(alpha=0.75, fit_intercept=False, tol=1e-10).fit(X, y).coef_,
}
assert fits["lasso"][0] == 0 and (fits["ridge"] != 0).all()

# %%
# At each solution the level line touches the ball.

a, b = np.meshgrid(np.linspace(-1.6, 2.4, 300), np.linspace(-1.6, 2.6, 300))
loss = ((y[:, None, None] - X[:, 0, None, None] * a - X[:, 1, None, None] * b) ** 2).mean(axis=0) / 2
angle = np.linspace(0, 2 * np.pi, 400)
circle = np.array([np.cos(angle), np.sin(angle)])
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True)
for ax, (name, w) in zip(axes, fits.items(), strict=True):
    order = 2 if name == "ridge" else 1
    ball = np.linalg.norm(w, order) * circle / np.linalg.norm(circle, order, axis=0)
    ax.fill(*ball, color="0.88")
    touching = ((y - X @ w) ** 2).mean() / 2
    least = ((y - X @ free) ** 2).mean() / 2
    ax.contour(a, b, loss, levels=least + (touching - least) * np.array([0.05, 0.3, 1.0, 1.8]), cmap="viridis")
    ax.plot(*free, "k+", label="least squares")
    ax.plot(*w, "ro", label=f"{name}: ({w[0]:.2f}, {w[1]:.2f})")
    ax.axhline(0, color="0.6", linewidth=0.6)
    ax.axvline(0, color="0.6", linewidth=0.6)
    ax.set(aspect="equal", title=name, xlabel="$w_1$")
    ax.legend(loc="lower right", fontsize="small")
axes[0].set_ylabel("$w_2$")
fig.tight_layout()
