"""Move sessions from one store to another, while both are in use; and from other session libraries."""

from holdfast.migration.errors import MigrationError
from holdfast.migration.passes import migrate
from holdfast.migration.report import Progress, Report

__all__ = ["MigrationError", "Progress", "Report", "migrate"]
