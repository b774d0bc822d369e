from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


def folding():
    """A collation without case, as Django's documentation has it for PostgreSQL."""
    postgresql = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    return "case_insensitive" if postgresql else "utf8mb4_unicode_ci"


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid4)
    email = models.EmailField(unique=True, db_collation=folding())
    deleted_at = models.DateTimeField(null=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]
