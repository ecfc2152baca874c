"""Second derivatives of networks: products with the Hessian and the Gauss-Newton matrix, Jacobians of the outputs."""

import numpy as np
import pytest
import scipy.sparse as sp

from numopt.network._network import ACTIVATIONS, LOSSES, Network
from numopt.network.curvature import HessianProduct, OutputJacobian

KINKED = ("relu", "leaky_relu")
N, K = 37, 3  # rows: more than a block, not a multiple of one


def problem(loss, activations, sparse=False, dtype=np.float64, sizes=(5, 7, 6, K), seed=0):
    rng = np.random.default_rng(seed)
    network = Network(sizes, activations, loss, sparse=sparse, dtype=dtype)
    network.theta[:] = 0.5 * rng.normal(size=network.n_params)
    X = rng.normal(size=(N, sizes[0])).astype(dtype)
    if sparse:
        X = sp.csr_matrix(X * (rng.random(X.shape) < 0.5))
    if loss == "log_loss":
        Y = rng.integers(K, size=N)
    elif loss == "binary_log_loss":
        Y = (rng.random((N, K)) < 0.5).astype(dtype)
    else:
        Y = rng.poisson(2.0, size=(N, K)).astype(dtype)
    return network, X, Y, (0.1 + rng.random(N)).astype(dtype), rng.normal(size=network.n_params).astype(dtype)


def gradient_along(network, args, v, t):
    """The gradient at theta + t v."""
    theta, g = network.theta.copy(), np.empty_like(network.theta)
    network.theta[:] = theta + t * v
    network.value_grad(*args, grad=g)
    network.theta[:] = theta
    return g


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_hessian_times_vector_is_the_derivative_of_the_gradient(loss, activation, sparse):
    network, X, Y, weight, v = problem(loss, activation, sparse)
    args, out, grad, g = (X, Y, weight, 0.3), np.empty_like(v), np.empty_like(v), np.empty_like(v)
    f = HessianProduct(network, *args)(v, out, grad)
    assert f == pytest.approx(network.value_grad(*args, grad=g), rel=1e-12)
    np.testing.assert_allclose(grad, g, rtol=0, atol=1e-12 * abs(g).max())
    h = 1e-7 if activation in KINKED or loss == "absolute_error" else 1e-5  # short, not to step over a kink
    difference = (gradient_along(network, args, v, h) - gradient_along(network, args, v, -h)) / (2 * h)
    np.testing.assert_allclose(out, difference, rtol=0, atol=2e-7 * abs(difference).max())
    network.hessp(X, Y, v, grad, weight, 0.3)
    np.testing.assert_array_equal(grad, out)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_jacobian_of_the_outputs(activation, sparse):
    network, X, _, weight, v = problem("squared_error", activation, sparse)
    J = np.empty((N, K, network.n_params))
    z = OutputJacobian(network, X, weight)(J)
    np.testing.assert_allclose(z, network.predict(X) * weight[:, None], rtol=1e-12, atol=1e-14)
    theta, h = network.theta.copy(), 1e-7 if activation in KINKED else 1e-5
    network.theta[:] = theta + h * v
    above = network.predict(X)
    network.theta[:] = theta - h * v
    slope = (above - network.predict(X)) / (2 * h) * weight[:, None]
    np.testing.assert_allclose(J @ v, slope, rtol=0, atol=2e-7 * abs(slope).max())


@pytest.mark.parametrize("loss", ["log_loss", "poisson", "squared_error"])
def test_gauss_newton_product(loss):
    network, X, Y, weight, v = problem(loss, "tanh")
    J, out = np.empty((N, K, network.n_params)), np.empty_like(v)
    z = network.residual_jacobian(X, J)
    if loss == "log_loss":
        p = network.predict(X)
        B = p[:, :, None] * (np.eye(K) - p[:, None, :])
    else:
        B = np.eye(K) * (np.exp(z) if loss == "poisson" else np.ones_like(z))[:, None, :]
    expected = np.einsum("n,nip,nij,njq,q->p", weight, J, B, J, v, optimize=True) / weight.sum()
    HessianProduct(network, X, Y, weight)(v, out, gauss_newton=True)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12 * abs(expected).max())


