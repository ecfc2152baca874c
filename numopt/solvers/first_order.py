r"""First-order methods: rules for the step, with a learning rate, for plain functions and for sums in minibatches.

=====================  ================================================================================================
sgd                    x+ = x - lr g
momentum               v+ = mu v - lr g, x+ = x + v+  (heavy ball)
nesterov               v+ = mu v - lr grad f(x + mu v); what is kept as x is the point x + mu v
adagrad                r+ = r + g², x+ = x - lr g / (sqrt(r+) + eps)
adadelta               r+ = rho r + (1 - rho) g², d = g sqrt(u + eps) / sqrt(r+ + eps), u+ = rho u + (1 - rho) d²,
                       x+ = x - lr d
rmsprop                r+ = rho r + (1 - rho) g², x+ = x - lr g / (sqrt(r+) + eps)
rmsprop-nesterov       Nesterov's step with g / (sqrt(r+) + eps) in the place of g
adam                   m+ = b1 m + (1 - b1) g, v+ = b2 v + (1 - b2) g²,
                       x+ = x - lr m^ / (sqrt(v^) + eps), m^ = m+ / (1 - b1^t), v^ = v+ / (1 - b2^t)
adamw                  the same after x <- (1 - lr decay) x
adamax                 u+ = max(b2 u, abs(g) + eps), x+ = x - lr m^ / u+
nadam                  Adam with Nesterov's look ahead, mu_t = b1 (1 - 0.96^(0.004 t) / 2)
amsgrad                Adam with the largest v+ so far in the place of v+
delta-bar-delta        a gain for each variable: gain_up more while g keeps its sign against the average of g, times
                       1 - gain_down where it does not; x+ = x - lr gain g
=====================  ================================================================================================

With n terms, f = mean of f_i, a step is an epoch: the terms in a new order, batch after batch, an update after each;
then f itself, by which the run is judged.  Without terms, or with all of them in one batch, a step is one update.  The
order follows from the seed and the number of the epoch alone.  See docs/stochastic.md.

The point w of the updates is kept in ``D``, the average of the points in ``X_LOW``; the trial point is the average
where there is one, else w.  An evaluation that is cut off leaves all as it stood after the last update:
``c[POSITION]`` counts those of the step.

References
----------
I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, chapter 8.
R. A. Jacobs, Increased rates of convergence through learning rate adaptation, Neural Networks 1 (1988), 295-307.
J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods, J. Mach. Learn. Res. 12 (2011), 2121-2159.
M. D. Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701.
D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
T. Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
S. J. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, ICLR 2018.
I. Loshchilov, F. Hutter, Decoupled weight decay regularization, ICLR 2019.
I. Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013.
B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging, SIAM J. Control Optim. 30 (1992),
838-855.
"""

from numba import carray, types
from numba.extending import overload

from numopt.drivers.loop import make_run
from numopt.kernels import first_order_slots as o
from numopt.kernels.bounds import project
from numopt.kernels.compiling import kernel
from numopt.kernels.first_order import average, begin_update, clip, init_rule, stop_at_zero, update
from numopt.kernels.oracle import call1, evaluate, lower_bounds, upper_bounds, vector, void_pointer
from numopt.kernels.points import advance, uniform
from numopt.kernels.slots import (
    A_BATCHES,
    ABORT,
    ACCEPT,
    AVERAGE,
    AVERAGE_DECAY,
    AVERAGE_START,
    BATCH,
    BOUNDED,
    CLIP_NORM,
    CLIP_VALUE,
    DECAY,
    DROP,
    DROP_EVERY,
    F_TRIAL,
    FAILED,
    FIRST_ORDER,
    FLAT,
    FRESH,
    G_LOW,
    L1,
    LOWEST,
    MOMENTUM,
    N_COMMON,
    N_TABLE,
    N_TERMS,
    NIT,
    PARITY,
    PATIENCE,
    POSITION,
    SHUFFLE,
    STEP,
    UNBOUNDED_BELOW,
    VARIANT,
    WAITED,
    X_LOW,
    D,
    F,
    G,
    N,
    T,
    X,
)
from numopt.kernels.vectors import copy

# the words at A_BATCHES: addresses of the three words (address, length, stride) of the array of indices that the user's
# function is called with, of all indices in order, and of the epoch's order; the epoch that it is the order of; the
# address of the user's schedule
INDICES, WHOLE, ORDER, EPOCH, SCHEDULE = range(5)
N_WORDS = 5


@kernel
def _batches(c):
    """Updates of an epoch."""
    if c[N_TERMS] == 0 or c[BATCH] == 0:
        return 1
    return (c[N_TERMS] + c[BATCH] - 1) // c[BATCH]


@kernel
def _read(c, p, h):
    """The options that other methods have too, and the clock of the schedules, into the block of the rules."""
    h[o.LR_INIT], h[o.MOMENTUM], h[o.KAPPA] = p[STEP], p[MOMENTUM], p[DECAY]
    h[o.DROP], h[o.DROP_EVERY] = p[DROP], p[DROP_EVERY]
    h[o.PER_EPOCH], h[o.UNIT] = float(_batches(c)), 1.0


@kernel
def init(R):
    """As before the first update."""
    c, p = R.c, R.p
    n = c[N]
    s = R.w[N_COMMON * n : (N_COMMON + o.N_VECTORS[c[VARIANT]]) * n]
    init_rule(c[VARIANT], n, s, p[FIRST_ORDER : FIRST_ORDER + o.N_H])
    copy(vector(R, X + c[PARITY]), vector(R, D))
    c[FRESH], c[POSITION], c[WAITED] = 1, 0, 0
    p[LOWEST] = p[F]


