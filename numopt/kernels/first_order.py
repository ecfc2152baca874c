r"""First-order rules: how the weights w follow from gradients g, entry by entry.

========================  ==============================================================================================
sgd                       w+ = w - lr g
momentum                  v+ = mu v - lr g, w+ = w + v+
nesterov                  the same v+; w+ = w + mu v+ - lr g  (w stands for the point looked ahead to)
adagrad                   r+ = r + g^2, w+ = w - lr g / (sqrt(r+) + eps)
adadelta                  r+ = rho r + (1 - rho) g^2, d = g sqrt(u + eps) / sqrt(r+ + eps),
                          u+ = rho u + (1 - rho) d^2, w+ = w - lr d
rmsprop                   r+ = rho r + (1 - rho) g^2, w+ = w - lr g / (sqrt(r+) + eps)
rmsprop-nesterov          Nesterov's step with g / (sqrt(r+) + eps) in the place of g
adam                      m+ = b1 m + (1 - b1) g, v+ = b2 v + (1 - b2) g^2, w+ = w - lr m^ / (sqrt(v^) + eps) with
                          m^ = m+ / (1 - b1^t), v^ = v+ / (1 - b2^t)
adamw                     the same after w <- (1 - lr decay) w
adamax                    u+ = max(b2 u, |g| + eps), w+ = w - lr m^ / u+
nadam                     Adam with Nesterov's look ahead, mu_t = b1 (1 - 0.96^(0.004 t) / 2)
amsgrad                   Adam with the largest v+ so far in the place of v+
delta-bar-delta           a gain for each weight: k more while g keeps its sign against the average of g, times 1 - phi
                          where it does not; w+ = w - lr gain g
========================  ==============================================================================================

:func:`init_rule` sets the vectors and scalars of a rule, :func:`begin_update` is called once before each update,
:func:`update` for ranges of the entries, in any order and on any thread: the entries know nothing of each other.

References
----------
I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, chapter 8.
R. A. Jacobs, Increased rates of convergence through learning rate adaptation, Neural Networks 1 (1988), 295-307.
J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, J. Mach. Learn. Res. 12 (2011), 2121-2159.
M. D. Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701.
D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015 (Adam, algorithm 1; Adamax, algorithm 2).
T. Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
S. J. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, ICLR 2018 (AMSGrad).
I. Loshchilov, F. Hutter, Decoupled weight decay regularization, ICLR 2019 (AdamW).
"""

import math

from numopt.kernels import first_order_slots as o
from numopt.kernels.compiling import kernel
from numopt.kernels.vectors import copy, dot


@kernel
def learning_rate(h):
    """The schedule at update T; epochs are T / PER_EPOCH, whole ones where the schedule goes by steps."""
    t = h[o.T] / h[o.PER_EPOCH]
    schedule, lr = h[o.SCHEDULE], h[o.LR_INIT]
    if schedule == o.INVERSE_TIME:
        lr /= 1.0 + h[o.KAPPA] * t
    elif schedule == o.STEPWISE:
        lr *= h[o.DROP] ** math.floor(t / h[o.DROP_EVERY])
    elif schedule == o.EXPONENTIAL:
        lr *= h[o.GAMMA] ** t
    elif schedule == o.COSINE:
        lr = h[o.LR_MIN] + 0.5 * (lr - h[o.LR_MIN]) * (1.0 + math.cos(math.pi * min(t / h[o.PERIOD], 1.0)))
    elif schedule == o.INVSCALING:
        epochs = math.floor(t)
        if epochs > 0.0:
            lr /= (h[o.UNIT] * epochs + 1.0) ** h[o.POWER_T]
    elif schedule == o.ADAPTIVE:
        lr *= h[o.FACTOR]
    elif schedule == o.GIVEN:
        lr = h[o.FACTOR]
    if t < h[o.WARMUP]:
        lr *= min(1.0, (t + 1.0 / h[o.PER_EPOCH]) / h[o.WARMUP])
    return lr