def test_hessian_matrix_is_symmetric_and_that_of_complex_steps():
    """Im(gradient at theta + i h e_j) / h, exact to rounding, of a network written anew in complex arithmetic."""
    network, X, Y, _, _ = problem("log_loss", "tanh", sizes=(3, 4, K))
    H = HessianProduct(network, X, Y, alpha=0.7).matrix()
    n, h = network.n_params, 1e-30

    def gradient(theta):
        W, b, V, c = theta[:12].reshape(4, 3), theta[12:16], theta[16:28].reshape(K, 4), theta[28:]
        a = np.tanh(X @ W.T + b)
        z = a @ V.T + c
        p = np.exp(z - z.real.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        d = (p - np.eye(K)[Y]) / N
        e = (d @ V) * (1 - a * a)
        parts = e.T @ X + 0.7 / N * W, e.sum(0), d.T @ a + 0.7 / N * V, d.sum(0)
        return np.concatenate([part.ravel() for part in parts])

    theta = network.theta.astype(complex)
    expected = np.array([gradient(theta + 1j * h * np.eye(n)[j]).imag / h for j in range(n)])
    np.testing.assert_allclose(H, expected, rtol=0, atol=1e-13 * abs(expected).max())
    assert (H == H.T).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_agrees_with_float64(loss):
    for sparse in (False, True):
        results = []
        for dtype in (np.float32, np.float64):
            network, X, Y, weight, v = problem(loss, "softplus", sparse, dtype)
            out, J = np.empty_like(v), np.empty((N, K, network.n_params), dtype)
            HessianProduct(network, X, Y, weight, 0.3)(v, out)
            OutputJacobian(network, X)(J)
            results.append((out, J))
        for a, b in zip(*results, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * abs(b).max())


def test_layers_of_one_unit_and_no_hidden_layer():
    for sizes in ((1, 1), (4, K), (1, 1, 1, 1)):
        network, X, Y, _, v = problem("squared_error", "tanh", sizes=sizes)
        Y, out = Y[:, : sizes[-1]], np.empty_like(v)
        HessianProduct(network, X, Y)(v, out)
        difference = (gradient_along(network, (X, Y), v, 1e-5) - gradient_along(network, (X, Y), v, -1e-5)) / 2e-5
        np.testing.assert_allclose(out, difference, rtol=0, atol=1e-7 * abs(difference).max())


def test_large_scores_do_not_overflow():
    network, X, Y, _, v = problem("log_loss", "relu")
    network.theta *= 100.0
    out = np.empty_like(v)
    f = HessianProduct(network, X, Y)(v, out)
    assert np.isfinite(f)
    assert np.isfinite(out).all()


def test_what_cannot_be_used_is_refused():
    network, X, Y, _, v = problem("log_loss", "relu")
    with pytest.raises(ValueError, match="batch normalization"):
        HessianProduct(Network((5, 3, K), "relu", "log_loss", batch_norm=True), X, Y)
    with pytest.raises(ValueError, match="4 columns; the network has 5 inputs"):
        HessianProduct(network, X[:, :4].copy(), Y)
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        HessianProduct(network, X, Y + 1)
    with pytest.raises(ValueError, match=r"Y must have shape \(37,\)"):
        HessianProduct(network, X, Y[:-1])
    with pytest.raises(ValueError, match="v must be contiguous, float64"):
        HessianProduct(network, X, Y)(v.astype(np.float32), v.copy())
    with pytest.raises(ValueError, match="J must be contiguous"):
        OutputJacobian(network, X)(np.empty((N, K, 3)))


@pytest.mark.parametrize("activation", ["tanh", "elu", "softplus", "gelu"])
def test_against_the_double_backward_of_torch(activation):
    torch = pytest.importorskip("torch")
    network, X, Y, _, v = problem("log_loss", activation)
    act = {"tanh": torch.tanh, "elu": torch.nn.functional.elu, "softplus": torch.nn.functional.softplus,
           "gelu": torch.nn.functional.gelu}[activation]  # fmt: skip
    theta = torch.tensor(network.theta, requires_grad=True)
    a, at = torch.tensor(X), 0
    for i, (fi, fo) in enumerate(zip(network.sizes[:-1], network.sizes[1:], strict=True)):
        a = a @ theta[at : at + fi * fo].reshape(fo, fi).T + theta[at + fi * fo : at + fi * fo + fo]
        at += fi * fo + fo
        a = act(a) if i < len(network.sizes) - 2 else a
    loss = torch.nn.functional.cross_entropy(a, torch.tensor(Y))
    (g,) = torch.autograd.grad(loss, theta, create_graph=True)
    (expected,) = torch.autograd.grad(g @ torch.tensor(v), theta)
    out = np.empty_like(v)
    HessianProduct(network, X, Y)(v, out)
    np.testing.assert_allclose(out, expected.numpy(), rtol=0, atol=1e-12 * float(expected.abs().max()))
