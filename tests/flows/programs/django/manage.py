"""A Django project with Django's own users and with users of its own, as many have them: a UUID for a key, and an address in a
collation without case that they sign in by. Where its tables are stands in the environment. Besides Django's own commands:

    add NAME EMAIL PASSWORD  stores somebody
    sign-in LOGIN PASSWORD   `authenticate`, as Django's sign-in form calls it
"""

import os
import sys

import django
from django.conf import settings

if os.environ["ENGINE"] == "mysql":
    import pymysql

    pymysql.install_as_MySQLdb()

OWN = os.environ["USERS"] == "own"
HASHERS = {"pbkdf2": "PBKDF2PasswordHasher", "argon2": "Argon2PasswordHasher", "bcrypt": "BCryptPasswordHasher"}
settings.configure(
    SECRET_KEY="of no use",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", *(["people"] if OWN else [])],
    AUTH_USER_MODEL="people.User" if OWN else "auth.User",
    # The first writes, all verify.
    PASSWORD_HASHERS=[
        f"django.contrib.auth.hashers.{hasher}"
        for name, hasher in sorted(HASHERS.items(), key=lambda one: one[0] != os.environ["HASHER"])
    ],
    DATABASES={
        "default": {
            "ENGINE": f"django.db.backends.{os.environ['ENGINE']}",
            "HOST": "127.0.0.1",
            "PORT": os.environ["PORT"],
            "USER": "keyturn",
            "NAME": os.environ["NAME"],
        }
    },
)


def main():
    verb, *own = sys.argv[1:]
    if verb not in ("add", "sign-in"):
        from django.core.management import execute_from_command_line

        return execute_from_command_line(sys.argv)
    django.setup()
    from django.contrib.auth import authenticate, get_user_model

    if verb == "add":
        name, email, password = own
        get_user_model().objects.create_user(name, email, password)
    else:
        login, password = own
        print("accepted" if authenticate(username=login, password=password) else "rejected", end="")


main()
