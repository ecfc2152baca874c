r"""Newton's method on the Lagrange system: equality constraints only.

The n + m equations grad f = J'y, c = b are solved for x and y by

.. math::

    \begin{pmatrix} H & J^T \\ J & 0 \end{pmatrix} \begin{pmatrix} d \\ -y^+ \end{pmatrix}
    = -\begin{pmatrix} g \\ c - b \end{pmatrix}                                                             (1)

with H the Hessian of the Lagrangian, Nocedal & Wright (18.6).  Far from a solution the plain iteration may go anywhere,
a maximum among others, so it is guarded:

* H is shifted by delta I until the matrix has m negative eigenvalues and no zero one: then d is a direction of descent
  for the model on the constraints (section 3.4 and theorem 16.3).  Dependent constraints put zeros among the
  eigenvalues: -delta_c I in place of 0 (Wächter & Biegler 2006, section 3.1).
* steps are halved until the l1 merit f + nu |c - b|_1 falls enough, with nu above the largest multiplier (18.36), or
  the residual of the Lagrange system itself does: near a solution that keeps the full step, whatever f's rounding.

Workspace: the matrix ((n + m) squared), its factor, right-hand side and solution (n + m each), and two scratch vectors
(n + m each).

References
----------
J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006, sections 18.1 and 18.3.
A. Wächter and L. T. Biegler, On the implementation of an interior-point filter line-search algorithm for large-scale
nonlinear programming, Math. Program. 106 (2006), 25-57.
"""
