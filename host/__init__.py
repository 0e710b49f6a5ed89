"""tinyconv's host side: import, rewrite, choose, pack, plan, link, report.

Data flows one way through the sub-packages, and none imports one that comes after it::

    model -> oracle -> plan -> link/transport -> report -> commands -> cli
"""

__version__ = "0.1.0"
