"""The models at one row, and the derivatives by their parameters there.

A value is ``value(x, *parameters)``; ``gradient(g, x, *parameters)`` sets g.  At the ends of their ranges, such as a
width of zero, functions take their limits: nothing is NaN where the model has a value.
"""

import numpy as np

from numopt.kernels.compiling import kernel
from numopt.models._faddeeva import wofz

_PI, _ISPI, _SQRT2 = np.pi, 1.0 / np.sqrt(np.pi), np.sqrt(2.0)
_FAR = 1e8  # widths of the Gaussian from where a Voigt profile is a Lorentzian to the last digit


@kernel
def constant(x, c):
    return c


@kernel
def constant_gradient(g, x, c):
    g[0] = 1.0


@kernel
def gaussian(x, a, c, s):
    u = (x - c) / s if x != c else 0.0
    return a * np.exp(-0.5 * u * u)


@kernel
def gaussian_gradient(g, x, a, c, s):
    u = (x - c) / s if x != c else 0.0
    e = np.exp(-0.5 * u * u)
    d = a * e * u / s if e != 0.0 and u != 0.0 else 0.0
    g[0], g[1], g[2] = e, d, d * u if d != 0.0 else 0.0


@kernel
def gaussian_2d(x, a, cx, cy, sx, sy, angle):
    cos, sin, tx, ty = np.cos(angle), np.sin(angle), x[0] - cx, x[1] - cy
    u, v = cos * tx + sin * ty, cos * ty - sin * tx
    u = u / sx if u != 0.0 else 0.0
    v = v / sy if v != 0.0 else 0.0
    return a * np.exp(-0.5 * (u * u + v * v))


@kernel
def gaussian_2d_gradient(g, x, a, cx, cy, sx, sy, angle):
    cos, sin, tx, ty = np.cos(angle), np.sin(angle), x[0] - cx, x[1] - cy
    p, q = cos * tx + sin * ty, cos * ty - sin * tx
    u = p / sx if p != 0.0 else 0.0
    v = q / sy if q != 0.0 else 0.0
    e = np.exp(-0.5 * (u * u + v * v))
    f = a * e
    du = f * u / sx if e != 0.0 and u != 0.0 else 0.0
    dv = f * v / sy if e != 0.0 and v != 0.0 else 0.0
    g[0], g[1], g[2] = e, cos * du - sin * dv, sin * du + cos * dv
    g[3] = du * u if du != 0.0 else 0.0
    g[4] = dv * v if dv != 0.0 else 0.0
    g[5] = p * dv - q * du


@kernel
def lorentzian(x, a, c, w):
    u = (x - c) / w if x != c else 0.0
    return a / (1.0 + u * u)


@kernel
def lorentzian_gradient(g, x, a, c, w):
    u = (x - c) / w if x != c else 0.0
    e = 1.0 / (1.0 + u * u)
    d = 2.0 * a * e * (u * e) / w if e != 0.0 and u != 0.0 else 0.0
    g[0], g[1], g[2] = e, d, d * u if d != 0.0 else 0.0


@kernel
def voigt(x, a, c, s, w):
    t, s, w = x - c, abs(s), abs(w)
    if abs(t) + w >= _FAR * s:
        return a * w / (_PI * (t * t + w * w))
    h = 1.0 / (_SQRT2 * s)
    return a * h * _ISPI * wofz(t * h, w * h)[0].real


@kernel
def voigt_gradient(g, x, a, c, s, w):
    # with z = (t + iw) h, h = 1 / (sqrt(2) s), it is a h Re w(z) / sqrt(pi)
    t, signs, signw = x - c, np.copysign(1.0, s), np.copysign(1.0, w)
    s, w = abs(s), abs(w)
    if abs(t) + w >= _FAR * s:
        q = 1.0 / (t * t + w * w)
        g[0] = w * q / _PI
        g[1] = 2.0 * a * t * w * q * q / _PI
        g[2] = signs * a * s * (w * q * q / _PI) * (8.0 * t * t * q - 2.0)  # the heat equation: s d2/dt2
        g[3] = signw * a * (t * t - w * w) * q * q / _PI
        return
    h = 1.0 / (_SQRT2 * s)
    f, df, ddf = wofz(t * h, w * h)
    g[0] = h * _ISPI * f.real
    g[1] = -a * h * h * _ISPI * df.real
    g[2] = -signs * a * h * _ISPI * ddf.real / s
    g[3] = -signw * a * h * h * _ISPI * df.imag


@kernel
def exponential(x, a, k):
    return a * np.exp(-k * x)


@kernel
def exponential_gradient(g, x, a, k):
    e = np.exp(-k * x)
    g[0], g[1] = e, -a * x * e


@kernel
def double_exponential(x, a, k, b, l):
    return a * np.exp(-k * x) + b * np.exp(-l * x)


@kernel
def double_exponential_gradient(g, x, a, k, b, l):
    e, f = np.exp(-k * x), np.exp(-l * x)
    g[0], g[1], g[2], g[3] = e, -a * x * e, f, -b * x * f


@kernel
def power(x, a, b):
    return a * x**b


@kernel
def power_gradient(g, x, a, b):
    p = x**b
    g[0], g[1] = p, a * p * np.log(x) if x != 0.0 else 0.0


@kernel
def logistic(x, a, c, k):
    return a / (1.0 + np.exp(-k * (x - c)))


@kernel
def logistic_gradient(g, x, a, c, k):
    t = x - c
    e = np.exp(-abs(k * t))
    s = (1.0 if k * t >= 0.0 else e) / (1.0 + e)
    d = a * e / ((1.0 + e) * (1.0 + e))
    g[0], g[1], g[2] = s, -k * d, t * d


@kernel
def michaelis_menten(x, v, k):
    return v * (x / (k + x)) if x != 0.0 else 0.0 * v


@kernel
def michaelis_menten_gradient(g, x, v, k):
    q = x / (k + x) if x != 0.0 else 0.0
    g[0], g[1] = q, -v * q / (k + x) if x != 0.0 else 0.0


@kernel
def hill(x, v, k, n):
    # x^n / (k^n + x^n), whose powers may overflow
    return v / (1.0 + np.exp(-n * np.log(x / k))) if x != 0.0 else 0.0 * v


@kernel
def hill_gradient(g, x, v, k, n):
    g[0] = g[1] = g[2] = 0.0
    if x != 0.0:
        z = np.log(x / k)
        e = np.exp(-abs(n * z))
        g[0] = (1.0 if n * z >= 0.0 else e) / (1.0 + e)
        if e != 0.0:
            d = v * e / ((1.0 + e) * (1.0 + e))
            g[1], g[2] = -d * n / k, d * z


@kernel
def sine(x, a, f, phase):
    return a * np.sin(2.0 * _PI * f * x + phase)


@kernel
def sine_gradient(g, x, a, f, phase):
    t = 2.0 * _PI * f * x + phase
    d = a * np.cos(t)
    g[0], g[1], g[2] = np.sin(t), 2.0 * _PI * x * d, d