@kernel
def init_rule(rule, n, s, h):
    """Set the vectors s (one after another, n each) and the state in h as before the first update."""
    for i in range(s.size):
        s[i] = 0.0
    if rule == o.DELTA_BAR_DELTA:
        for i in range(n):
            s[i] = 1.0
    h[o.T], h[o.FACTOR], h[o.MU_PRODUCT] = 0.0, 1.0, 1.0


@kernel
def begin_update(rule, h):
    """Sets the learning rate and the factors of this update in h, and counts it."""
    h[o.LR] = learning_rate(h)
    h[o.T] += 1.0
    t, b1, b2 = h[o.T], h[o.BETA_1], h[o.BETA_2]
    h[o.STEP], h[o.EPS_T] = h[o.LR], h[o.EPSILON]
    if rule == o.ADAM or rule == o.ADAMW or rule == o.AMSGRAD or rule == o.NADAM:
        root = math.sqrt(1.0 - b2**t)
        if h[o.EPSILON_HAT] == 0.0:
            h[o.EPS_T] *= root
        h[o.STEP] = h[o.LR] * root
        if rule == o.NADAM:
            mu, mu_next = b1 * (1.0 - 0.5 * 0.96 ** (0.004 * t)), b1 * (1.0 - 0.5 * 0.96 ** (0.004 * (t + 1.0)))
            h[o.MU_PRODUCT] *= mu
            h[o.C_G] = h[o.STEP] * (1.0 - mu) / (1.0 - h[o.MU_PRODUCT])
            h[o.C_M] = h[o.STEP] * mu_next / (1.0 - h[o.MU_PRODUCT] * mu_next)
        else:
            h[o.STEP] /= 1.0 - b1**t
    elif rule == o.ADAMAX:
        h[o.STEP] = h[o.LR] / (1.0 - b1**t)


