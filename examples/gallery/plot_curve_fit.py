r"""
How sure is a fit?
==================

The rate of an enzymatic reaction over the concentration of its substrate follows the Michaelis-Menten law,
:math:`v = v_{max}\, x / (k + x)`. The data are those of Bates & Watts (Nonlinear Regression Analysis and Its
Applications, 1988, A1.3). A fit gives two numbers; the bands show how well they are known: the inner one is where the
curve is, the outer one where a new observation is, each with 95 % at any one x.
"""

import matplotlib.pyplot as plt
import numpy as np

import numopt

x = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1])
y = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])


def michaelis_menten(x, vmax, k):
    """The rate at substrate concentration x."""
    return vmax * x / (k + x)


fit = numopt.curve_fit(michaelis_menten, x, y, p0=[200.0, 0.1])
fig, axes = fit.plot()
print(fit)

# %%
# Standard errors take the model for linear near its minimum. The profile of a parameter does not: it holds the
# parameter, fits the other, and looks at how much the sum of squares rises. For :math:`k` the rise is steeper to the
# left than to the right, so that its interval is not symmetric; the parabola of the standard error misses that.

wald, profile = (fit.confidence_intervals(method=method)["k"] for method in ("wald", "profile"))
k, error = fit.params["k"], fit.stderr[1]
grid = np.linspace(k - 3 * error, k + 3.5 * error, 120)
rise = [2 * (fit.refit({1: held}, np.array([fit.popt[0], held]))[1] - fit.cost) / fit.noise_variance for held in grid]

fig, ax = plt.subplots(figsize=(7, 4.5))
ax.plot(grid, rise, label="profile")
ax.plot(grid, ((grid - k) / error) ** 2, linestyle="--", label="standard error")
ax.axhline(((wald.upper - k) / error) ** 2, color="0.5", linewidth=0.8)
ax.plot(profile, [((wald.upper - k) / error) ** 2] * 2, "o", color="C0", label="95 % interval")
ax.set(xlabel="k", ylabel="rise of the sum of squares, over the variance", ylim=(0, 12))
ax.legend()
fig.tight_layout()

assert wald.lower < profile.lower < k < wald.upper < profile.upper
