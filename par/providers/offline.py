"""The built-in offline model: no network, fixed rules over real tool results."""

from par.providers._offline import OfflineModel, from_name

__all__ = ["OfflineModel", "from_name"]
