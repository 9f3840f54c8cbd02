"""The statistics that have names, in Python, at the command line, in nodes and in style files."""

from __future__ import annotations

from ..errors import InputError
from ..settings import STATISTICS, StatisticName
from .across import Across
from .moments import Covariance, Moments, Wasserstein
from .published_moments import CrowsonWasserstein, SpstMoments
from .statistics import GRAM, Statistic

_BY_NAME: dict[str, Statistic] = {
    each.name: each
    for each in (GRAM, Covariance(), Moments(), Wasserstein(), Across(), CrowsonWasserstein(), SpstMoments())
}


def find_statistic(statistic: StatisticName | Statistic) -> Statistic:
    """Give the statistic of a name; a `Statistic` is given back as it is.

    Raises:
        InputError: for anything else.
    """
    if isinstance(statistic, Statistic):
        return statistic
    if statistic not in _BY_NAME:
        raise InputError(
            f"statistic: expected one of {', '.join(STATISTICS)} or a gatys.Statistic, got {statistic!r}; give one of these"
        )
    return _BY_NAME[statistic]
