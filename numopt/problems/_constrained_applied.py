"""Problems with constraints from applications: entropy, a portfolio, regression."""

from numopt.problems._rows import named

TABLE, problem = named()
