"""The console as an entry of Django's admin: put ``"sessile.console.django"`` into INSTALLED_APPS."""
