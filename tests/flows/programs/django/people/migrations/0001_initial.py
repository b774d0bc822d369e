from uuid import uuid4

from django.contrib.auth.models import UserManager
from django.contrib.postgres.operations import CreateCollation
from django.db import migrations, models

from people.models import folding


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        CreateCollation("case_insensitive", provider="icu", locale="und-u-ks-level2", deterministic=False),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.UUIDField(primary_key=True, default=uuid4)),
                ("email", models.EmailField(max_length=254, unique=True, db_collation=folding())),
                ("username", models.CharField(max_length=150, unique=True)),
                ("first_name", models.CharField(max_length=150, blank=True)),
                ("last_name", models.CharField(max_length=150, blank=True)),
                ("password", models.CharField(max_length=128)),
                ("last_login", models.DateTimeField(null=True)),
                ("date_joined", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(null=True)),
                ("is_active", models.BooleanField(default=True)),
                ("is_staff", models.BooleanField(default=False)),
                ("is_superuser", models.BooleanField(default=False)),
                ("groups", models.ManyToManyField(to="auth.group", blank=True)),
                ("user_permissions", models.ManyToManyField(to="auth.permission", blank=True)),
            ],
            managers=[("objects", UserManager())],
        ),
    ]