@kernel
def update(rule, w, g, s, lo, hi, h, decay):
    """Sets the entries lo to hi of w and of the vectors s; ``decay``: whether AdamW decays these entries."""
    n, real = w.size, w.dtype.type
    lr, mu, eps = real(h[o.LR]), real(h[o.MOMENTUM]), real(h[o.EPS_T])
    b1, b2, rho, step = real(h[o.BETA_1]), real(h[o.BETA_2]), real(h[o.RHO]), real(h[o.STEP])
    # 1 - beta in double precision: in single precision 1 - 0.999 is off by 1e-5
    c1, c2, c_rho = real(1.0 - h[o.BETA_1]), real(1.0 - h[o.BETA_2]), real(1.0 - h[o.RHO])
    a, b, c = s[lo:hi], s[n + lo : n + hi], s[2 * n + lo : 2 * n + hi]
    w, g = w[lo:hi], g[lo:hi]
    if rule == o.SGD:
        for i in range(w.size):
            w[i] -= lr * g[i]
    elif rule == o.MOMENTUM_RULE:
        for i in range(w.size):
            a[i] = mu * a[i] - lr * g[i]
            w[i] += a[i]
    elif rule == o.NESTEROV:
        for i in range(w.size):
            a[i] = mu * a[i] - lr * g[i]
            w[i] += mu * a[i] - lr * g[i]
    elif rule == o.ADAGRAD:
        for i in range(w.size):
            a[i] += g[i] * g[i]
            w[i] -= lr * g[i] / (math.sqrt(a[i]) + eps)
    elif rule == o.ADADELTA:
        for i in range(w.size):
            a[i] = rho * a[i] + c_rho * g[i] * g[i]
            d = g[i] * math.sqrt(b[i] + eps) / math.sqrt(a[i] + eps)
            b[i] = rho * b[i] + c_rho * d * d
            w[i] -= lr * d
    elif rule == o.RMSPROP:
        for i in range(w.size):
            a[i] = rho * a[i] + c_rho * g[i] * g[i]
            w[i] -= lr * g[i] / (math.sqrt(a[i]) + eps)
    elif rule == o.RMSPROP_NESTEROV:
        for i in range(w.size):
            a[i] = rho * a[i] + c_rho * g[i] * g[i]
            d = lr * g[i] / (math.sqrt(a[i]) + eps)
            b[i] = mu * b[i] - d
            w[i] += mu * b[i] - d
    elif rule == o.ADAM or rule == o.ADAMW:
        if rule == o.ADAMW and decay:
            keep = real(1.0 - h[o.LR] * h[o.WEIGHT_DECAY])
            for i in range(w.size):
                w[i] *= keep
        for i in range(w.size):
            a[i] = b1 * a[i] + c1 * g[i]
            b[i] = b2 * b[i] + c2 * g[i] * g[i]
            w[i] -= step * a[i] / (math.sqrt(b[i]) + eps)
    elif rule == o.ADAMAX:
        for i in range(w.size):
            a[i] = b1 * a[i] + c1 * g[i]
            b[i] = max(b2 * b[i], abs(g[i]) + eps)
            w[i] -= step * a[i] / b[i]
    elif rule == o.NADAM:
        cm, cg = real(h[o.C_M]), real(h[o.C_G])
        for i in range(w.size):
            a[i] = b1 * a[i] + c1 * g[i]
            b[i] = b2 * b[i] + c2 * g[i] * g[i]
            w[i] -= (cm * a[i] + cg * g[i]) / (math.sqrt(b[i]) + eps)
    elif rule == o.AMSGRAD:
        for i in range(w.size):
            a[i] = b1 * a[i] + c1 * g[i]
            b[i] = b2 * b[i] + c2 * g[i] * g[i]
            c[i] = max(c[i], b[i])
            w[i] -= step * a[i] / (math.sqrt(c[i]) + eps)
    elif rule == o.DELTA_BAR_DELTA:
        up, down = real(h[o.GAIN_UP]), real(1.0 - h[o.GAIN_DOWN])
        for i in range(w.size):
            agree = b[i] * g[i]
            lower = a[i] * down if agree < 0.0 else a[i]  # chosen, not branched to: that keeps the loop in vectors
            a[i] = a[i] + up if agree > 0.0 else lower
            b[i] = rho * b[i] + c_rho * g[i]
            w[i] -= lr * a[i] * g[i]


@kernel
def clip(g, value, length):
    """Cut the components of g off at ``value``, then shorten g to ``length``; infinite: as it is."""
    if value < float("inf"):
        for i in range(g.size):
            g[i] = min(max(g[i], -value), value)
    if length < float("inf"):
        norm = math.sqrt(dot(g, g))
        if norm > length:
            for i in range(g.size):
                g[i] *= length / norm


@kernel
def stop_at_zero(rule, w, before, s):
    """Set to zero what an update took from one sign to the other, and the velocity with which it came.

    What was at zero may leave it.  So weights under an L1 term become zero exactly, whatever the rule's metric.
    """
    n = w.size
    velocity = -1
    if rule == o.RMSPROP_NESTEROV:
        velocity = n
    elif rule == o.MOMENTUM_RULE or rule == o.NESTEROV or (o.ADAM <= rule and rule <= o.AMSGRAD):
        velocity = 0
    for i in range(n):
        if before[i] * w[i] < 0.0:
            w[i] = 0.0
            if velocity >= 0:
                s[velocity + i] = 0.0


@kernel
def average(kind, k, decay, w, mean):
    """Take w, the k-th from the first that counts on (k < 1: not yet), into the mean: 1 plain, 2 exponential."""
    if k <= 1.0:
        copy(w, mean)
        return
    share = 1.0 / k if kind == 1 else 1.0 - decay
    for i in range(w.size):
        mean[i] += share * (w[i] - mean[i])
