"""What is done with accounts at the command line, as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

USER_COMMANDS: Final = (
    Command(
        words="login",
        function="deploy.commands.users.coming:login",
        summary=(
            "Act with your account at this command line: what you change stands under your name."
        ),
        examples=("login anna", "login --token-stdin < token"),
    ),
    Command(
        words="logout",
        function="deploy.commands.users.coming:logout",
        summary="Act no more with your account at this command line; its token holds no more.",
        examples=("logout",),
    ),
    Command(
        words="user add",
        function="deploy.commands.users.accounts:add",
        summary="Make an account, and show the link by which its person chooses a password.",
        examples=(
            "user add anna --full-name 'Anna Amann' --role finance",
            "user add omar --full-name 'Omar Osman' --role operations@harbour-ag auditor --json",
        ),
    ),
    Command(
        words="user list",
        function="deploy.commands.users.accounts:listed",
        summary="List the accounts: their roles, how they come in, and which are blocked.",
        examples=("user list", "user list --json"),
    ),
    Command(
        words="user changes",
        function="deploy.commands.users.accounts:changes",
        summary="List what was changed of accounts, the newest first, each with its person.",
        examples=("user changes", "user changes anna --json"),
    ),
    Command(
        words="user link",
        function="deploy.commands.users.accounts:link",
        summary=(
            "Show a new link by which a person chooses another password; the second factor goes "
            "with it."
        ),
        examples=("user link anna", "user link anna --json"),
    ),
    Command(
        words="user invite",
        function="deploy.commands.users.accounts:invite",
        summary=(
            "Let a person come in by the OpenID provider, by an address it verified or by its "
            "subject."
        ),
        examples=(
            "user invite anna --email anna@example.com",
            "user invite anna --subject 7f9c2ba4 --json",
        ),
    ),
    Command(
        words="user grant",
        function="deploy.commands.users.accounts:grant",
        summary="Give a person these roles, and no other, from the next page on.",
        examples=("user grant anna --role finance auditor", "user grant anna --json"),
    ),
    Command(
        words="user block",
        function="deploy.commands.users.accounts:block",
        summary="Let a person in no more: browsers, tokens and links end at once.",
        examples=("user block anna", "user block anna --json"),
    ),
    Command(
        words="user unblock",
        function="deploy.commands.users.accounts:unblock",
        summary="Let a person in again, who was blocked.",
        examples=("user unblock anna",),
    ),
    Command(
        words="user require-factor",
        function="deploy.commands.users.accounts:require_factor",
        summary=(
            "Have a person come in with a second factor alone; who has none sets it at the next "
            "log-in."
        ),
        examples=("user require-factor anna", "user require-factor anna --off"),
    ),
)
