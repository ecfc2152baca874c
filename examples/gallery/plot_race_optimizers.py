r"""
A race out of a saddle
======================

Gradient descent, momentum, AdaGrad, RMSProp and Adam on :math:`f(x) = 5 x_1^2 - \frac12 x_2^2 + \frac14 x_2^4`: a steep
valley along :math:`x_2`, with a saddle at 0 between two minima. All start in the steep wall, almost exactly above the
saddle, where the slope along the valley is a hundred times smaller than that into it.
"""

import numpy as np

import numopt
import numopt.plot


def valley(x):
    return 5 * x[0] ** 2 - 0.5 * x[1] ** 2 + 0.25 * x[1] ** 4, np.array([10 * x[0], x[1] ** 3 - x[1]])


settings = {
    "gradient descent": ("sgd", {"step": 0.05}),
    "momentum": ("momentum", {"step": 0.02}),
    "AdaGrad": ("adagrad", {"step": 0.1}),
    "RMSProp": ("rmsprop", {"step": 0.02}),
    "Adam": ("adam", {"step": 0.05}),
}
runs = [
    numopt.minimize(
        valley, [1.0, 0.02], method=method, jac=True,
        options={"maxiter": 150, "gtol": 1e-4, "return_all": True, "history": True, **options},
    )
    for method, options in settings.values()
]  # fmt: skip
minima = [[0.0, 1.0], [0.0, -1.0]]

# %%
# Gradient descent falls to the bottom of the valley at once and then waits at the saddle. Momentum gathers speed there.
# AdaGrad, RMSProp and Adam divide each slope by the size of the slopes seen before in that variable: the small slope
# along the valley moves them as far as the large one into it, and they leave along a diagonal.

fig, ax = numopt.plot.contour(
    valley, runs, labels=list(settings), minima=minima, xlim=(-1.1, 1.3), ylim=(-1.2, 1.5), log=False
)

# %%
# f above its least value, iteration by iteration; the shelf is the saddle, at 1/4:

fig, ax = numopt.plot.convergence(runs, minimum=-0.25, labels=list(settings))

# %%
# And the race itself:

animation = numopt.plot.race(valley, runs, labels=list(settings), xlim=(-1.1, 1.3), ylim=(-1.2, 1.5), frames=40)

# %%
# How many iterations each needs until half of the way from the saddle to the minimum is done:

left = {name: int(np.argmax(np.array(run.allvecs)[:, 1] > 0.5)) for name, run in zip(settings, runs, strict=True)}
print(left)

assert all(0 < left[name] < left["gradient descent"] for name in ("momentum", "AdaGrad", "RMSProp", "Adam"))
