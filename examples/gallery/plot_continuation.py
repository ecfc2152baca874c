r"""
A path through blurred landscapes
=================================

Rastrigin's function has a minimum near each point with integer coordinates. Blurred by a Gaussian of width
:math:`\sigma`, :math:`f_\sigma(x) = E\, f(x + \sigma u)`, its waves shrink by the factor
:math:`\exp(-2 \pi^2 \sigma^2)`, and its bowl stays: one valley is left from :math:`\sigma = 0.52` on. Continuation
minimises blur after blur, each from the answer of the last, and f itself at the end.
"""

import matplotlib.pyplot as plt
import numpy as np

import numopt


def rastrigin(x):
    return (x**2 + 10 - 10 * np.cos(2 * np.pi * x)).sum(), 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)


def blurred(x, sigma):
    waves = np.exp(-2 * np.pi**2 * sigma**2) * np.cos(2 * np.pi * x)
    return (x**2 + sigma**2 + 10 - 10 * waves).sum(axis=-1)


start, sigmas = np.array([3.3, -2.2]), [1.0, 0.6, 0.4, 0.2]
path = numopt.continuation(rastrigin, start, jac=True, sigmas=sigmas, n_samples=256, random_state=0)
plain = numopt.minimize(rastrigin, start, jac=True)

# %%
# A cut through the landscape, blurred less and less from top to bottom, with the start of each stage (open)
# and its answer (filled). Each stage starts where the last has ended; the first one does most of the way.

stages = path.stages
t = np.linspace(-4.5, 4.5, 600)
fig, axes = plt.subplots(len(stages), 1, figsize=(7, 9), sharex=True, layout="constrained")
here = start
for ax, stage in zip(axes, stages, strict=True):
    sigma = stage["sigma"][0]
    ax.plot(t, blurred(np.column_stack([t, 0 * t]), sigma), color="0.4")
    for x, face in ((here, "none"), (stage["x"], "C3")):
        ax.plot(x[0], blurred(np.array([x[0], 0.0]), sigma), "o", color="C3", markerfacecolor=face, markersize=8)
    ax.set_ylabel(rf"$\sigma = {sigma:g}$")
    here = stage["x"]
axes[0].set_title("first coordinate of the path: start (open) and answer (filled) of each stage")
axes[-1].set_xlabel("$x_1$, with $x_2 = 0$")

# %%
# The same in the plane: contours of the blurs, and the path on them. The local method without a blur ends in the
# valley that it starts in, or a neighbouring one.

fig, axes = plt.subplots(1, 3, figsize=(10, 4), sharey=True, layout="constrained")
grid = np.linspace(-4.5, 4.5, 200)
points = np.stack(np.meshgrid(grid, grid), axis=-1)
for ax, sigma in zip(axes, (1.0, 0.2, 0.0), strict=True):
    ax.contourf(grid, grid, blurred(points, sigma), 20, cmap="viridis")
    k = int(np.argmin(np.abs(stages["sigma"][:, 0] - sigma)))
    track = np.vstack([start, stages["x"][: k + 1]])
    ax.plot(*track.T, "o-", color="white", markersize=5)
    ax.set(title=rf"$\sigma = {sigma:g}$", aspect="equal", xlabel="$x_1$")
axes[0].set_ylabel("$x_2$")
axes[2].plot(*plain.x, "X", color="C3", markersize=10, label=f"without a blur: f = {plain.fun:.1f}")
axes[2].legend(loc="lower right", fontsize=8)

print(f"minimize ends at {plain.x.round(3)} with f = {plain.fun:.3f} after {plain.nfev} evaluations")
print(f"continuation at {path.x.round(3)} with f = {path.fun:.1e} after {path.nfev}")

assert path.fun < 1e-8 and plain.fun > 5 and len(path.stages) == len(sigmas) + 1