@kernel
def _address(R):
    """The words at A_BATCHES."""
    table = carray(void_pointer(types.intp(R.table)), (N_TABLE,), types.intp)
    return carray(void_pointer(table[A_BATCHES]), (N_WORDS,), types.intp)


@kernel
def _shuffle(c, k):
    """Put the terms in the order of this epoch (Fisher and Yates), unless they are; ``k``: the words at A_BATCHES."""
    if k[EPOCH] == c[NIT]:
        return
    order = carray(void_pointer(k[ORDER]), (c[N_TERMS],), types.int64)
    for i in range(order.size):
        order[i] = i
    # each epoch has a stream of its own, which begins at a number that seed and epoch decide
    state = advance(c[SHUFFLE])
    state = advance(types.int64(uniform(state) * 2.0**52) * 4096 + c[NIT])
    state = types.int64(uniform(state) * 2.0**52) * 4096
    for i in range(order.size - 1, 0, -1):
        state = advance(state)
        j = types.int64(uniform(state) * (i + 1))
        order[i], order[j] = order[j], order[i]
    k[EPOCH] = c[NIT]


def use_terms(R, first):
    """Let the user's function see the batch that begins with term ``first`` of this epoch's order, or (-1) all terms.

    Terms, and schedules of the user's, are the front doors' alone: where the callables are no addresses there are none.
    """


@overload(use_terms, target="generic")
def _use_terms(R, first):
    if not isinstance(R.types[0], types.Integer):
        return lambda R, first: None

    def use(R, first):
        c, k = R.c, _address(R)
        seen = carray(void_pointer(k[INDICES]), (2,), types.intp)
        if first < 0:
            seen[0], seen[1] = k[WHOLE], c[N_TERMS]
        else:
            _shuffle(c, k)
            seen[0], seen[1] = k[ORDER] + 8 * first, min(c[BATCH], c[N_TERMS] - first)

    return use


def users_rate(R, t):
    """The learning rate of the user's schedule for update t."""
    return 0.0


@overload(users_rate, target="generic")
def _users_rate(R, t):
    if not isinstance(R.types[0], types.Integer):
        return lambda R, t: 0.0
    return lambda R, t: call1(_address(R)[SCHEDULE], types.intp(t))


@kernel
def _update(R, w, g, scratch):
    """One update of w by the gradient g; False where the user's schedule failed, before anything is changed."""
    c, p = R.c, R.p
    h, n = p[FIRST_ORDER : FIRST_ORDER + o.N_H], c[N]
    if h[o.SCHEDULE] == o.GIVEN:
        lr = users_rate(R, h[o.T])
        if c[ABORT] != 0:
            return False
        h[o.FACTOR] = lr
    slope = g
    if p[CLIP_NORM] < float("inf") or p[CLIP_VALUE] < float("inf"):
        slope = vector(R, G_LOW)  # g is the gradient at x, which stays
        copy(g, slope)
        clip(slope, p[CLIP_VALUE], p[CLIP_NORM])
    s = R.w[N_COMMON * n :]
    begin_update(c[VARIANT], h)
    if p[L1] > 0.0:
        copy(w, scratch)
    update(c[VARIANT], w, slope, s, 0, n, h, True)
    if p[L1] > 0.0:
        stop_at_zero(c[VARIANT], w, scratch, s)
    if c[BOUNDED] != 0:
        project(w, lower_bounds(R), upper_bounds(R))
    if c[AVERAGE] != 0:
        average(c[AVERAGE], h[o.T] - c[AVERAGE_START], p[AVERAGE_DECAY], w, vector(R, X_LOW))
    return True


@kernel
def _adapt(c, p, h, f):
    """The learning rate of 'adaptive': times ``drop`` after ``patience`` steps without a lower f."""
    c[WAITED] += 1
    if f < p[LOWEST]:
        p[LOWEST], c[WAITED] = f, 0
    if c[WAITED] >= c[PATIENCE]:
        h[o.FACTOR] *= p[DROP]
        c[WAITED] = 0


@kernel
def step(R):
    """One update, or the updates of one epoch."""
    c, p = R.c, R.p
    h = p[FIRST_ORDER : FIRST_ORDER + o.N_H]
    _read(c, p, h)
    w = vector(R, D)
    g, xt, gt = vector(R, G + c[PARITY]), vector(R, X + 1 - c[PARITY]), vector(R, G + 1 - c[PARITY])
    batches = _batches(c)
    if batches == 1 and c[AVERAGE] == 0:
        if c[POSITION] == 0:
            if not _update(R, w, g, xt):
                return FAILED
            c[POSITION] = 1
    else:
        while c[POSITION] < batches:
            if batches > 1:
                use_terms(R, c[POSITION] * c[BATCH])
            f = evaluate(R, w, gt)
            if c[ABORT] != 0:
                return FAILED
            if not abs(f) < float("inf"):
                p[F_TRIAL] = f
                return FAILED
            if not _update(R, w, gt, xt):
                return FAILED
            c[POSITION] += 1
        if batches > 1:
            use_terms(R, -1)
    if c[AVERAGE] != 0 and h[o.T] > c[AVERAGE_START]:
        copy(vector(R, X_LOW), xt)
    else:
        copy(w, xt)
    f = evaluate(R, xt, gt)
    if c[ABORT] != 0:
        return FAILED
    p[F_TRIAL] = f
    if f == float("-inf"):
        p[T] = 1.0
        return UNBOUNDED_BELOW
    if not abs(f) < float("inf"):
        return FAILED
    if h[o.LR] == 0.0:
        return FLAT  # the schedule has come to its end
    p[T] = h[o.LR]
    if h[o.SCHEDULE] == o.ADAPTIVE:
        _adapt(c, p, h, f)
    c[POSITION] = 0
    return ACCEPT


run = make_run(init, step)
