"""Move sessions from one store to another, while both are in use; and from other session libraries."""

from sessile.migration.errors import MigrationError
from sessile.migration.passes import migrate
from sessile.migration.report import Progress, Report

__all__ = ["MigrationError", "Progress", "Report", "migrate"]
